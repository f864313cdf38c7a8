"""One model for all segments or one each: decided by what both did on the same rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.economics.decided import Decided
from payoff.economics.market.segment_terms import SegmentTerms
from payoff.economics.market.segments import segment_shares
from payoff.economics.market.shrinkage import Shrinkage, drawn_means
from payoff.economics.uncertain_money import UncertainMoney
from payoff.economics.worlds import Worlds

NOT_MEASURED = "not measured"
SHARED, OWN = "shared", "own"


@dataclass(frozen=True, eq=False, slots=True)
class ModelChoice:
    """Whether a segment earns more with a model of its own.

    Args:
        segment: Its name.
        verdict: ``"shared"``, ``"own"`` or ``"not measured"``.
        gain: What its own model earns more a month, less what that model costs; None where only
            the shared one was measured.
    """

    segment: str
    verdict: str
    gain: UncertainMoney | None = None

    def as_dict(self) -> dict[str, Any]:
        """The same figures as plain values."""
        gain = None
        if self.gain is not None:
            low, high = self.gain.interval(0.9)
            gain = {"mean": float(self.gain.mean), "low": float(low), "high": float(high)}
        return {"segment": self.segment, "verdict": self.verdict, "gain_month": gain}


def choose_models(
    codes: NDArray[np.int64],
    terms: Sequence[SegmentTerms],
    worlds: Worlds,
    currency: str,
    *,
    shared: Decided,
    own: Mapping[str, Decided],
    sizes: NDArray[Any] | None = None,
    model_per_month: float = 0.0,
    weights: NDArray[np.float64] | None = None,
) -> tuple[ModelChoice, ...]:
    """Compare the shared model with each segment's own, on the segment's rows, row by row.

    Args:
        codes: Segment of each row, an index into ``terms``, shape ``(n,)``.
        terms: What is stated of each segment.
        worlds: Drawn with ``truth=codes``; the same for both models, so that they are paired.
        currency: Of the amounts.
        shared: What the shared model did on all rows.
        own: By segment, what its own model did on that segment's rows, in their order. A segment
            that is missing here is not judged: ``"not measured"``.
        sizes: Rows of each segment where more than those are known, as for `Market.of`.
        model_per_month: What one more model costs a month.
        weights: How much each row counts, as for `Market.of`.

    Example:
        >>> from payoff.economics.traffic import Traffic
        >>> codes = np.repeat([0, 1], 40)
        >>> worlds = Worlds.draw(codes, 2, Traffic(100, 100, 100), n_worlds=100, seed=0)
        >>> no = np.zeros(80, dtype=bool)
        >>> shared = Decided(np.ones(80), ~no, no)
        >>> better = Decided(np.full(40, 3.0), ~no[:40], no[:40])
        >>> terms = [SegmentTerms("shops"), SegmentTerms("clinics")]
        >>> found = choose_models(codes, terms, worlds, "EUR", shared=shared,
        ...                       own={"shops": better})
        >>> [(one.segment, one.verdict) for one in found]
        [('shops', 'own'), ('clinics', 'not measured')]
    """
    k = len(terms)
    measured = [s for s in range(k) if terms[s].segment in own]
    gains = np.zeros(len(codes))
    for s in measured:
        rows = codes == s
        gains[rows] = own[terms[s].segment].values - shared.values[rows]
    drawn = drawn_means(gains, codes, worlds, weights)
    if measured:
        among = np.isin(codes, measured)
        place = np.searchsorted(measured, codes[among])
        counted = None if weights is None else weights[among]
        shrinkage = Shrinkage.between(gains[among], place, len(measured), counted)
        drawn[measured] = shrinkage.draws(drawn[measured], seed=worlds.seed)
    shares = segment_shares(worlds, sizes)
    requests = worlds.requests.mean(axis=1)
    found = []
    for s, one in enumerate(terms):
        if s not in measured:
            found.append(ModelChoice(one.segment, NOT_MEASURED))
            continue
        month = requests * shares[s] * one.won * drawn[s] - model_per_month
        verdict = OWN if month.mean() > 0 else SHARED
        found.append(ModelChoice(one.segment, verdict, UncertainMoney(month, currency)))
    return tuple(found)
