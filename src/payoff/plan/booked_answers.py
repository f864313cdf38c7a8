"""Booked answers: an artifact's endpoints asked with the books of its project open."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from payoff.economics.desk import Desk
    from payoff.learn.spending import SpendingTerms

_PROJECT, _RUNS, _SUMMARY = "payoff.toml", "runs", "summary.json"


@contextmanager
def booked_answers(desk: Desk, artifact: Path) -> Iterator[None]:
    """Book what the endpoints of an artifact charge while the block lasts, within the budget.

    The lines go to the journal beside the artifact; for the artifact of a run's folder, to that
    of the project around it. The budget is that of the ``payoff.toml`` there where it is of the
    same name, else of the one inside the artifact. Where no model is somebody else's, nothing is
    opened and nothing written.

    Args:
        desk: The opened artifact.
        artifact: Where it lies.

    Raises:
        EconomicsError: PF629 where the month's budget cannot be held; PF620, from the block, where
            it does not hold what is asked.
        ProjectError: PF201 to PF203 where something in that ``payoff.toml`` is wrong.
        ServiceError: PF703 to PF706 where the journal cannot be used.

    Example:
        >>> with load(path) as desk, booked_answers(desk, path):  # doctest: +SKIP
        ...     decisions = desk.decide_many(texts)
    """
    if not desk.artifact.endpoints():
        yield
        return
    from payoff.economics.costs import Step
    from payoff.learn.answer_books import AnswerBooks
    from payoff.learn.journal import Journal
    from payoff.learn.meter import Meter

    place, terms = journal_of_answers(artifact, desk.name), _terms(desk, artifact)
    with Journal.open(place) as journal:
        books = AnswerBooks(desk, Meter(journal, desk.name, terms, step=Step.INFERENCE))
        try:
            yield
        finally:
            books.close()


def journal_of_answers(artifact: Path, name: str) -> Path:
    """The journal of the project that an artifact belongs to.

    Args:
        artifact: ``NAME.payoff``, where it was saved or in a run's folder.
        name: Of the artifact.

    Example:
        >>> journal_of_answers(Path("support/support.payoff"), "support").as_posix()
        'support/support.journal.db'
    """
    home = _home(artifact)
    return artifact.with_suffix(".journal.db") if home is None else home / f"{name}.journal.db"


def _home(artifact: Path) -> Path | None:
    """The folder around a run that an artifact lies in; None where it lies in none."""
    run = artifact.absolute().parent
    in_run = run.parent.name == _RUNS and (run / _SUMMARY).is_file()
    return run.parent.parent if in_run else None


def _terms(desk: Desk, artifact: Path) -> SpendingTerms:
    """What the project states of spending: today's file where there is one."""
    from payoff.learn.serving_hours import stated_spending
    from payoff.plan.project import Project

    stated = (_home(artifact) or artifact.absolute().parent) / _PROJECT
    if stated.is_file():
        project = Project.read(stated)
        if project.name == desk.name:
            return project.spending
    return stated_spending(desk)
