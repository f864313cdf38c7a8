"""Platform: how a serverless platform rounds, and what it can take."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from importlib import resources

_MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """Dated facts of one serverless platform; see ``platforms.toml`` beside this file.

    Args:
        provider: As in the price book.
        service: As in the price book.
        memory_step_mib: Memory is ordered in multiples of this.
        memory_least_mib: Least memory.
        memory_most_mib: Most memory.
        mib_per_vcpu: Memory with which one processor comes; None where they are ordered apart.
        vcpus: Processors ordered, where they are ordered apart.
        billing_step_ms: Durations are rounded up to a multiple of this.
        billing_least_ms: Shortest duration that is billed.
        package_limit_bytes: Largest package; None where no limit is known.
        read_on: Day on which the source was read.
        source: Where the facts were read.

    Example:
        >>> platforms()["aws", "lambda"].billed_ms(3.2)
        4
    """

    provider: str
    service: str
    memory_step_mib: int
    memory_least_mib: int
    memory_most_mib: int
    mib_per_vcpu: float | None = None
    vcpus: float | None = None
    billing_step_ms: int
    billing_least_ms: int
    package_limit_bytes: int | None = None
    read_on: date
    source: str

    def memory_mib(self, needed_bytes: float) -> int | None:
        """Least memory that can be ordered and holds that many bytes; None where none does.

        Example:
            >>> platforms()["azure", "functions"].memory_mib(160 * 2**20)
            256
        """
        steps = math.ceil(needed_bytes / _MIB / self.memory_step_mib)
        memory = max(steps * self.memory_step_mib, self.memory_least_mib)
        return memory if memory <= self.memory_most_mib else None

    def processors(self, memory_mib: int) -> float:
        """Processors that come with so much memory, in shares of one.

        Example:
            >>> platforms()["aws", "lambda"].processors(3538)
            2.0
        """
        if self.mib_per_vcpu is not None:
            return memory_mib / self.mib_per_vcpu
        return 1.0 if self.vcpus is None else self.vcpus

    def billed_ms(self, duration_ms: float) -> int:
        """Duration as billed.

        Example:
            >>> platforms()["gcp", "cloud-run"].billed_ms(130.0)
            200
        """
        steps = math.ceil(duration_ms / self.billing_step_ms)
        return max(steps * self.billing_step_ms, self.billing_least_ms)


@lru_cache(maxsize=1)
def platforms() -> dict[tuple[str, str], Platform]:
    """All platforms that payoff knows, by provider and service.

    Example:
        >>> sorted(platforms())
        [('aws', 'lambda'), ('azure', 'functions'), ('gcp', 'cloud-run')]
    """
    file = resources.files("payoff.economics") / "platforms.toml"
    tables = tomllib.loads(file.read_text(encoding="utf-8"))["platform"]
    return {(table["provider"], table["service"]): Platform(**table) for table in tables}
