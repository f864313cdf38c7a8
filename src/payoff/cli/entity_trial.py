"""What ``payoff tune --task entities`` does and shows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from payoff.cli.source import Source
from payoff.cli.terminal import Terminal
from payoff.core.errors import ProjectError

if TYPE_CHECKING:
    from payoff.evidence.entities import EntityQuality, Matches
    from payoff.plan.tuning.tune_entities import EntityTrial

_COLUMNS = ("", "precision", "recall", "F1", "annotated")


def tune_for_entities(
    terminal: Terminal, source: Source, recipe: str, *, test: Path | None, **options: Any
) -> EntityTrial:
    """Train on annotated texts as the command line says.

    Raises:
        ProjectError: PF290 where the path is a project: entities are no column of a table.
    """
    from payoff.data.annotations import Annotated
    from payoff.plan.tuning.tune_entities import tune_entities

    if source.is_project or source.text or source.label:
        raise ProjectError(
            "PF290",
            str(source.path),
            "entities lie within texts, not in a column",
            expected="a file of JSON lines with text and entities, or of a token and a tag a line",
            mend="Name that file, without --text and --label.",
        )
    return tune_entities(
        Annotated.read(source.path),
        recipe,
        test=None if test is None else Annotated.read(test),
        progress=terminal,
        **options,
    )


def show_entities(terminal: Terminal, trial: EntityTrial) -> None:
    """Exact matches by label, a dictionary's beside them, and where the files are."""
    terminal.line(f"{trial.candidate.name}, entities", style="bold")
    judged = trial.test or trial.validation
    rows = [_row(label, matches) for label, matches in judged.by_label.items()]
    rows.append(_row("all", judged.strict))
    rows.append(_row("a dictionary", trial.baseline.strict))
    name = "validation" if trial.test is None else "test"
    terminal.table((f"{judged.n_texts:,} {name} texts", *_COLUMNS[1:]), rows, right=_COLUMNS[1:])
    terminal.line(_interval(judged))
    share = "" if trial.trained_share is None else f"{trial.trained_share:.2%} of the weights, "
    terminal.line(
        f"trained   {share}{trial.n_train:,} texts, {trial.training_s:.1f} s on this machine"
    )
    terminal.line(
        f"served    {trial.latency.p50_ms:.1f} ms (p95 {trial.latency.p95_ms:.1f}), "
        f"{trial.footprint.artifact_bytes / 1e6:.1f} MB"
    )
    terminal.line(f"files     {trial.folder}")
    if trial.test is None:
        terminal.line("The test texts were not looked at; --report measures on them.")


def _row(name: str, matches: Matches) -> tuple[str, ...]:
    figures = (matches.precision, matches.recall, matches.f1)
    return (name, *(f"{figure:.1%}" for figure in figures), f"{matches.n_true:,}")


def _interval(judged: EntityQuality) -> str:
    low, high = judged.f1_interval
    return (
        f"F1        {low:.1%} to {high:.1%} nine times in ten; "
        f"{judged.overlapping_f1:.1%} where an overlap is enough"
    )
