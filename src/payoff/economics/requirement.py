"""Requirement: what was measured of a model, as far as hosting it is concerned."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

from payoff.core.errors import EconomicsError, PayoffError, raise_all

ASSUMED_REQUEST_BYTES: Final = 1000.0
ASSUMED_RESPONSE_BYTES: Final = 500.0
_MOST_UTILISATION: Final = 0.9


@dataclass(frozen=True, slots=True)
class Requirement:
    """Measured speed and size, and the limits that hosting must hold.

    Args:
        texts_per_s: Measured throughput with ``threads`` threads.
        single_latency_ms: Measured 95 % quantile for one text alone.
        memory_bytes: Measured peak resident memory of one process.
        package_bytes: Size of what is deployed.
        start_s: Measured seconds from a fresh process to its first answer.
        peak_factor: Busiest requests a second over the month's average.
        latency_limit_ms: What 95 % of the answers must not exceed; None is no limit.
        target_utilisation: Share of the throughput that is planned for, up to 0.9.
        request_bytes: Mean size of a request; None assumes 1,000.
        response_bytes: Mean size of a response; None assumes 500.
        threads: Threads that the measurements used, and virtual processors that they stand for.
        speed_ratio: How many times faster than the measuring machine a priced machine is, per
            thread; None assumes 1 and says so in every line.
        service_scv: Squared coefficient of variation of the service time; 1 (exponential) waits
            longer than what is usually measured.
        at_once: Mean number of requests that come together; 1 is one at a time.
        by_hour: Requests of each hour of a day or week, relative to each other; empty where they
            are not known, and then no instances are scaled by the hour.
        redundancy: Instances that run in any case.
        retention_months: Months that the journal keeps a request and its answer.
        data_bytes: Size of the labelled data, which are kept for the next training.

    Raises:
        EconomicsError: PF604 for each figure out of range; `Problems` where there are several.

    Example:
        >>> need = Requirement(200.0, 5.0, 2e8, 9e7, 0.5, 4.0)
        >>> need.assumptions
        ('request of 1000 bytes', 'response of 500 bytes', 'priced machine as fast as this one')
    """

    texts_per_s: float
    single_latency_ms: float
    memory_bytes: float
    package_bytes: float
    start_s: float
    peak_factor: float
    latency_limit_ms: float | None = None
    target_utilisation: float = field(default=0.6, kw_only=True)
    request_bytes: float | None = field(default=None, kw_only=True)
    response_bytes: float | None = field(default=None, kw_only=True)
    threads: int = field(default=2, kw_only=True)
    speed_ratio: float | None = field(default=None, kw_only=True)
    service_scv: float = field(default=1.0, kw_only=True)
    at_once: float = field(default=1.0, kw_only=True)
    by_hour: tuple[float, ...] = field(default=(), kw_only=True)
    redundancy: int = field(default=1, kw_only=True)
    retention_months: float = field(default=12.0, kw_only=True)
    data_bytes: float = field(default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        least = {
            "memory_bytes": 0,
            "package_bytes": 0,
            "start_s": 0,
            "peak_factor": 1,
            "threads": 1,
            "request_bytes": 0,
            "response_bytes": 0,
            "service_scv": 0,
            "at_once": 1,
            "redundancy": 1,
            "retention_months": 0,
            "data_bytes": 0,
        }
        above_zero = ("texts_per_s", "single_latency_ms", "speed_ratio", "target_utilisation")
        problems: list[PayoffError] = []
        for name in (*least, *above_zero, "latency_limit_ms"):
            value = getattr(self, name)
            good = value is None or (
                math.isfinite(value)
                and value >= least.get(name, 0)
                and (name in least or value > 0)
            )
            if name == "target_utilisation":
                good = good and value <= _MOST_UTILISATION
            if not good:
                problems.append(EconomicsError("PF604", "requirement", f"{name} is {value}"))
        raise_all(problems)

    @property
    def speed(self) -> float:
        """The speed ratio, 1 where none is stated."""
        return 1.0 if self.speed_ratio is None else self.speed_ratio

    @property
    def speed_note(self) -> str:
        """What a cost line says about the speed of the priced machine."""
        return "" if self.speed_ratio is not None else "assumed: as fast as the machine measured on"

    @property
    def bytes_in(self) -> float:
        """Bytes of a request, as measured or assumed."""
        return ASSUMED_REQUEST_BYTES if self.request_bytes is None else self.request_bytes

    @property
    def bytes_out(self) -> float:
        """Bytes of a response, as measured or assumed."""
        return ASSUMED_RESPONSE_BYTES if self.response_bytes is None else self.response_bytes

    @property
    def sizes_measured(self) -> bool:
        """Whether both sizes were measured."""
        return self.request_bytes is not None and self.response_bytes is not None

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What is assumed because it was neither measured nor stated."""
        told = []
        if self.request_bytes is None:
            told.append(f"request of {ASSUMED_REQUEST_BYTES:.0f} bytes")
        if self.response_bytes is None:
            told.append(f"response of {ASSUMED_RESPONSE_BYTES:.0f} bytes")
        if self.speed_ratio is None:
            told.append("priced machine as fast as this one")
        return tuple(told)
