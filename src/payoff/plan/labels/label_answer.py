"""Label answer: what a run says of the worth of labels, under its terms or under changed ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from payoff.core.findings import Finding
from payoff.core.money import Money
from payoff.economics.labels.label_crossing import LabelCrossing
from payoff.economics.labels.label_curve import LabelCurve, Subsets, fit_together
from payoff.economics.labels.label_worth import LabelWorth
from payoff.economics.labels.power_law import N_CURVES
from payoff.economics.worlds import Worlds
from payoff.plan.judging import Judge
from payoff.plan.labels.label_evidence import LabelEvidence, Studied
from payoff.plan.terms import Terms

_STREAM: Final = 31
_BLOCK: Final = 250


@dataclass(frozen=True, eq=False)
class LabelAnswer:
    """The worth of labels, and where few-shot gives way to fine-tuning.

    Args:
        worth: Of more labels, for the chosen model.
        chosen: Name of the chosen candidate.
        cheap: Name of the cheap one that was measured beside it; empty where none was.
        crossing: Where the chosen one overtakes it; None where both were not measured.

    Example:
        >>> LabelAnswer.of(evidence, terms, judge, worlds).worth.sentence  # doctest: +SKIP
        'Buy 1,200 more labels at 0.08 USD each: …'
    """

    worth: LabelWorth
    chosen: str
    cheap: str = ""
    crossing: LabelCrossing | None = None

    @classmethod
    def of(cls, evidence: LabelEvidence, terms: Terms, judge: Judge, worlds: Worlds) -> LabelAnswer:
        """Reckon what was measured under these terms.

        Args:
            evidence: What was measured.
            terms: Value, traffic, price of a label.
            judge: Of the validation rows.
            worlds: Whose traffic counts.
        """
        curves = _curves(evidence, terms, judge)
        price = terms.label_price
        worth = LabelWorth(
            _own(evidence, curves, judge),
            worlds.requests.sum(axis=1),
            terms.currency,
            evidence.n_now,
            None if price is None else Money.of(price, terms.currency),
        )
        others = [one.name for one in evidence.studied if one.name != evidence.chosen]
        if len(curves) < 2:
            return cls(worth, evidence.chosen, others[0] if others else "")
        crossing = LabelCrossing.of(curves[others[0]], curves[evidence.chosen])
        return cls(worth, evidence.chosen, others[0], crossing)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Whether the worth of a label can be told."""
        return (self.worth.finding,)

    @property
    def crossing_sentence(self) -> str:
        """When to change from the cheap recipe to the chosen one; empty where not measured."""
        found = self.crossing
        if found is None:
            return ""
        if found.labels is None:
            told = found.doubt
            return f"From when {self.chosen} earns more than {self.cheap} cannot be told: {told}."
        return (
            f"{self.chosen} earns more than {self.cheap} from about {found.labels:,} labels on "
            f"(5 to 95 %: {found.low:,} to {found.high:,})."
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, and for the report under ``labels``."""
        return self.worth.as_dict() | {
            "candidate": self.chosen,
            "cheap": self.cheap,
            "crossing": None if self.crossing is None else self.crossing.as_dict(),
            "crossing_sentence": self.crossing_sentence,
        }


def _curves(evidence: LabelEvidence, terms: Terms, judge: Judge) -> dict[str, LabelCurve]:
    """The curve of each candidate that was measured."""
    if not evidence.studied:
        return {}

    def worths(probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
        held = judge.held(probabilities, most_handed=terms.most_handed)
        return held.scored(probabilities).worths

    def subsets(one: Studied) -> Subsets:
        whole = worths(one.whole)
        drawn = [[*(worths(part) for part in draw), whole] for draw in one.below]
        return Subsets(one.sizes, np.array(drawn), int(one.sizes[-1]))

    fitted = fit_together(
        [subsets(one) for one in evidence.studied],
        ceiling=_ceiling(judge),
        seed=judge.seed,
    )
    return {one.name: curve for one, curve in zip(evidence.studied, fitted, strict=True)}


def _ceiling(judge: Judge) -> float:
    """Worth of a request if every answer were right, weighted as the worths are."""
    perfect = np.eye(len(judge.policy.labels))[judge.truth]
    return judge.scored(perfect).value


def _own(evidence: LabelEvidence, curves: dict[str, LabelCurve], judge: Judge) -> LabelCurve:
    """The curve of the choice: its own, or that of another with the room that the choice leaves."""
    if evidence.chosen in curves:
        return curves[evidence.chosen]
    if not evidence.studied:
        return LabelCurve.untold(evidence.reason)
    proxy = evidence.studied[0]
    curve = curves[proxy.name]
    if curve.doubt:
        return curve
    ceiling = _ceiling(judge)
    rooms = [ceiling - judge.scored(p).worths for p in (evidence.served, proxy.whole)]
    ratio = _ratio(*rooms, seed=judge.seed)
    if ratio is None:
        return replace(curve, doubt=f"{proxy.name} leaves nothing to gain")
    basis = (
        f"{evidence.chosen} was not trained on fewer labels: {proxy.name} was, and what is left to "
        f"gain is taken as {ratio.mean():.2f} times as much at every number of labels"
    )
    return curve.with_room(ceiling, ratio, basis)


def _ratio(
    own: NDArray[np.float64], other: NDArray[np.float64], *, seed: int
) -> NDArray[np.float64] | None:
    """Mean of one over the mean of another, row weights drawn anew for each curve (Rubin 1981)."""
    rng = np.random.default_rng([seed, _STREAM])
    means = np.concatenate(
        [
            rng.standard_exponential((_BLOCK, len(own))) @ np.stack([own, other], axis=1)
            for _ in range(0, N_CURVES, _BLOCK)
        ]
    )
    if (means[:, 1] <= 0).any():
        return None
    return np.asarray(np.maximum(means[:, 0] / means[:, 1], 0.0))
