"""Begin: an experiment by the usual rules, as a schedule starts it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from payoff.learn.experiments import book
from payoff.learn.experiments.contest import Contest, contest_of, past_of
from payoff.learn.experiments.course import Course
from payoff.learn.experiments.experiment import Experiment
from payoff.learn.experiments.sizing import Size, gain_seen_in, size_of
from payoff.learn.journal import Journal
from payoff.learn.versions import note_place

DAYS = 28
"""An experiment is sized for the gain that is seen in so many days."""

_DAYS_PER_MONTH = 365.25 / 12


def begin(
    journal: Journal, control: Path, treatment: Path, *, name: str, requests_per_month: float
) -> tuple[Course, Size]:
    """Start an experiment that is sized by the journal for the gain that four weeks show.

    Args:
        journal: Of the service that decides.
        control: The artifact that decides now.
        treatment: The one that is to prove itself.
        name: Of the experiment.
        requests_per_month: Where the journal has too few requests to tell.

    Returns:
        The experiment under way, and how long it takes and what it can cost.

    Raises:
        ServiceError: PF731 where an experiment on that model is running, PF735 where the name was
            used before, PF736 where the two cannot be compared; PF703 to PF706 where the database
            fails.
        ArtifactError: PF501 to PF504 where one cannot be used.

    Example:
        >>> begin(journal, old, new, name="new-2", requests_per_month=9e3)  # doctest: +SKIP
    """
    contest = contest_of(control, treatment)
    past = past_of(journal, contest)
    usual = (contest.high + contest.low) / 2.0 if past is None else past.profit
    stated: dict[str, Any] = {
        # Without history: as noisy as amounts between these two can be (Popoviciu 1935).
        "spread": (contest.high - contest.low) / 2.0 if past is None else past.spread,
        "requests_per_day": requests_per_month / _DAYS_PER_MONTH if past is None else past.per_day,
        "most_harm": usual - contest.low,
    }
    size = size_of(
        gain=gain_seen_in(DAYS, **stated),
        requests_per_customer=1.0 if past is None else past.per_customer,
        **stated,
    )
    return begin_contest(journal, contest, name, size), size


def begin_contest(journal: Journal, contest: Contest, name: str, size: Size, **more: Any) -> Course:
    """Start an experiment on two artifacts, and note where they lie, so that services open them.

    Args:
        journal: Of the service that decides.
        contest: The two.
        name: Of the experiment.
        size: How long it takes.
        more: Further facts of the `Experiment`, in place of the usual ones; the hold-back is the
            one that the project states.

    Raises:
        ServiceError: As `begin` says.

    Example:
        >>> begin_contest(journal, contest, "new-2", size, mode=Mode.SHADOW)  # doctest: +SKIP
    """
    rules = {"hold_back": contest.hold_back()} | more
    experiment = Experiment(
        name=name,
        model=contest.model,
        control=contest.control,
        treatment=contest.treatment,
        currency=contest.currency,
        low=contest.low,
        high=contest.high,
        planned_information=size.planned_information,
        horizon_days=max(7.0, float(size.days)),
        **rules,
    )
    course = book.start(journal, experiment, contest.policy, size)
    for sha256, place in contest.places.items():
        note_place(journal, contest.model, sha256, str(place))
    return course
