"""The books of a verb that spends: opened beside the artifact, closed when it ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from payoff.learn.meter import Meter
    from payoff.learn.spending import SpendingTerms
    from payoff.plan.project import Project


def journal_of(folder: Path, name: str) -> Path:
    """Where a run and a service of a name keep their books: beside the artifact.

    Example:
        >>> journal_of(Path("support"), "support").as_posix()
        'support/support.journal.db'
    """
    return folder / f"{name}.journal.db"


@contextmanager
def metered(folder: Path, name: str, terms: SpendingTerms) -> Iterator[Meter]:
    """A meter whose bookings go to the journal of a name.

    Raises:
        ServiceError: PF703 to PF706 where the journal cannot be used.
    """
    from payoff.learn.journal import Journal
    from payoff.learn.meter import Meter

    with Journal.open(journal_of(folder, name)) as journal:
        meter = Meter(journal, name, terms)
        try:
            yield meter
        finally:
            meter.release()


@contextmanager
def metered_project(project: Project | None) -> Iterator[Meter | None]:
    """The same for a project; None where there is none, since nothing is then said of money."""
    if project is None:
        yield None
        return
    with metered(project.folder, project.name, project.spending) as meter:
        yield meter
