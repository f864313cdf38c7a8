"""Sizing: how long an experiment takes and what it can cost, known before it begins."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from payoff.core.errors import ServiceError
from payoff.learn.experiments.confidence_sequence import errors_wide
from payoff.learn.experiments.experiment import RAMP
from payoff.learn.experiments.gain import LEAST_CUSTOMERS
from payoff.learn.experiments.tally import Array

POWER = 0.8
"""How likely the stated gain is seen."""

SURE = 0.95
"""How likely a harmful arm loses no more than is promised."""

_MOST_DAYS = 3650
_HARMS = 60
_Z = NormalDist().inv_cdf(1.0 - (1.0 - SURE) / 2.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What an experiment takes.

    Args:
        days: Until a gain of ``gain`` is seen with a probability of `POWER`.
        requests: Of both arms until then.
        planned_information: Requests times ``share · (1 − share)`` until then.
        gain: The gain a request that is to be seen.
        spread: What one request adds to the noise.
        harm: A loss a request that is to be stopped.
        harm_days: Until such a loss is stopped, with a probability of `SURE`.
        most_lost_at_harm: What is lost until then, with that probability at most.
        worst_harm: The loss a request that costs most before it is stopped or the time is over:
            smaller ones are found later, larger ones sooner.
        most_lost: What is lost at the worst harm, with a probability of `SURE` at most; no other
            harm loses more.
    """

    days: int
    requests: float
    planned_information: float
    gain: float
    spread: float
    harm: float
    harm_days: int
    most_lost_at_harm: float
    worst_harm: float
    most_lost: float

    @property
    def weeks(self) -> float:
        """The same in weeks."""
        return self.days / 7.0

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self) | {"weeks": self.weeks, "power": POWER, "sure": SURE}


def size_of(
    *,
    gain: float,
    spread: float,
    requests_per_day: float,
    requests_per_customer: float = 1.0,
    harm: float | None = None,
    ramp: Sequence[float] = RAMP,
    step_days: float = 1.0,
    confidence: float = 0.95,
    label_days: float = 0.0,
    most_harm: float | None = None,
) -> Size:
    """Days, requests and money of an experiment, from how noisy requests are.

    With ``I`` the information reached, the standard error is ``spread / √I`` (and a little more for
    what is unseen, see `payoff.learn.experiments.gain.gain_of`) and the interval
    reaches ``w(I)`` errors to each side (`errors_wide`), so that a gain ``δ`` is seen at a look
    with the probability ``Φ(δ / error − w(I))``. The first day on which this is `POWER` is the
    planned end, whose information is what the intervals are then made sharpest at. It counts one
    look only, the last one; looking every day sees it sooner and a little more often.

    A harm is stopped on the first day on which that probability is `SURE`, with half of what may go
    wrong. Until then the treated requests lose it; the other half is that chance has treated more
    of them than the share says, from customers twice as uneven as chance alone makes them. A harm
    also makes requests noisier: where it turns some into the worst there are, ``most_harm`` below
    the usual, a harm of δ adds at most ``δ (most_harm − δ)`` to the variance of a request. What is
    lost at most is told for the harm that loses most.

    Args:
        gain: The gain a request that is to be seen.
        spread: As `spread_of` has it from earlier requests, or the standard deviation of a request
            where customers come once.
        requests_per_day: Of the model.
        requests_per_customer: Until the end; with few customers nothing is judged.
        harm: A loss a request that is to be stopped; None takes one of the size of the gain.
        ramp: Shares of the treatment, step by step.
        step_days: How long each is kept.
        confidence: Of the intervals.
        label_days: How many days after a request its outcome is known, or ``maturity_days``.
        most_harm: What a usual request brings less the least that one can bring: the loss where
            every request turns out worst. None takes ten times the gain.

    Raises:
        ServiceError: PF730 where a figure cannot be used, or the gain would take ten years.

    Example:
        >>> size = size_of(gain=0.5, spread=6.0, requests_per_day=400)
        >>> size.days, round(size.planned_information), round(size.most_lost)
        (17, 1498, 2238)
    """
    _check(gain, spread, requests_per_day, requests_per_customer, step_days)
    _check_confidence(confidence)
    schedule = _Schedule.of(ramp, step_days, requests_per_day, _MOST_DAYS)
    noise = schedule.noise(spread**2, most_harm or 0.0)
    seen = gain / noise >= errors_wide(1.0, 1.0, confidence) + NormalDist().inv_cdf(POWER)
    if not seen.any():
        raise ServiceError(
            "PF730",
            "experiment",
            f"to see a gain of {gain:g} takes more than {_MOST_DAYS} days",
            mend="State a larger gain, or wait for more traffic.",
        )
    late = math.ceil(label_days)
    end = int(np.argmax(seen))
    planned = float(schedule.information[end])
    last = end + late  # days pass until the outcome of the last request is known
    largest = 10.0 * gain if most_harm is None else max(most_harm, gain)
    stopping = _Stopping(schedule, spread, largest, late, last, requests_per_customer)
    wide = stopping.errors_wide(planned, confidence)
    harm = gain if harm is None else harm
    harm_day, lost = stopping.of(harm, wide)
    harms = np.geomspace(gain / 10.0, largest, _HARMS)
    worst = max((stopping.of(float(one), wide)[1], float(one)) for one in harms)
    return Size(
        days=last + 1,
        requests=requests_per_day * (last + 1),
        planned_information=planned,
        gain=gain,
        spread=spread,
        harm=harm,
        harm_days=harm_day,
        most_lost_at_harm=lost,
        worst_harm=worst[1],
        most_lost=max(worst[0], lost),
    )


