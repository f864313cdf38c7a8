"""``payoff run``: from labelled texts to the plan that earns most, with its report and artifact."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from payoff.cli.books import metered
from payoff.cli.plans import show_accounts, show_plans
from payoff.cli.source import Source, source_options
from payoff.cli.terminal import Terminal, with_terminal
from payoff.cli.tracking import told, track_option, tracked
from payoff.core.errors import ProjectError
from payoff.core.money import Money

if TYPE_CHECKING:
    from payoff.plan.plan import Plan
    from payoff.plan.terms import Terms


@click.command()
@source_options
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), help="Time budget.")
@click.option("--seed", type=int, help="Seed of everything random.")
@click.option("--recipe", "recipes", multiple=True, help="Try only this recipe; may be repeated.")
@click.option("--backbone", "backbones", multiple=True, help="Try only this backbone; repeatable.")
@click.option("--correct", type=float, help="Worth of a right answer (a data file needs it).")
@click.option("--wrong", type=float, help="Worth of a wrong answer (a data file needs it).")
@click.option("--handoff", type=float, help="Worth of handing over (a data file needs it).")
@click.option("--currency", help="Currency of the three, such as USD (a data file needs it).")
@click.option("--per-month", type=float, help="Requests a month (a data file needs it).")
@click.option("--test", type=click.Path(path_type=Path), help="Rows to report on, in a file apart.")
@click.option("--unlabelled", type=click.Path(path_type=Path), help="More texts, without labels.")
@click.option("--descriptions", type=click.Path(path_type=Path), help="What labels mean (a table).")
@track_option
@click.option("--out", type=click.Path(path_type=Path), help="Where the artifact goes.")
@with_terminal
def command(
    terminal: Terminal,
    *,
    source: Source,
    minutes: float | None,
    seed: int | None,
    recipes: tuple[str, ...],
    backbones: tuple[str, ...],
    out: Path | None,
    test: Path | None,
    unlabelled: Path | None,
    descriptions: Path | None,
    track: str,
    **stated: Any,
) -> None:
    """Find the plan that earns most, and write its artifact and report.

    PATH is a project folder with a payoff.toml, or a data file with --text and --label. A run that
    was stopped goes on where it was when the same command is given again.
    """
    from payoff.learn.spending import SpendingTerms
    from payoff.plan.search import search

    options: dict[str, Any] = {"only": recipes, "backbones": backbones}
    if source.is_project:
        _refuse(stated, source)
        project = source.project()
        terms, home, name = project.terms, project.folder, project.name
        spending = project.spending
        options |= {"minutes": project.minutes, "seed": project.seed, "project": project.text}
        options["backbones"] = backbones or project.backbones
        options |= {"unlabelled": project.unlabelled(), "descriptions": project.descriptions}
        kept = project.test_set()
    else:
        terms, home, name = _terms(stated, source), Path(), source.path.stem
        spending = SpendingTerms(currency=terms.currency)
        kept = None
    if test is not None:
        kept = source.beside(test).dataset()
    if unlabelled is not None:
        options["unlabelled"] = source.texts_beside(unlabelled)
    if descriptions is not None:
        options["descriptions"] = source.descriptions_beside(descriptions)
    options |= {k: v for k, v in (("minutes", minutes), ("seed", seed)) if v is not None}
    dataset, runs = source.dataset(), home / "runs"
    with (
        tracked(terminal, track, runs, dataset) as listener,
        metered(home, name, spending) as meter,
    ):
        if terms.label_price is not None:
            price = Money.of(terms.label_price, terms.currency)
            meter.book_labels(zip(dataset.texts, dataset.targets, strict=True), price)
        plan = search(
            dataset,
            terms.payoff,
            traffic=terms.traffic,
            terms=terms,
            test=kept,
            name=name,
            runs=runs,
            progress=listener,
            meter=meter,
            **options,
        )
    artifact = plan.save(out or home / f"{name}.payoff")
    _tell(terminal, plan, artifact, told(listener))


def _refuse(stated: dict[str, Any], source: Source) -> None:
    given = [name for name, value in stated.items() if value is not None]
    if given:
        raise ProjectError(
            "PF290",
            str(source.path),
            f"a project states its value and traffic in payoff.toml, and --{given[0]} was given",
            mend="Change payoff.toml, or give the data file instead of the folder.",
        )


def _terms(stated: dict[str, Any], source: Source) -> Terms:
    from payoff.economics.payoff import Payoff
    from payoff.economics.traffic import Traffic
    from payoff.plan.terms import Terms

    missing = [f"--{name.replace('_', '-')}" for name, value in stated.items() if value is None]
    if missing:
        raise ProjectError(
            "PF290",
            str(source.path),
            f"a data file says nothing of money: {', '.join(missing)} missing",
            mend="Give them, or run `payoff init` and fill in payoff.toml.",
        )
    worth = Payoff(
        stated["correct"], stated["wrong"], stated["handoff"], currency=stated["currency"]
    )
    return Terms(worth, Traffic(stated["per_month"]))


def _tell(terminal: Terminal, plan: Plan, artifact: Path, more: dict[str, Any]) -> None:
    content = dict(plan.summary) | {"artifact": str(artifact), "report": str(plan.report)} | more

    def people() -> None:
        show_plans(terminal, plan.summary)
        terminal.line()
        terminal.line(plan.summary["decision"]["sentence"], style="bold")
        show_accounts(terminal, plan.summary["accounts"], plan.summary["currency"])
        terminal.line(f"artifact  {artifact}")
        terminal.line(f"report    {plan.report}")

    terminal.show(content, people)
