"""Guardrails: what stops an experiment by itself, whatever it earns."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from payoff.core.errors import ServiceError, raise_all
from payoff.core.findings import Finding, Status
from payoff.core.money import format_money
from payoff.learn.experiments.confidence_sequence import Interval, interval_of
from payoff.learn.experiments.gain import gain_of
from payoff.learn.experiments.late_labels import counted_worth
from payoff.learn.experiments.tally import Array, tally_of

if TYPE_CHECKING:
    from payoff.learn.experiments.experiment import Experiment
    from payoff.learn.experiments.requests import Requests

_LATENCY = "The treatment is not slower than allowed"
_ERRORS = "The treatment's errors do not cost more than allowed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardrails:
    """What the treatment may not do, compared with the control.

    Args:
        slow_ms: A request that takes longer is slow; None checks no latency.
        most_slow: Share of the requests that may be slow beyond the control's.
        most_error_cost: What errors may cost a request beyond the control's; None does not check.
            An error is a request that the model acted on and that brought less than nothing.

    Raises:
        ServiceError: PF730 where a figure cannot be used.

    Example:
        >>> Guardrails(slow_ms=200).as_dict()
        {'slow_ms': 200, 'most_slow': 0.01, 'most_error_cost': None}
    """

    slow_ms: float | None = None
    most_slow: float = 0.01
    most_error_cost: float | None = None

    def __post_init__(self) -> None:
        stated = {
            "slow_ms": self.slow_ms is None or self.slow_ms > 0,
            "most_slow": 0 <= self.most_slow < 1,
            "most_error_cost": self.most_error_cost is None or self.most_error_cost >= 0,
        }
        raise_all(
            ServiceError("PF730", f"experiment [guardrails.{key}]", "it cannot be used")
            for key, right in stated.items()
            if not right
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def guardrail_findings(requests: Requests, experiment: Experiment) -> tuple[Finding, Finding]:
    """The checks of latency (PF742) and of what errors cost (PF743).

    Each fails only when the difference is surely above what is allowed, by an interval that is
    valid at every look, so that a guardrail can be asked every hour.

    Args:
        requests: Of the experiment so far.
        experiment: Whose guardrails they are.

    Example:
        >>> from payoff.learn.experiments.course import EXAMPLE
        >>> from payoff.learn.experiments.requests import drawn
        >>> [f.status.value for f in guardrail_findings(drawn(500), EXAMPLE.experiment)]
        ['not applicable', 'not applicable']
    """
    return _latency(requests, experiment), _error_cost(requests, experiment)


def _latency(requests: Requests, experiment: Experiment) -> Finding:
    allowed = experiment.guardrails
    if allowed.slow_ms is None:
        return Finding("PF742", _LATENCY, Status.NOT_APPLICABLE, "no limit is stated")
    slow = (requests.latency_ms > allowed.slow_ms).astype(np.float64)
    found = _difference(requests, experiment, slow, (1.0, 1.0))
    told = f"{found.estimate:+.2%} of the requests take longer than {allowed.slow_ms:g} ms"
    return _finding(
        "PF742",
        _LATENCY,
        found,
        allowed.most_slow,
        f"{told} ({found.low:+.2%} to {found.high:+.2%}; {allowed.most_slow:.2%} are allowed)",
    )


def _error_cost(requests: Requests, experiment: Experiment) -> Finding:
    most = experiment.guardrails.most_error_cost
    if most is None:
        return Finding("PF743", _ERRORS, Status.NOT_APPLICABLE, "no limit is stated")
    known = np.isfinite(requests.realised)
    acted = known & ~requests.handed_over
    lost = np.where(acted, np.maximum(0.0, -np.where(known, requests.realised, 0.0)), 0.0)
    lost[~known] = np.nan
    counted = counted_worth(np.zeros(len(requests)), lost, requests.treated, requests.handed_over)
    most_lost = max(0.0, -experiment.low)
    control, treatment = (most_lost / share if share else 0.0 for share in counted.known)
    found = _difference(requests, experiment, counted.worth, (control, treatment))
    shown = [format_money(x, experiment.currency) for x in (found.estimate, found.low, found.high)]
    told = f"errors cost {shown[0]} more a request ({shown[1]} to {shown[2]}"
    limit = format_money(most, experiment.currency)
    return _finding("PF743", _ERRORS, found, most, f"{told}; {limit} are allowed)")


def _difference(
    requests: Requests, experiment: Experiment, value: Array, unseen: tuple[float, float]
) -> Interval:
    cells = tally_of(requests.customer, requests.stage, requests.treated, value=value)
    found = gain_of(cells, unseen=unseen)
    return interval_of(
        found.gain,
        found.standard_error,
        found.information,
        planned=experiment.planned_information,
        confidence=experiment.confidence,
    )


def _finding(code: str, title: str, found: Interval, most: float, detail: str) -> Finding:
    if not math.isfinite(found.low):
        return Finding(code, title, Status.NOT_CHECKED, "there are too few customers yet")
    if found.low > most:
        return Finding(
            code, title, Status.FAILED, detail, mend="The experiment stops; mend the new version."
        )
    return Finding(code, title, Status.PASSED, detail)
