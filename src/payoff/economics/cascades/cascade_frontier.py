"""Cascade frontier: what requests are worth against what asking models about them costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.economics.cascades.blend import Blends
from payoff.economics.cascades.cascade import Cascade, CascadeTier
from payoff.economics.policy import Policy
from payoff.economics.value_tables import Segments

_STEPS = 9


@dataclass(frozen=True, slots=True)
class CascadePoint:
    """One way to ask, measured on requests that it was not learnt from.

    Args:
        tiers: Names of the tiers.
        price_factor: How many times dearer than they are models were taken to be when it was
            learnt when to go on; 0 where all are asked about every request.
        cost: Mean cost of asking, at the prices that they have, money per request.
        worth: Mean worth of a request, before that cost.
        shares: Share of the requests that each tier answers.
        chosen: Whether it is the one that is deployed.
    """

    tiers: tuple[str, ...]
    price_factor: float
    cost: float
    worth: float
    shares: tuple[float, ...]
    chosen: bool

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self) | {"tiers": list(self.tiers), "shares": list(self.shares)}


def cascade_frontier(
    chosen: Cascade,
    tiers: Sequence[CascadeTier],
    policy: Policy,
    truth: NDArray[np.int64],
    *,
    row_weights: NDArray[np.float64] | None = None,
    segments: Segments | None = None,
    seed: int = 0,
) -> tuple[CascadePoint, ...]:
    """Every tier alone, and the chosen tiers at all of `price_factors`.

    The chosen point lies where `Cascade.valued` puts it. The other points of its tiers are as
    lucky as it takes for these tiers to be chosen.

    Args:
        chosen: What `best_cascade` chose among the tiers.
        tiers: What may be asked.
        policy: What is worth what.
        truth: Classes, ``(n,)``.
        row_weights: As it was chosen with.
        segments: As it was chosen with.
        seed: As it was chosen with.

    Returns:
        Points, the cheapest first; the chosen one, and those that are worth more than any
        cheaper one or are a tier alone.

    Example:
        >>> policy = Policy(("a", "b"), np.array([[3.0, -7.0, -4.0], [-7.0, 3.0, -4.0]]))
        >>> truth = np.tile([0, 0, 0, 1], 10)
        >>> words = np.tile([[0.9, 0.1], [0.9, 0.1], [0.5, 0.5], [0.5, 0.5]], (10, 1))
        >>> tiers = [CascadeTier("words", words, 0.0),
        ...          CascadeTier("encoder", np.eye(2)[truth], 0.1)]
        >>> cascade = Cascade.fit(tiers, policy, truth)
        >>> [(p.tiers, round(p.cost, 2), p.worth) for p in
        ...  cascade_frontier(cascade, tiers, policy, truth)]
        [(('words',), 0.0, 0.5), (('words', 'encoder'), 0.05, 3.0), (('encoder',), 0.1, 3.0)]
    """
    known = {tier.name: tier for tier in tiers}
    used = [known[name] for name in chosen.policy.tiers]
    shared: dict[str, Any] = {
        "row_weights": row_weights,
        "segments": segments,
        "blends": Blends(truth, policy.prior_shift, row_weights),
        "seed": seed,
    }
    points = [_point(chosen, chosen=True)]
    alone = [tier for tier in tiers if [tier] != used]
    points += [_point(Cascade.fit([tier], policy, truth, **shared)) for tier in alone]
    for factor in price_factors(used, policy):
        if factor != chosen.price_factor:
            points.append(_point(Cascade.fit(used, policy, truth, price_factor=factor, **shared)))
    points.sort(key=lambda point: (point.cost, -point.worth))
    kept: list[CascadePoint] = []
    for point in points:
        leads = all(point.worth > other.worth for other in kept)
        if leads or point.chosen or len(point.tiers) == 1:
            kept.append(point)
    return tuple(kept)


def price_factors(tiers: Sequence[CascadeTier], policy: Policy) -> list[float]:
    """How many times dearer than they are models may be taken to be when learning when to go on.

    From 1 in equal ratios up to where one request costs as much as the best action is worth more
    than the worst one: nobody is asked then. 1 alone where there is nobody to go on to.

    Example:
        >>> policy = Policy(("a", "b"), np.array([[3.0, -7.0, -4.0], [-7.0, 3.0, -4.0]]))
        >>> tiers = [CascadeTier(name, np.eye(2), 0.01) for name in ("words", "encoder")]
        >>> [round(factor, 1) for factor in price_factors(tiers, policy)][:3]
        [1.0, 2.2, 4.6]
        >>> price_factors(tiers[:1], policy)
        [1.0]
    """
    dearest = max((tier.cost for tier in tiers[1:]), default=0.0)
    most = policy.tables.spread / dearest if dearest > 0 else 1.0
    return np.geomspace(1.0, most, _STEPS + 1).tolist() if most > 1.0 else [1.0]


def _point(fitted: Cascade, *, chosen: bool = False) -> CascadePoint:
    names, valued = fitted.policy.tiers, fitted.valued
    shares = fitted.judged.shares(len(names))
    return CascadePoint(names, fitted.price_factor, valued.cost, valued.worth, shares, chosen)
