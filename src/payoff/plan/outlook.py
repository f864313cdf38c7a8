"""Outlook: what could be done in place of the chosen plan, and what would change the choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from payoff.core.errors import EconomicsError
from payoff.economics.baselines import Baseline
from payoff.economics.scenarios import Scenarios
from payoff.plan.changed_terms import changed_terms
from payoff.plan.kept import Kept
from payoff.plan.standing import Standing, plain
from payoff.plan.terms import Terms


@dataclass(frozen=True, eq=False)
class Outlook:
    """What a run tells beyond its own terms and its own plan.

    Args:
        stands: How its plans stand under its terms.
        scenarios: Building now or later, beside what can be done without building.
        changed: By what was changed, how the plans would stand, or why none could be chosen.

    Example:
        >>> Outlook.of(Kept.read(folder), terms).as_dict()["what_ifs"]  # doctest: +SKIP
    """

    stands: Standing
    scenarios: Scenarios
    changed: Mapping[str, Standing | EconomicsError]

    @classmethod
    def of(
        cls, kept: Kept, terms: Terms, *, baselines: Sequence[Baseline] = (), cascades: bool = False
    ) -> Outlook:
        """Reckon what was measured under the terms of the run, and with one of them changed.

        Args:
            kept: What was measured.
            terms: Those of the run.
            baselines: What can be done without a model, in the worlds of the test rows; reckoned
                here where there are none.
            cascades: Whether the chosen plan is a cascade: then cascades are looked for under
                every change, which takes longer than all else.

        Raises:
            EconomicsError: As `Standing.of` does under the terms of the run.
        """
        stands = Standing.of(kept, terms, cascades=cascades)
        if baselines:
            stands = replace(stands, baselines=tuple(baselines))
        changed: dict[str, Standing | EconomicsError] = {}
        for name, other in changed_terms(terms).items():
            try:
                changed[name] = Standing.of(kept, other, cascades=cascades)
            except EconomicsError as error:
                changed[name] = error
        return cls(stands, stands.scenarios(), changed)

    @property
    def sentence(self) -> str:
        """Which of the changes would change the choice, and what to do about that."""
        now = self.stands.recommended
        other: dict[str, list[str]] = {}
        for name, then in self.changed.items():
            chosen = then.recommended if isinstance(then, Standing) else ""
            if chosen != now:
                other.setdefault(chosen, []).append(f"“{name}”")
        if not other:
            return f"Keep to “{now}”: none of these changes alone would change the choice."
        told = "; ".join(
            f"{' or '.join(names)} would {f'make it “{then}”' if then else 'leave no plan'}"
            for then, names in other.items()
        )
        return f"Make sure of this before you act, for the choice hangs on it: {told}."

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON: the sections ``scenarios`` and ``what_ifs`` of a summary."""
        rows = [_row("as stated", self.stands)]
        rows += [_row(name, then) for name, then in self.changed.items()]
        for row in rows:
            row["choice_changes"] = row["recommended"] != self.stands.recommended
        return {
            "scenarios": self.scenarios.as_dict(),
            "what_ifs": {"sentence": self.sentence, "rows": rows},
        }


def _row(name: str, then: Standing | EconomicsError) -> dict[str, Any]:
    if isinstance(then, EconomicsError):
        return {"change": name, "recommended": None, "profit_month": None, "why": str(then)}
    return {
        "change": name,
        "recommended": then.recommended,
        "profit_month": plain(then.best_profit),
        "why": "",
    }
