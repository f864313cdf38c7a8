"""Glance: a model's requests of now beside what was usual, for people to look at."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from payoff.learn.journal import Journal
from payoff.learn.watching.drift import Drift, explained
from payoff.learn.watching.expected_loss import ExpectedLoss, expected_loss, mix_now
from payoff.learn.watching.journal_topics import topics_of
from payoff.learn.watching.journal_window import newest, of_day
from payoff.learn.watching.kept_reference import kept_reference
from payoff.learn.watching.reference import Reference
from payoff.learn.watching.topics import NewTopic
from payoff.learn.watching.watch import WINDOW
from payoff.learn.watching.watched_model import WatchedModel
from payoff.learn.watching.window import Floats

DAY_SAMPLE = 500
"""Requests that the loss of one day is told from, at most."""


@dataclass(frozen=True, eq=False, slots=True)
class DayLoss:
    """What one day lost against what was awaited.

    Args:
        day: In UTC, such as ``"2026-11-30"``.
        n: Requests of that day.
        loss: Money in all; negative where more was earned than was awaited.
        low: Lower end of its interval, 5 %.
        high: Upper end, 95 %.
        n_labels: Labels among the requests that it is told from.
    """

    day: str
    n: int
    loss: float
    low: float
    high: float
    n_labels: int


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Glance:
    """What is seen of a model, without raising or ending an alert.

    Args:
        reference: What they are compared with: the test rows that came with the artifact, or the
            first requests.
        of_launch: Whether it is the test rows.
        loss: Of the newest requests.
        drift: Why.
        mix: Share of each label now, ``(k,)``; `Reference.mix` is what it was.
        days: Of each day with requests after those of the reference, the first one first.
        topics: Found among the requests that the model is unsure of; None where no text is kept.
    """

    reference: Reference
    of_launch: bool
    loss: ExpectedLoss
    drift: Drift
    mix: Floats
    days: tuple[DayLoss, ...]
    topics: tuple[NewTopic, ...] | None


def glance(
    journal: Journal, model: WatchedModel, *, days: int = 30, now: str = ""
) -> Glance | None:
    """Look at what `payoff.learn.watching.watch.watch` looks at, and change nothing.

    The loss of a day is told from an evenly drawn sample of its requests, by the same arithmetic.

    Args:
        journal: Decisions and feedback.
        model: Which version.
        days: How many days back, today included.
        now: The time, as the journal writes it; now where empty.

    Returns:
        None where there are too few requests to tell anything.

    Raises:
        ServiceError: PF703 to PF706 where the database fails; PF750 where the reference is broken.

    Example:
        >>> import numpy as np
        >>> from payoff.economics.policy import Policy
        >>> policy = Policy(("a", "b"), np.eye(2, 3))
        >>> model = WatchedModel(name="m", sha256="0" * 64, policy=policy, currency="EUR")
        >>> with Journal.open("sqlite://") as journal:
        ...     glance(journal, model) is None
        True
    """
    kept = kept_reference(journal, model)
    if kept is None:
        return None
    recent = newest(journal, model, WINDOW, after_id=kept.until_id)
    if not len(recent.window):
        return None
    reference = kept.reference
    mix = mix_now(recent.window, reference)
    loss = expected_loss(recent.window, reference, mix=mix)
    today = datetime.fromisoformat(now) if now else datetime.now(UTC)
    names = [(today - timedelta(days=back)).strftime("%Y-%m-%d") for back in range(days)][::-1]
    losses = (_day_loss(journal, model, reference, kept.until_id, day) for day in names)
    return Glance(
        reference=reference,
        of_launch=kept.of_launch,
        loss=loss,
        drift=explained(recent.window, reference, loss, mix=mix),
        mix=mix,
        days=tuple(one for one in losses if one is not None),
        topics=topics_of(journal, model, kept, recent),
    )


def _day_loss(
    journal: Journal, model: WatchedModel, reference: Reference, after_id: int, day: str
) -> DayLoss | None:
    """None for a day without requests."""
    n, sample = of_day(journal, model, day, DAY_SAMPLE, after_id=after_id)
    if not len(sample.window):
        return None
    # As if all of the day's requests were there: the sample stands for them.
    window = replace(sample.window, days=len(sample.window) / n)
    found = expected_loss(window, reference)
    return DayLoss(day, n, found.a_day, *found.interval_a_day, found.n_labels)
