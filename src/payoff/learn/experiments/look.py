"""Look: an experiment at one moment, in money, with what to do about it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from payoff.core.findings import Finding, Status
from payoff.economics.prices.price import HOURS_PER_MONTH
from payoff.learn.experiments.bandit import regret_of
from payoff.learn.experiments.confidence_sequence import Interval, interval_of
from payoff.learn.experiments.course import Course
from payoff.learn.experiments.experiment import Experiment
from payoff.learn.experiments.gain import LEAST_CUSTOMERS, Gain, gain_of
from payoff.learn.experiments.guardrails import guardrail_findings
from payoff.learn.experiments.late_labels import Counted, counted_worth
from payoff.learn.experiments.recommendation import Recommendation, Seen, recommend
from payoff.learn.experiments.requests import Requests
from payoff.learn.experiments.sample_ratio import sample_ratio_finding
from payoff.learn.experiments.tally import Array, n_different, tally_of

LEAST_KNOWN = 30
"""Outcomes that must be known in each arm before anything is concluded."""

_CROSSED = 0.001
_DAYS_PER_MONTH = HOURS_PER_MONTH / 24.0
_KEPT = "Each customer stays in one arm"
_KNOWN = "Outcomes are known in both arms"


@dataclass(frozen=True, slots=True)
class ArmSeen:
    """What was seen of one arm.

    Args:
        requests: How many it decided on.
        customers: Of how many customers.
        known: Share of the requests whose outcome is known.
        profit: A request, with what is not known yet corrected; NaN where there is no request. The
            arms' profits are of different days where the share has changed: compare by the gain.
    """

    requests: int
    customers: int
    known: float
    profit: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """An experiment at one moment.

    Args:
        name: Of the experiment.
        currency: Of all amounts.
        days: Since it began.
        share: Of the treatment now.
        control: What was seen of it.
        treatment: What was seen of it.
        gain: Treatment less control, a request, with an interval that is valid at every look.
        gain_per_month: The same at the month's pace of requests, with everybody treated.
        standard_error: Of the gain.
        information: Reached so far, of what was planned.
        planned_information: At the planned end.
        variance_cut: Share of the variance that customers' earlier profit has taken away.
        regret: What was not earned so far since some requests went to the worse arm.
        findings: Sample ratio, arms kept, latency, cost of errors, outcomes known.
        recommendation: What to do.
    """

    name: str
    currency: str
    days: float
    share: float
    control: ArmSeen
    treatment: ArmSeen
    gain: Interval
    gain_per_month: Interval
    standard_error: float
    information: float
    planned_information: float
    variance_cut: float
    regret: Interval
    findings: tuple[Finding, ...]
    recommendation: Recommendation

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; what is not known is None."""
        return {
            "name": self.name,
            "currency": self.currency,
            "days": self.days,
            "share": self.share,
            "arms": {"control": _arm(self.control), "treatment": _arm(self.treatment)},
            "gain_per_request": self.gain.as_dict(),
            "gain_per_month": self.gain_per_month.as_dict(),
            "standard_error": self.standard_error if math.isfinite(self.standard_error) else None,
            "information": self.information,
            "planned_information": self.planned_information,
            "variance_cut": self.variance_cut,
            "regret": self.regret.as_dict(),
            "findings": [finding.as_dict() for finding in self.findings],
            "recommendation": self.recommendation.as_dict(),
        }


def look_at(
    course: Course,
    requests: Requests,
    now_utc: str,
    *,
    requests_per_month: float | None = None,
) -> Look:
    """Look at an experiment: all that is known of it follows from its requests.

    Looking changes nothing, and may be done as often as anybody likes.

    Args:
        course: The experiment as it stands.
        requests: Of it so far, in the order of time.
        now_utc: When, as the journal writes it.
        requests_per_month: For the money a month; None takes the pace of the experiment so far.

    Example:
        >>> from payoff.learn.experiments.course import EXAMPLE
        >>> from payoff.learn.experiments.requests import drawn
        >>> look = look_at(EXAMPLE, drawn(3000, gain=2.0), "2026-01-11T00:00:00Z")
        >>> look.gain.low < 2.0 < look.gain.high, look.recommendation.advice.value
        (True, 'wait')
        >>> [finding.code for finding in look.findings if finding.failed]  # 5 % were stated
        ['PF740']
    """
    experiment = course.experiment
    days = course.days(now_utc)
    if experiment.maturity_days:
        requests = requests.only(requests.day <= days - experiment.maturity_days)
    counted = counted_worth(
        requests.expected, requests.realised, requests.treated, requests.handed_over
    )
    found, gain = _compared(course, requests, counted)
    findings = _findings(course, requests, counted)
    shares = np.array([stage.share for stage in course.stages])
    acted = ~requests.treated | (shares[requests.stage] > 0.0)  # what is no shadow of another
    treated = int((requests.treated & acted).sum())
    seen = Seen(
        gain=gain,
        standard_error=found.standard_error,
        information=found.information,
        share=course.share,
        days=days,
        days_in_stage=course.days_in_stage(now_utc),
        findings=findings,
    )
    if requests_per_month is None:
        pace = float(acted.sum()) / max(days - experiment.maturity_days, 1.0)
        requests_per_month = pace * _DAYS_PER_MONTH
    return Look(
        name=experiment.name,
        currency=experiment.currency,
        days=days,
        share=course.share,
        control=_seen(requests, counted.worth, counted.known[0], treated=False),
        treatment=_seen(requests, counted.worth, counted.known[1], treated=True),
        gain=gain,
        gain_per_month=gain.scaled(requests_per_month),
        standard_error=found.standard_error,
        information=found.information,
        planned_information=experiment.planned_information,
        variance_cut=found.cut,
        regret=regret_of(gain, int(acted.sum()) - treated, treated),
        findings=findings,
        recommendation=recommend(experiment, seen),
    )


