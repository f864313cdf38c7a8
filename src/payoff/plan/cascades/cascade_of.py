"""The cascade of some measured models: solved, held to its limits and priced, by one function.

A search calls it with its options, a what-if with what a run kept of them: the same models under
the same terms give the same cascade.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.core.errors import EconomicsError
from payoff.economics.cascades.blend import Blends
from payoff.economics.cascades.cascade import Cascade, CascadeTier
from payoff.economics.cascades.cascade_frontier import cascade_frontier
from payoff.economics.cascades.cascade_policy import Answered
from payoff.economics.cascades.cascade_search import best_cascade
from payoff.economics.case import Case
from payoff.economics.costs import PlanCosts
from payoff.economics.hosting import Hosting
from payoff.economics.policy import Policy
from payoff.economics.value_tables import Segments
from payoff.evidence.calibration import classwise_ece, ece, reliability
from payoff.evidence.evidence import Evidence
from payoff.evidence.quality import measure_quality
from payoff.plan.cascades.mixture import Mixture
from payoff.plan.judging import Judge
from payoff.plan.measured import Measured
from payoff.plan.reckoning import Reckoning

Array = NDArray[np.float64]

_ARROW = " → "
_FEWEST = 25  # validation rows: five in each fold of the folds


@dataclass(frozen=True, eq=False)
class CascadePlan:
    """The best cascade of two or more models, as a plan that can be judged.

    Args:
        tiers: Its models, in the order in which they are asked.
        cascade: When to go on, and what it did with validation rows.
        judge: Of the validation rows, by the policy that keeps floors and people's capacity.
        reckoning: Turns what was measured into money.
        costs: What it pays, in whole machines for all its models together.
        reference: The cheapest rented machine that holds the limits, to compare with.
        offered: All that might have been asked.
        left_out: Models that could not be asked, by name, and why.
        surer_than: Models that might have been asked and have a higher log loss on validation
            rows than it has, where its tiers were chosen without the row.
    """

    tiers: tuple[Measured, ...]
    cascade: Cascade
    judge: Judge
    reckoning: Reckoning
    costs: PlanCosts
    reference: Hosting
    offered: tuple[CascadeTier, ...]
    left_out: Mapping[str, str]
    surer_than: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """What people read."""
        return _ARROW.join(tier.name for tier in self.tiers)

    @cached_property
    def evidence(self) -> Evidence:
        """Of the validation rows; latency and footprint follow from those of its models."""
        said, truth, mixture = self.cascade.judged.probabilities, self.judge.truth, self._mixture
        return Evidence(
            "validation",
            measure_quality(said, truth),
            ece=ece(said, truth),
            classwise_ece=classwise_ece(said, truth),
            reliability=reliability(said, truth),
            latency=mixture.latency,
            footprint=mixture.footprint,
            training_s=sum(tier.training_s for tier in self.tiers),
            machine=self.tiers[-1].evidence.machine,
        )

    @property
    def policy(self) -> Policy:
        """What is done at which probabilities of the model that answers."""
        return self.judge.policy

    @property
    def hosting(self) -> Hosting:
        """The cheapest way to run all its models that holds the limits."""
        assert self.costs.hosting is not None
        return self.costs.hosting

    @property
    def reached(self) -> tuple[float, ...]:
        """Share of the validation rows that each tier is asked about."""
        return self._mixture.reached

    @property
    def _mixture(self) -> Mixture:
        return _mixture(self.tiers, self.cascade)

    def answered(
        self, said: Sequence[NDArray[np.floating[Any]]], segments: Segments | None
    ) -> Answered:
        """What it does with requests of which all tiers' probabilities are known.

        Args:
            said: Calibrated, of each tier, ``(n, k)``.
            segments: Segment of each, ``(n,)``; None where none is known.
        """
        known = [np.asarray(one, dtype=np.float64) for one in said]
        return self.cascade.policy.answer(
            self.policy, len(known[0]), lambda tier, rows: known[tier][rows], segments
        )

    def case(
        self,
        truth: NDArray[np.int64],
        probabilities: NDArray[np.floating[Any]],
        segments: Segments | None,
    ) -> Case:
        """What is to be forecast of it, from what the answering models say of some rows."""
        judge = replace(self.judge, truth=truth, segments=segments)
        done = judge.outcome(probabilities)
        return Case(self.name, done, self.costs, self.reference)

    @property
    def validated(self) -> Case:
        """What a choice is made by: validation rows, each by tiers chosen without it."""
        judge, said = self.judge, self.cascade.valued.probabilities
        return self.case(judge.truth, said, judge.segments)

    def points(self) -> list[dict[str, Any]]:
        """Worth against cost of asking on validation rows, the cheapest first."""
        shared = _shared(self.judge)
        plain = replace(self.judge.policy, penalties=None)
        found = cascade_frontier(self.cascade, self.offered, plain, self.judge.truth, **shared)
        return [point.as_dict() for point in found]

    def tiers_as_dict(self, answered: Answered) -> list[dict[str, Any]]:
        """Shares of some rows by tier, and what asking each costs, as plain values."""
        counts = np.bincount(answered.tiers, minlength=len(self.tiers)) / len(answered.tiers)
        reached = np.cumsum(counts[::-1])[::-1]
        return [
            {
                "name": tier.name,
                "cost": cost,
                "reached": float(asked),
                "share": float(share),
                "cost_month": float(asked) * cost * self.reckoning.terms.traffic.per_month,
            }
            for tier, cost, asked, share in zip(
                self.tiers, self.cascade.policy.costs, reached, counts, strict=True
            )
        ]


def cascade_of(
    models: Sequence[Measured],
    references: Mapping[str, Hosting],
    judge: Judge,
    reckoning: Reckoning,
    *,
    blends: Blends | None = None,
) -> CascadePlan:
    """The best cascade of two or more of some models.

    It is solved with models as they were trained for the choice. Latency, memory and start follow
    from those of the models alone (`Mixture`). The time that a request takes varies more than that
    of one model, and the queue that counts the machines is told so.

    Args:
        models: All that were measured and hosted.
        references: The cheapest rented machine that holds the limits for each, by name.
        judge: Of the validation rows, by the policy without floors.
        reckoning: Terms and prices.
        blends: How models are joined with those asked before them, where it was learnt already.

    Raises:
        EconomicsError: PF621 where fewer than two models can be asked, there are too few rows, no
            host holds the limits for all its models together, or the rows do not prove its floors.
    """
    tiers, left_out = _offered(models, references, reckoning)
    if len(tiers) < 2:
        reasons = "; ".join(f"{name}: {why}" for name, why in left_out.items())
        raise _refused(f"{len(tiers)} model can be asked{reasons and f' ({reasons})'}")
    if len(judge.truth) < _FEWEST:
        raise _refused(f"{len(judge.truth)} validation rows tell nothing; it takes {_FEWEST}")
    shared = _shared(judge)
    cascade = best_cascade(tiers, judge.policy, judge.truth, at_least=2, blends=blends, **shared)
    known = {model.name: model for model in models}
    chosen = tuple(known[name] for name in cascade.policy.tiers)
    name = _ARROW.join(cascade.policy.tiers)
    terms = reckoning.terms
    try:
        held = judge.held(cascade.valued.probabilities, terms.floors, most_handed=terms.most_handed)
        hosting, reference = _hosted(chosen, _mixture(chosen, cascade), reckoning)
    except EconomicsError as error:
        if error.code not in ("PF616", "PF640"):
            raise
        raise _refused(f"{name}: {error.where}, {error.found}") from error
    costs = reckoning.costs(hosting, sum(model.training_s for model in chosen))
    own = judge.losses(cascade.valued.probabilities).mean()
    surer = {tier.name for tier in tiers if judge.losses(tier.probabilities).mean() > own}
    return CascadePlan(
        chosen,
        cascade,
        held,
        reckoning,
        costs,
        reference,
        tuple(tiers),
        left_out,
        surer_than=frozenset(surer),
    )


def _refused(why: str) -> EconomicsError:
    return EconomicsError("PF621", "cascade", why)


def _shared(judge: Judge) -> dict[str, Any]:
    shift = judge.policy.prior_shift
    weights = None if shift is None else shift[judge.truth]
    return {"row_weights": weights, "segments": judge.segments, "seed": judge.seed}


def _offered(
    models: Sequence[Measured], references: Mapping[str, Hosting], reckoning: Reckoning
) -> tuple[list[CascadeTier], dict[str, str]]:
    """What may be asked, and why others may not."""
    tiers, left_out = [], {}
    for model in models:
        try:
            cost = model.asking_cost(reckoning, references[model.name])
        except EconomicsError as error:
            if error.code not in ("PF605", "PF607"):
                raise
            left_out[model.name] = str(error)
            continue
        tiers.append(CascadeTier(model.name, model.validation.astype(np.float64), cost))
    return tiers, left_out


def _hosted(
    tiers: Sequence[Measured], mixture: Mixture, reckoning: Reckoning
) -> tuple[Hosting, Hosting]:
    """The cheapest host of all tiers, and the rented machine beside it; tokens paid.

    Raises:
        EconomicsError: PF616 where no host holds the limits; told first is whether the answers
            alone, without any waiting, are too slow for that.
    """
    limit, latency = reckoning.terms.latency_limit_ms, mixture.latency
    if limit is not None and latency.p95_ms > limit:
        found = f"95 % of single answers take up to {latency.p95_ms:.0f} ms, over the {limit:g} ms"
        raise EconomicsError("PF616", "latency limit", found)
    hosting, reference = reckoning.hosting(
        latency, mixture.footprint, service_scv=mixture.service_scv
    )
    paid = [
        charge
        for tier, share in zip(tiers, mixture.reached, strict=True)
        if tier.tokens is not None
        for charge in reckoning.token_charges(tier.tokens, share)
    ]
    return hosting.with_charges(paid), reference.with_charges(paid)


def _mixture(tiers: Sequence[Measured], cascade: Cascade) -> Mixture:
    return Mixture([tier.evidence for tier in tiers], cascade.judged.shares(len(tiers)))
