"""Measured: a model as far as money is concerned: what it says of validation rows, how fast."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from payoff.core.errors import EconomicsError
from payoff.economics.costs import Step
from payoff.economics.tokens import Tokens

if TYPE_CHECKING:
    from payoff.economics.hosting import Hosting
    from payoff.evidence.evidence import Evidence
    from payoff.plan.reckoning import Reckoning

Probabilities = NDArray[np.float32]

_MANY = 1e9
"""Times the expected traffic at which whole machines no longer matter to the price of a text."""


@dataclass(frozen=True, eq=False)
class Measured:
    """What is known of one model before the test rows: enough to price and to choose by.

    A search has it of its options, a finished run kept it: whatever is reckoned from it is the
    same in both.

    Args:
        name: What people read.
        recipe: Of its candidate.
        evidence: On validation rows; its latency and footprint are those of the model.
        training_s: Seconds that its training took.
        validation: Cross-fitted probabilities of the validation rows, ``(n_validation, k)``.
        tokens: What a text takes of somebody else's model; None for one's own.
    """

    name: str
    recipe: str
    evidence: Evidence
    training_s: float
    validation: Probabilities
    tokens: Tokens | None = field(default=None, kw_only=True)

    def hosting(self, reckoning: Reckoning) -> tuple[Hosting, Hosting]:
        """As `hosting_of`."""
        return hosting_of(self.evidence, self.tokens, reckoning)

    def asking_cost(self, reckoning: Reckoning, reference: Hosting) -> float:
        """What one more text costs when this model is asked, money.

        For somebody else's model: its tokens. For one's own: its measured seconds at the price of
        the cheapest rented machine that holds the limits for it alone, as busy as is planned for.

        This is a price of the long run: of traffic so large that whole machines no longer matter,
        and of a machine for each model. It orders the models and says when asking the next one
        is worth it; it is not what a plan is judged by. Where all models run on one machine that
        is needed anyway and has time to spare, asking one adds nothing, and the cascade asks a
        little less than it could: by what a text costs, millionths of most amounts that a
        decision is worth. Where asking fills the machine, the next one is paid for in the long
        run, as assumed. What the plan costs is counted in whole machines, for all its models
        together (`payoff.plan.cascades.cascade_of`).

        Args:
            reckoning: Prices.
            reference: The cheapest rented machine that holds the limits for it.

        Raises:
            EconomicsError: PF607 or PF605 where its tokens have no price in the currency.
        """
        if self.tokens is not None:
            return sum(float(one.unit_price) for one in reckoning.token_charges(self.tokens, 1.0))
        requests = _MANY * reckoning.terms.traffic.per_month
        paid = reference.cost_by_step(np.array(requests))
        return float(paid.get(Step.INFERENCE, np.zeros(()))) / requests


def hosting_of(
    evidence: Evidence, tokens: Tokens | None, reckoning: Reckoning
) -> tuple[Hosting, Hosting]:
    """Where a model would run alone, and the rented machine to compare with, its tokens paid.

    Tokens without a price are not paid, and the hosting's notes say so.

    Args:
        evidence: Its latency and footprint.
        tokens: What a text takes of somebody else's model; None for one's own.
        reckoning: Terms and prices.

    Raises:
        EconomicsError: PF616 where no host holds the limits.
    """
    assert evidence.latency is not None
    assert evidence.footprint is not None
    chosen, reference = reckoning.hosting(evidence.latency, evidence.footprint)
    if tokens is None:
        return chosen, reference
    try:
        paid = reckoning.token_charges(tokens, 1.0)
    except EconomicsError as error:
        note = f"its tokens are not priced: {error.found}"
        return replace(chosen, notes=(*chosen.notes, note)), reference
    return chosen.with_charges(paid), reference.with_charges(paid)