def gain_seen_in(
    days: int,
    *,
    spread: float,
    requests_per_day: float,
    ramp: Sequence[float] = RAMP,
    step_days: float = 1.0,
    confidence: float = 0.95,
    label_days: float = 0.0,
    most_harm: float = 0.0,
) -> float:
    """The smallest gain a request that is seen within some days with a probability of `POWER`.

    The inverse of `size_of`, for those whose time is short and who ask what it is good for.

    Raises:
        ServiceError: PF730 where a figure cannot be used.

    Example:
        >>> gain = gain_seen_in(28, spread=6.0, requests_per_day=400)
        >>> round(gain, 3), size_of(gain=gain, spread=6.0, requests_per_day=400).days
        (0.379, 28)
    """
    counted = int(days) - math.ceil(label_days)
    _check(float(max(0, counted)), spread, requests_per_day, 1.0, step_days)
    _check_confidence(confidence)
    schedule = _Schedule.of(ramp, step_days, requests_per_day, counted)
    at_end = errors_wide(1.0, 1.0, confidence) + NormalDist().inv_cdf(POWER)
    # A millionth more, so that the sum of the same days is enough in spite of rounding.
    return at_end * float(schedule.noise(spread**2, most_harm)[-1]) * (1.0 + 1e-6)


@dataclass(frozen=True, slots=True)
class _Schedule:
    """What has been seen at the end of each day."""

    treated: Array
    others: Array
    information: Array

    @classmethod
    def of(cls, ramp: Sequence[float], step_days: float, per_day: float, days: int) -> _Schedule:
        """A look at the end of a day raises the share from the next day on."""
        steps = np.array([share for share in ramp if share < 1.0])
        step = np.minimum(np.arange(days) // max(1, math.ceil(step_days)), len(steps) - 1)
        share = steps[step]
        return cls(
            np.cumsum(per_day * share),
            np.cumsum(per_day * (1.0 - share)),
            np.cumsum(per_day * share * (1.0 - share)),
        )

    def noise(self, variance: float, extreme: float) -> Array:
        """Standard error of the gain, with what is unseen (`gain_of`)."""
        unseen = extreme**2 * (1.0 / self.treated**2 + 1.0 / self.others**2)
        error: Array = np.sqrt(variance / self.information + unseen)
        return error


@dataclass(frozen=True, slots=True)
class _Stopping:
    schedule: _Schedule
    spread: float
    most_harm: float
    late: int
    last: int
    per_customer: float

    def errors_wide(self, planned: float, confidence: float) -> Array:
        """Of the interval on each day; infinite with few customers."""
        known = self.schedule.information[: self.last + 1]
        wide = np.array([errors_wide(float(one), planned, confidence) for one in known])
        fewest = np.minimum(self.schedule.treated, self.schedule.others)[: self.last + 1]
        wide[fewest < LEAST_CUSTOMERS * self.per_customer] = math.inf
        return wide

    def of(self, harm: float, wide: Array) -> tuple[int, float]:
        """Days until a harm is stopped, and what it has lost by then."""
        variance = self.spread**2 + max(0.0, harm * (self.most_harm - harm))
        noise = self.schedule.noise(variance, self.most_harm)[: self.last + 1]
        stopped = harm / noise - wide >= _Z
        day = int(np.argmax(stopped)) + self.late if stopped.any() else self.last
        day = min(day, self.last)
        mean = float(self.schedule.treated[day])
        return day + 1, harm * (mean + _Z * math.sqrt(mean * (1.0 + 2.0 * self.per_customer)))


def _check(gain: float, spread: float, per_day: float, per_customer: float, step: float) -> None:
    stated = {
        "gain": gain,
        "spread": spread,
        "requests_per_day": per_day,
        "requests_per_customer": per_customer,
        "step_days": step,
    }
    for key, figure in stated.items():
        if not (math.isfinite(figure) and figure > 0):
            raise ServiceError(
                "PF730", f"experiment [{key}]", f"it is {figure:g}", expected="a number above 0"
            )


def _check_confidence(confidence: float) -> None:
    if not 0.5 <= confidence < 1.0:
        raise ServiceError(
            "PF730",
            "experiment [confidence]",
            f"it is {confidence:g}",
            expected="0.5 or more, below 1",
        )
