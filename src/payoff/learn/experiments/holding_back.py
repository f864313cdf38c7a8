"""Holding back: the experiment that follows a promotion, and what is told where it is undone."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from payoff.learn.experiments.contest import LEAST_REQUESTS, past
from payoff.learn.experiments.course import Course
from payoff.learn.experiments.experiment import Experiment, Mode
from payoff.learn.experiments.look import Look
from payoff.learn.experiments.requests import Requests
from payoff.learn.experiments.sizing import Size, gain_seen_in, size_of
from payoff.learn.watching.alert import DAYS_A_MONTH, Alert

_LEAST_DAYS = 7.0
_MOST_NAME = 80


def held_back(
    course: Course, requests: Requests, *, taken: Collection[str] = ()
) -> tuple[Experiment, Size | None] | None:
    """The experiment that follows a promotion, and what it can cost.

    The arms are those of before, by the rules of before: the treatment decides for all but the
    share that is held back. Customers are shared out anew: those whom chance put into the control
    are among the reasons why the treatment was promoted, and would flatter it again.

    Args:
        course: The experiment that is promoted.
        requests: Of it, or of the control before it: they tell how noisy a request is, and how many
            come.
        taken: Names of experiments that cannot be used again.

    Returns:
        The experiment, and None in place of its size where there are too few requests to tell; None
        where nobody is to be held back.

    Example:
        >>> from dataclasses import replace
        >>> from payoff.learn.experiments.course import EXAMPLE
        >>> from payoff.learn.experiments.hold_back import HoldBack
        >>> from payoff.learn.experiments.requests import drawn
        >>> rules = replace(EXAMPLE.experiment, hold_back=HoldBack())
        >>> after, size = held_back(replace(EXAMPLE, experiment=rules), drawn(3000))
        >>> after.name, after.first_share, after.horizon_days, round(size.gain, 1)
        ('new-head-hold-back', 0.95, 28.0, 0.8)
    """
    before = course.experiment
    rule = before.hold_back
    if rule is None:
        return None
    shares = np.array([stage.share for stage in course.stages])
    acted = requests.only(~requests.treated | (shares[requests.stage] > 0.0))
    known = past(acted)
    days = rule.days + before.maturity_days
    profit = (before.high + before.low) / 2.0 if known is None else known.profit
    pace = LEAST_REQUESTS / rule.days if known is None else known.per_day
    stated: dict[str, Any] = {
        # With few requests: as noisy as amounts between these two can be (Popoviciu 1935).
        "spread": (before.high - before.low) / 2.0 if known is None else known.spread,
        "requests_per_day": pace,
        "ramp": (1.0 - rule.share,),
        "confidence": before.confidence,
        "label_days": before.maturity_days,
        "most_harm": profit - before.low,
    }
    size = size_of(
        gain=gain_seen_in(round(days), **stated),
        requests_per_customer=1.0 if known is None else known.per_customer,
        **stated,
    )
    experiment = Experiment(
        name=_free(before.name, taken),
        model=before.model,
        control=before.control,
        treatment=before.treatment,
        currency=before.currency,
        low=before.low,
        high=before.high,
        planned_information=size.planned_information,
        mode=Mode.HOLD_BACK,
        ramp=stated["ramp"],
        least_days=min(_LEAST_DAYS, rule.days),
        horizon_days=days,
        confidence=before.confidence,
        maturity_days=before.maturity_days,
        guardrails=before.guardrails,
    )
    return experiment, None if known is None else size


def roll_back_alert(course: Course, look: Look) -> Alert:
    """What people are told where a promotion is undone, with the money.

    The interval is that of the hold-back, which holds at all looks together.

    Args:
        course: The hold-back.
        look: At which it was decided.

    Example:
        >>> from payoff.learn.experiments.course import EXAMPLE
        >>> from payoff.learn.experiments.look import look_at
        >>> from payoff.learn.experiments.requests import drawn
        >>> look = look_at(EXAMPLE, drawn(3000, gain=-4.0), "2026-01-11T00:00:00Z")
        >>> alert = roll_back_alert(EXAMPLE, look)
        >>> alert.key, alert.since, alert.low > 0, alert.mended
        ('rollback new-head', '2026-01-01', True, True)
    """
    experiment, treated = course.experiment, look.treatment.requests
    a_day = look.gain_per_month.scaled(-1.0 / DAYS_A_MONTH)
    cause = (
        f"Version {experiment.treatment[:12]} was promoted and is withdrawn: "
        f"{look.recommendation.why}. It decided on {treated:,} requests since; "
        f"version {experiment.control[:12]} serves again."
    )
    n_labels = sum(round(arm.known * arm.requests) for arm in (look.control, look.treatment))
    return Alert(
        key=f"rollback {experiment.name}",
        model=experiment.model,
        a_day=a_day.estimate,
        low=a_day.low,
        high=a_day.high,
        currency=look.currency,
        cause=cause,
        since=course.since_utc[:10],
        n_requests=look.control.requests + treated,
        n_labels=n_labels,
        mended=True,
    )


def _free(name: str, taken: Collection[str]) -> str:
    """A name that was not used yet."""
    wanted = f"{name[:_MOST_NAME]}-hold-back"
    numbered = (f"{wanted}-{number}" for number in range(2, len(taken) + 2))
    return next(one for one in (wanted, *numbered) if one not in taken)
