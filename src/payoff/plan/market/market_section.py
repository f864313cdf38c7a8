"""The market of a run: its test rows by segment, what each earns, and where they lie on a map."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from payoff.core.errors import DataError
from payoff.data.dataset import Dataset
from payoff.data.segments.segmentation import Segmentation
from payoff.economics.decided import Decided
from payoff.economics.market.segment_terms import SegmentTerms
from payoff.economics.market.segments import Market, entry_sentence
from payoff.economics.worlds import Worlds
from payoff.plan.cascades.cascade_option import CascadeOption
from payoff.plan.comparison import Comparison
from payoff.plan.market.measured_service import fixed_per_month
from payoff.plan.options import Workshop
from payoff.plan.parts import known_rows
from payoff.plan.report.charts.segment_map import map_of
from payoff.plan.report.figures import compact

_MOST_ROWS: Final = 4000


def market_section(comparison: Comparison, workshop: Workshop) -> dict[str, Any]:
    """What the report tells of segments: by their column, or else by clusters of the texts.

    Args:
        comparison: What was found on the test rows; the chosen plan decides them.
        workshop: What made it.

    Returns:
        ``of`` (what the segments are), ``sentence``, ``market`` (as `Market.as_dict`), ``shares``
        by name and ``map``; or ``why`` there are none.
    """
    rows = known_rows(comparison.cut.test, comparison.parts.labels)[0]
    shown = _some(len(rows), workshop.bench.seed)
    try:
        segmentation = _segmentation(rows.take(shown.tolist()), workshop.bench.seed)
    except DataError as error:
        return {"why": error.found}
    market = _market(comparison, workshop, segmentation, shown)
    profits = {one.name: one.profit for one in market.segments}
    named = [
        {
            "name": segment.name,
            "note": f"{segment.share:.0%}, {compact(float(profits[segment.name].mean))}"
            f" {workshop.terms.currency}",
        }
        for segment in segmentation.segments
    ]
    return {
        "of": segmentation.how,
        "sentence": entry_sentence(market),
        "market": market.as_dict(),
        "shares": {segment.name: segment.share for segment in segmentation.segments},
        "map": map_of(segmentation.plane, segmentation.codes, named),
    }


def _some(n: int, seed: int) -> NDArray[np.int64]:
    """All rows, or a sample of as many as a map and clusters need."""
    if n <= _MOST_ROWS:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, _MOST_ROWS, replace=False))


def _segmentation(rows: Dataset, seed: int) -> Segmentation:
    if rows.segment is not None:
        return Segmentation.by_column(rows, rows.segment)
    return Segmentation.by_clusters(rows, seed=seed)


def _market(
    comparison: Comparison,
    workshop: Workshop,
    segmentation: Segmentation,
    shown: NDArray[np.int64],
) -> Market:
    """What the chosen plan earns in each segment, by what it did with its test rows."""
    terms, chosen, parts = workshop.terms, comparison.chosen, comparison.parts
    policy, truth = chosen.option.policy, parts.test_targets[shown]
    actions = chosen.actions[shown]
    segments = None if parts.test_segments is None else parts.test_segments[shown]
    asked = _asked(comparison)
    worths = policy.realised(truth, actions, segments)
    decided = Decided(
        worths if asked is None else worths - asked[shown],
        actions == truth,
        actions == len(policy.labels),
        None if asked is None else asked[shown],
    )
    codes, names = segmentation.codes, segmentation.names
    weights = None
    if policy.prior_shift is not None:
        weights = policy.prior_shift[truth] / policy.prior_shift[truth].mean()
    person = terms.payoff.person
    steps = [(step.name, float(step.amount)) for step in chosen.forecast.waterfall]
    return Market.of(
        codes,
        [SegmentTerms(name) for name in names],
        Worlds.draw(
            codes,
            len(names),
            terms.traffic,
            months=terms.horizon_months,
            seed=workshop.bench.seed,
        ),
        terms.currency,
        decided=decided,
        person_each=0.0 if person is None else person.cost_each,
        service_per_month=fixed_per_month(steps, asked_apart=asked is not None),
        weights=weights,
    )


def _asked(comparison: Comparison) -> NDArray[np.float64] | None:
    """What an API among the tiers of a cascade costs for each test row; None without one."""
    option = comparison.chosen.option
    if not isinstance(option, CascadeOption) or comparison.answered is None:
        return None
    costs = option.plan.cascade.policy.costs
    paid = [
        cost if tier.tokens is not None else 0.0
        for tier, cost in zip(option.plan.tiers, costs, strict=True)
    ]
    asked: NDArray[np.float64] = np.cumsum(paid)[comparison.answered.tiers]
    return asked
