"""(IA)³: one factor for each number that leaves or enters a matrix (Liu et al. 2022, section 3.3).

The paper scales keys, values and what enters the last matrix of the feed-forward part. Queries,
keys and values are one matrix here, so that queries are scaled too; that adds no other functions,
since only the product of a query's and its key's factor counts.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from payoff.adapt.engine.adaptations.injected import Injected
from payoff.adapt.engine.adaptations.unmerged import Unmerged


class Scaling(Injected):
    """Train a factor for each number; all start at 1, so that outputs start as they were."""

    def config(self, peft: ModuleType) -> Any:
        """Factors behind ``qkv`` and before ``down``."""
        return peft.IA3Config(target_modules=["qkv", "down"], feedforward_modules=["down"])

    def unmerged(self, module: Any) -> Unmerged:
        """The factors, before or behind the matrix."""
        factors = module.ia3_l["default"].flatten()
        if module.is_feedforward:
            return Unmerged(module.get_base_layer(), before=factors)
        return Unmerged(module.get_base_layer(), after=factors)
