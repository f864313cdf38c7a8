"""The books of a verb that spends: opened beside the artifact, closed when it ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from payoff.cli.source import PROJECT_FILE, Source
from payoff.cli.terminal import Terminal
from payoff.core.errors import ProjectError, ServiceError, did_you_mean

if TYPE_CHECKING:
    from payoff.learn.journal import Journal
    from payoff.learn.meter import Meter
    from payoff.learn.spending import SpendingTerms


_SQLITE = b"SQLite format 3\0"
"""How every file of SQLite begins, also one without a table."""


def journal_of(folder: Path, name: str) -> Path:
    """Where a run and a service of a name keep their books: beside the artifact.

    Example:
        >>> journal_of(Path("support"), "support").as_posix()
        'support/support.journal.db'
    """
    return folder / f"{name}.journal.db"


def existing_journal(where: str) -> str:
    """The same file or URL.

    Raises:
        ProjectError: PF293 where there is no such file, or it is another: opening it would make an
            empty journal.
    """
    if "://" in where:
        return where
    place = Path(where)
    if not place.is_file():
        raise ProjectError("PF293", where, "there is no such journal", mend="Check the path.")
    with place.open("rb") as file:
        if file.read(len(_SQLITE)) != _SQLITE:
            raise ProjectError(
                "PF293",
                where,
                "it is no journal",
                expected="an SQLite file, as NAME.journal.db beside an artifact",
                mend="Check the path.",
            )
    return where


def meant_model(book: Journal, model: str | None) -> str:
    """The model of a journal that is meant.

    Raises:
        ServiceError: PF711 where there is none of that name, or none is named and there are
            several, or none.
    """
    from payoff.learn.versions import models_with_versions

    names = models_with_versions(book)
    if model in names:
        return str(model)
    if model is None and len(names) == 1:
        return names[0]
    found = "several have versions" if model is None else f"nothing is noted of '{model[:100]}'"
    raise ServiceError(
        "PF711",
        "--model",
        found if names else "nothing was made, served or released yet",
        expected=" or ".join(names),
        mend=did_you_mean(model or "", names) or "Name one: --model NAME.",
    )


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
def metered_source(source: Source, terminal: Terminal) -> Iterator[Meter]:
    """The same for what a verb was given: every training is booked, and asks the budget.

    A data file belongs to the project whose ``payoff.toml`` lies beside it. Where none does, nobody
    stated a price or a budget: hours are booked without money, where `payoff run` of the same file
    books them too.

    Raises:
        DataError: PF101 where there is no such data file.
        ProjectError: PF201 to PF203 where something in that file is wrong.
        ServiceError: PF703 to PF706 where the journal cannot be used.
    """
    from payoff.learn.spending import SpendingTerms

    beside = source.path.parent / PROJECT_FILE
    if not source.is_project and not beside.is_file():
        source.check_path()  # no books of a file that is not there
        with metered(Path(), source.path.stem, SpendingTerms(currency="USD")) as meter:
            yield meter
        return
    project = (source if source.is_project else Source(beside)).project()
    if not source.is_project:
        terminal.say(f"costs are booked for the project '{project.name}', as {beside} says")
    with metered(project.folder, project.name, project.spending) as meter:
        yield meter
