"""What ``payoff tune --trials`` prints of a sweep."""

from __future__ import annotations

from typing import TYPE_CHECKING

from payoff.cli.terminal import Terminal

if TYPE_CHECKING:
    from payoff.plan.tuning.sweep import Sweep, Swept


def show_sweep(terminal: Terminal, found: Sweep) -> None:
    """All trials, and what was decided."""
    columns = ("trial", "log loss", "accuracy", "seconds", "settings", "")
    terminal.table(columns, [_row(one, found) for one in found.tried], right=columns[:4])
    terminal.line(found.sentence, style="bold")
    terminal.line()


def _row(one: Swept, found: Sweep) -> tuple[str, ...]:
    usual = dict(found.tried[0].candidate.settings)
    changed = [f"{k}={v}" for k, v in one.candidate.settings if usual.get(k) != v]
    why = one.why.splitlines()[0] if one.why else ""
    chosen = "chosen" if one.candidate == found.best.candidate else ""
    return (
        str(one.number),
        "" if one.loss is None else f"{one.loss:.4f}",
        "" if one.accuracy is None else f"{one.accuracy:.1%}",
        f"{one.seconds:.1f}" if one.share else "",
        " ".join(changed) or "the usual ones",
        chosen or (f"{one.status}: {why}" if why else ""),
    )
