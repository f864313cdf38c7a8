"""``payoff versions``: which version of a model serves, and going back to an earlier one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from payoff.cli.books import existing_journal, meant_model
from payoff.cli.listing import Listing
from payoff.cli.terminal import Terminal, with_terminal
from payoff.core.errors import ServiceError
from payoff.core.money import format_money

if TYPE_CHECKING:
    from payoff.learn.journal import Journal
    from payoff.learn.version_rows import VersionRow
    from payoff.learn.versions import VersionEvent

_SHORTEST = 6
_journal = click.option(
    "--journal", metavar="FILE|URL", required=True, help="The service's journal."
)
_model = click.option(
    "--model", metavar="NAME", help="Whose versions. [default: the only one there is]"
)
_why = click.option("--why", default="", help="Noted with it.")
_elsewhere = click.option(
    "--elsewhere",
    is_flag=True,
    help="The artifact lies on another machine: do not look whether it is there.",
)


@click.group(cls=Listing)
def command() -> None:
    """List the versions of a model, release one, or go back to the one before.

    Every service that writes the same journal follows within ten seconds, without a lost request.
    """


@command.command("list")
@_journal
@_model
@with_terminal
def list_versions(terminal: Terminal, *, journal: str, model: str | None) -> None:
    """List what was made, released and withdrawn, the newest first."""
    from payoff.learn.journal import Journal
    from payoff.learn.version_rows import version_rows
    from payoff.learn.versions import history, models_with_versions

    with Journal.open(existing_journal(journal)) as book:
        names = models_with_versions(book) if model is None else [meant_model(book, model)]
        found = {name: version_rows(history(book, name)) for name in names}
    content = {name: [one.as_dict() for one in rows] for name, rows in found.items()}

    def people() -> None:
        if not found:
            terminal.line("Nothing was made, served or released yet.")
        for name, rows in found.items():
            _show(terminal, name, rows)

    terminal.show({"models": content}, people)


@command.command("release")
@click.argument("version", metavar="FILE|SHA256")
@_journal
@_model
@_why
@_elsewhere
@with_terminal
def release_version(
    terminal: Terminal, *, version: str, journal: str, model: str | None, why: str, elsewhere: bool
) -> None:
    """Let a version serve from now on: an artifact's file, or the SHA-256 of one that was noted.

    A service that cannot open it goes on with what it serves, and says so at /v1/models.
    """
    from payoff.learn.journal import Journal
    from payoff.learn.versions import PLACE, history, release

    with Journal.open(existing_journal(journal)) as book:
        path = Path(version)
        facts: dict[str, Any] = {"by": "payoff versions"} | ({"why": why} if why else {})
        if path.exists():
            own, sha256 = _opened(path)
            name = _meant(book, model, own)
            facts[PLACE] = str(path.resolve())
        else:
            name = meant_model(book, model)
            events = history(book, name)
            sha256 = _noted(events, version, name)
            if not elsewhere:
                _check(sha256, events, journal)
        done = release(book, name, sha256, facts)
    _tell(terminal, name, done)


@command.command("rollback")
@_journal
@_model
@_why
@_elsewhere
@with_terminal
def rollback_version(
    terminal: Terminal, *, journal: str, model: str | None, why: str, elsewhere: bool
) -> None:
    """Withdraw the version that is released; the one before it serves again."""
    from payoff.learn.journal import Journal
    from payoff.learn.versions import history, last_two, roll_back, standing_releases

    with Journal.open(existing_journal(journal)) as book:
        name = meant_model(book, model)
        events = history(book, name)
        now, before = last_two(standing_releases(events), name)
        if not elsewhere:
            _check(before.artifact_sha256, events, journal)
        facts = {"by": "payoff versions"} | ({"why": why} if why else {})
        done = roll_back(book, name, facts, withdrawing=now.artifact_sha256)
    _tell(terminal, name, done)


def _meant(book: Journal, model: str | None, own: str) -> str:
    """The model that a file is to be a version of: the one that is named, or its own name.

    Raises:
        ServiceError: PF711 where others are served under this journal, and none of that name.
    """
    from payoff.learn.versions import models_with_versions

    wanted = own if model is None else model
    return meant_model(book, wanted) if models_with_versions(book) else wanted


def _opened(path: Path) -> tuple[str, str]:
    """Name and SHA-256 of an artifact, every byte of it checked."""
    from payoff.artifact.artifact import Artifact

    with Artifact.open(path) as artifact:
        return artifact.name, artifact.sha256


def _noted(events: Sequence[VersionEvent], version: str, model: str) -> str:
    """The SHA-256 that is meant, in full.

    Raises:
        ServiceError: PF787 where nothing, or more than one, was noted that begins like this.
    """
    known = list(dict.fromkeys(one.artifact_sha256 for one in events))
    found = [one for one in known if len(version) >= _SHORTEST and one.startswith(version)]
    if len(found) == 1:
        return found[0]
    raise ServiceError(
        "PF787",
        f"versions of '{model}'",
        f"'{version[:100]}' is no file, and {len(found)} versions begin like this",
        expected=", ".join(one[:12] for one in known[:10]),
    )


def _check(sha256: str, events: Sequence[VersionEvent], journal: str) -> None:
    """Make sure that a version can be had again, before anything is noted.

    Raises:
        ServiceError: PF785 where it cannot.
        ArtifactError: PF502 where it was altered, PF508 where no trusted key has signed it.
    """
    from payoff.learn.versions import place_in
    from payoff.learn.whereabouts import located

    beside = [] if "://" in journal else [Path(journal).resolve().parent]
    _opened(located(sha256, place_in(events, sha256), beside))


def _tell(terminal: Terminal, model: str, done: VersionEvent) -> None:
    content = {
        "model": model,
        "released": done.artifact_sha256,
        "released_utc": done.time_utc,
        "facts": dict(done.facts),
    }

    def people() -> None:
        terminal.line(f"{model}: version {done.artifact_sha256[:12]} is released.")
        terminal.line("Services that write this journal follow within ten seconds.")

    terminal.show(content, people)


def _show(terminal: Terminal, model: str, rows: Sequence[VersionRow]) -> None:
    columns = ("version", "", "state", "made", "released", "accuracy", "gain a month", "why")
    terminal.table(
        columns,
        [
            (
                one.artifact_sha256[:12],
                "" if one.number is None else str(one.number),
                one.state,
                one.made_utc[:10],
                one.released_utc[:16].replace("T", " "),
                "" if one.accuracy is None else f"{one.accuracy:.1%}",
                "" if one.gain_month is None else format_money(one.gain_month, one.currency),
                one.why,
            )
            for one in rows
        ],
        title=model,
        right=("accuracy", "gain a month"),
    )