def _compared(course: Course, requests: Requests, counted: Counted) -> tuple[Gain, Interval]:
    experiment = course.experiment
    cells = tally_of(
        requests.customer,
        requests.stage,
        requests.treated,
        value=counted.worth,
        covariate=requests.covariate,
    )
    unseen = _unseen(experiment, requests, counted)
    found = gain_of(cells, unseen=unseen)
    if _fewest_known(requests) < LEAST_KNOWN:  # the models' word alone is not believed
        found = replace(found, standard_error=math.inf)
    interval = interval_of(
        found.gain,
        found.standard_error,
        found.information,
        planned=experiment.planned_information,
        confidence=experiment.confidence,
    )
    # Whatever was seen, no request brings more or less than the payoff allows.
    most = experiment.high - experiment.low
    return found, interval.within(-most, most)


def _unseen(experiment: Experiment, requests: Requests, counted: Counted) -> tuple[float, float]:
    """How far from its mean a request of each arm can be, where it stands for unknown ones too."""

    def of_arm(arm: bool) -> float:
        rows = requests.treated == arm
        mean = float(counted.worth[rows].mean()) if rows.any() else 0.0
        known = max(counted.known[arm], 1.0 / max(1, int(rows.sum())))
        return max(experiment.high - mean, mean - experiment.low, 0.0) / known

    return of_arm(False), of_arm(True)


def _findings(course: Course, requests: Requests, counted: Counted) -> tuple[Finding, ...]:
    shares = [stage.share for stage in course.stages]
    first = requests.newcomers
    drawn = first[np.array(shares)[requests.stage[first]] > 0.0]
    return (
        sample_ratio_finding(requests.treated[drawn], requests.stage[drawn], shares),
        _kept(requests, np.array(shares)),
        *guardrail_findings(requests, course.experiment),
        _known(requests, counted),
    )


def _kept(requests: Requests, shares: Array) -> Finding:
    """Whether a customer was in one arm only, within each stage with a share."""
    rows = shares[requests.stage] > 0.0
    if not rows.any():
        return Finding("PF741", _KEPT, Status.NOT_APPLICABLE, "nobody is treated yet")
    key = requests.customer[rows] * len(shares) + requests.stage[rows]
    n = int(key.max()) + 1
    treated = np.bincount(key, requests.treated[rows], n)
    mixed = int(((treated > 0) & (treated < np.bincount(key, minlength=n))).sum())
    n_customers = n_different(requests.customer[rows])
    told = f"{mixed} of {n_customers} customers had answers of both arms at one share"
    if mixed <= _CROSSED * n_customers:
        return Finding("PF741", _KEPT, Status.PASSED, told)
    mend = "All processes of the service must read the experiment from the same journal."
    return Finding("PF741", _KEPT, Status.FAILED, told, mend=mend, n_affected=mixed)


def _fewest_known(requests: Requests) -> int:
    known = np.isfinite(requests.realised)
    return min(int((known & (requests.treated == arm)).sum()) for arm in (False, True))


def _known(requests: Requests, counted: Counted) -> Finding:
    fewest = _fewest_known(requests)
    n_treated = int(requests.treated.sum())
    mend = "Send feedback to the service, or let people label requests."
    if not fewest and min(n_treated, len(requests) - n_treated) >= LEAST_KNOWN:
        return Finding("PF744", _KNOWN, Status.FAILED, "of one arm no outcome is known", mend=mend)
    if fewest < LEAST_KNOWN:
        told = f"{fewest} outcomes are known in one arm, {LEAST_KNOWN} are needed"
        return Finding("PF744", _KNOWN, Status.NOT_CHECKED, told, mend=mend)
    shares = " and ".join(f"{share:.0%}" for share in counted.known)
    told = f"{shares} of the requests of control and treatment"
    if counted.uncorrected > 0:
        told += f"; {counted.uncorrected:.1%} count by their model's word alone"
    return Finding("PF744", _KNOWN, Status.PASSED, told)


def _seen(requests: Requests, worth: Array, known: float, *, treated: bool) -> ArmSeen:
    rows = requests.treated == treated
    n = int(rows.sum())
    profit = float(worth[rows].mean()) if n else math.nan
    return ArmSeen(n, n_different(requests.customer[rows]), known, profit)


def _arm(arm: ArmSeen) -> dict[str, Any]:
    return {
        "requests": arm.requests,
        "customers": arm.customers,
        "known": arm.known,
        "profit_per_request": arm.profit if math.isfinite(arm.profit) else None,
        "enough": arm.customers >= LEAST_CUSTOMERS,
    }
