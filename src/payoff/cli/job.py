"""A job from the command line: a project's, or a data file's with its money as options."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from payoff.cli.books import metered
from payoff.cli.ranges import SEED, Finite
from payoff.cli.source import Source, say_notes, source_options
from payoff.cli.terminal import Terminal
from payoff.cli.tracking import tracked
from payoff.core.errors import MachineError, ProjectError
from payoff.core.money import Money

if TYPE_CHECKING:
    from payoff.learn.meter import Meter
    from payoff.plan.job import Job
    from payoff.plan.terms import Terms

_MONEY = (
    ("correct", float, "Worth of a right answer (a data file needs it)."),
    ("wrong", float, "Worth of a wrong answer (a data file needs it)."),
    ("handoff", float, "Worth of handing over (a data file needs it)."),
    ("currency", str, "Currency of the three, such as USD (a data file needs it)."),
    ("per_month", float, "Requests a month (a data file needs it)."),
)
_FILES = (
    ("test", "Rows to report on, in a file apart."),
    ("unlabelled", "More texts, without labels."),
    ("descriptions", "What labels mean (a table)."),
)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the options of a job say; None for what was not given."""

    minutes: float | None
    seed: int | None
    backbones: tuple[str, ...]
    test: Path | None
    unlabelled: Path | None
    descriptions: Path | None
    money: dict[str, Any]


def job_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb the options of a job; it gets them as ``source`` and ``asked``."""

    def gathered(*args: Any, **given: Any) -> Any:
        money = {name: given.pop(name) for name, _, _ in _MONEY}
        names = ("minutes", "seed", "backbones", *(name for name, _ in _FILES))
        asked = Asked(money=money, **{name: given.pop(name) for name in names})
        return command(*args, asked=asked, **given)

    gathered.__name__, gathered.__doc__ = command.__name__, command.__doc__
    gathered.__dict__.update(command.__dict__)
    path = click.Path(path_type=Path)
    options = [
        click.option("--minutes", type=Finite(min=0, min_open=True), help="Time budget."),
        click.option("--seed", type=SEED, help="Seed of everything random."),
        click.option(
            "--backbone", "backbones", multiple=True, help="Try only this backbone; repeatable."
        ),
        *(
            click.option(f"--{name.replace('_', '-')}", type=kind, help=told)
            for name, kind, told in _MONEY
        ),
        *(click.option(f"--{name}", type=path, help=told) for name, told in _FILES),
    ]
    for option in reversed(options):
        gathered = option(gathered)
    return source_options(gathered)


@contextmanager
def job_of(source: Source, asked: Asked, terminal: Terminal, *, track: str = "") -> Iterator[Job]:
    """The job, with its books and a tracker open while the block lasts.

    Args:
        source: Rows.
        asked: What the options say.
        terminal: The verb's output.
        track: Name of a tracker, or nothing.

    Raises:
        ProjectError: PF290 where a project is given money, or a data file none.
    """
    from payoff.learn.spending import SpendingTerms
    from payoff.plan.job import Job

    options: dict[str, Any] = {"backbones": asked.backbones}
    if source.is_project:
        _refuse(asked.money, source)
        project = source.project()
        terms, home, name = project.terms, project.folder, project.name
        spending = project.spending
        options |= {"minutes": project.minutes, "seed": project.seed, "project": project.text}
        options["backbones"] = asked.backbones or project.backbones
        options |= {"unlabelled": project.unlabelled(), "descriptions": project.descriptions}
        options["test"] = project.test_set()
    else:
        terms, home, name = _terms(asked.money, source), Path(), source.path.stem
        spending = SpendingTerms(currency=terms.currency)
    if asked.test is not None:
        options["test"] = source.beside(asked.test).dataset()
    if asked.unlabelled is not None:
        options["unlabelled"] = source.texts_beside(asked.unlabelled)
    if asked.descriptions is not None:
        options["descriptions"] = source.descriptions_beside(asked.descriptions)
    told = (("minutes", asked.minutes), ("seed", asked.seed))
    options |= {name: value for name, value in told if value is not None}
    dataset = source.dataset()
    say_notes(terminal, dataset, options.get("test"))
    with (
        tracked(terminal, track, home / "runs", dataset) as listener,
        metered(home, name, spending) as meter,
    ):
        _book_labels(meter, terms, dataset)
        yield Job(
            dataset=dataset,
            terms=terms,
            name=name,
            runs=home / "runs",
            progress=listener,
            meter=meter,
            **options,
        )


def artifact_place(job: Job, out: Path | None, suffix: str = "") -> Path:
    """Where the artifact goes; where it cannot, that is told before the work and not after.

    Args:
        job: What is to be done.
        out: What was asked for; else it lies beside the runs, under the job's name.
        suffix: Of that name.

    Raises:
        MachineError: PF802 where a folder is in its place.
    """
    place = out or job.runs.parent / f"{job.name}{suffix}.payoff"
    if place.is_dir():
        raise MachineError(
            "PF802", str(place), "it is a folder", mend="Name a file: --out NAME.payoff"
        )
    return place


def _book_labels(meter: Meter, terms: Terms, dataset: Any) -> None:
    if terms.label_price is not None:
        price = Money.of(terms.label_price, terms.currency)
        meter.book_labels(zip(dataset.texts, dataset.targets, strict=True), price)


def _refuse(money: dict[str, Any], source: Source) -> None:
    given = [name for name, value in money.items() if value is not None]
    if given:
        raise ProjectError(
            "PF290",
            str(source.path),
            f"a project states its value and traffic in payoff.toml, and --{given[0]} was given",
            mend="Change payoff.toml, or give the data file instead of the folder.",
        )


def _terms(money: dict[str, Any], source: Source) -> Terms:
    from payoff.economics.payoff import Payoff
    from payoff.economics.traffic import Traffic
    from payoff.plan.terms import Terms

    missing = [f"--{name.replace('_', '-')}" for name, value in money.items() if value is None]
    if missing:
        raise ProjectError(
            "PF290",
            str(source.path),
            f"a data file says nothing of money: {', '.join(missing)} missing",
            mend="Give them, or run `payoff init` and fill in payoff.toml.",
        )
    worth = Payoff(money["correct"], money["wrong"], money["handoff"], currency=money["currency"])
    return Terms(worth, Traffic(money["per_month"]))
