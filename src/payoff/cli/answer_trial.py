"""What ``payoff tune --task answers`` does and shows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from payoff.cli.source import Source
from payoff.cli.terminal import Terminal
from payoff.core.errors import AdaptError

if TYPE_CHECKING:
    from payoff.evidence.answers import AnswerQuality
    from payoff.plan.tuning.answers import AnswerTrial

_RECIPE = "lora"
_BACKBONE = "smollm2-135m"


def tune_for_answers(
    terminal: Terminal,
    source: Source,
    recipe: str,
    *,
    backbone: str,
    test: Path | None,
    **options: Any,
) -> AnswerTrial:
    """Teach a decoder to answer as the command line says.

    Raises:
        AdaptError: PF405 for another recipe than LoRA.
    """
    from payoff.plan.tuning.answers import tune_answers

    if recipe != _RECIPE:
        raise AdaptError(
            "PF405",
            f"recipe '{recipe}'",
            "answers are not learnt by it",
            expected=_RECIPE,
            mend=f"Say: --recipe {_RECIPE}",
        )
    return tune_answers(
        source.dataset(),
        backbone=backbone or _BACKBONE,
        test=source.beside(test).dataset() if test else source.test_set(),
        progress=terminal,
        **options,
    )


def show_answers(terminal: Terminal, trial: AnswerTrial) -> None:
    """The tuned model beside itself before, a few answers, and where the files are."""
    terminal.line(f"{_RECIPE} {trial.backbone}, answers", style="bold")
    judged = [("validation", trial.validation), ("  before", trial.untuned)]
    if trial.report is not None and trial.untuned_report is not None:
        judged += [("test", trial.report), ("  before", trial.untuned_report)]
    columns = ("rows", "n", "exact", "ROUGE-1", "ROUGE-L")
    terminal.table(columns, [_row(name, quality) for name, quality in judged], right=columns[1:])
    for question, wanted, said in trial.examples[:3]:
        terminal.line(f"asked     {question}")
        terminal.line(f"wanted    {wanted}")
        terminal.line(f"said      {said}")
    terminal.line(
        f"trained   {trial.trained_share:.2%} of the weights, {trial.n_train:,} rows, "
        f"{trial.training_s:.1f} s on this machine"
    )
    terminal.line(f"files     {trial.folder}")
    if trial.report is None:
        terminal.line("The test rows were not looked at; --report measures on them.")


def _row(name: str, quality: AnswerQuality) -> tuple[str, ...]:
    shares = (quality.exact_match, quality.rouge_1, quality.rouge_l)
    return (name, f"{quality.n:,}", *(f"{share:.1%}" for share in shares))
