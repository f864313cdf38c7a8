"""LoRA: beside each matrix, the product of two thin ones (Hu et al. 2022, section 4.1)."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any

from payoff.adapt.engine.adaptations.injected import MATRICES, Injected
from payoff.adapt.engine.adaptations.settings import check_names, check_positive
from payoff.adapt.engine.adaptations.unmerged import Unmerged


@dataclass(frozen=True, slots=True)
class LowRank(Injected):
    """Train ``alpha / rank · B A`` beside each of the ``targets``; outputs start as they were.

    Args:
        rank: Columns of B and rows of A.
        alpha: Scale of what is added.
        targets: Which matrices of a layer: some of ``qkv``, ``out``, ``up`` and ``down``.

    Raises:
        AdaptError: PF406 for a value that cannot be meant.
    """

    rank: int = 8
    alpha: float = 16.0
    targets: tuple[str, ...] = MATRICES

    def __post_init__(self) -> None:
        check_positive(rank=self.rank, alpha=self.alpha)
        check_names("targets", self.targets, MATRICES)

    def config(self, peft: ModuleType) -> Any:
        """LoRA without dropout."""
        return peft.LoraConfig(
            r=self.rank, lora_alpha=self.alpha, target_modules=list(self.targets)
        )

    def unmerged(self, module: Any) -> Unmerged:
        """The two thin matrices, the scale in the first."""
        down = module.lora_A["default"].weight.T * module.scaling["default"]
        return Unmerged(module.get_base_layer(), down=down, up=module.lora_B["default"].weight.T)
