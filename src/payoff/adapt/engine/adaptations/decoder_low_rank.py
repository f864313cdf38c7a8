"""LoRA in a decoder: beside each matrix, the product of two thin ones (Hu et al. 2022)."""

from __future__ import annotations

from dataclasses import dataclass

from payoff.adapt.engine.adaptations.settings import check_names, check_positive
from payoff.adapt.engine.decoder import Decoder
from payoff.core.extras import require

DECODER_MATRICES = ("query", "key", "value", "out", "gate", "up", "down")
"""Names of the linear parts of a decoder's layer."""


@dataclass(frozen=True, slots=True)
class DecoderLowRank:
    """Train ``alpha / rank · B A`` beside each of the ``targets``; outputs start as they were.

    Args:
        rank: Columns of B and rows of A.
        alpha: Scale of what is added.
        targets: Which matrices of a layer.

    Raises:
        AdaptError: PF406 for a value that cannot be meant.
    """

    rank: int = 8
    alpha: float = 16.0
    targets: tuple[str, ...] = DECODER_MATRICES

    def __post_init__(self) -> None:
        check_positive(rank=self.rank, alpha=self.alpha)
        check_names("targets", self.targets, DECODER_MATRICES)

    def attach(self, decoder: Decoder) -> None:
        """Put the thin matrices, the only weights that are trained then, beside the layers' own.

        Raises:
            MachineError: PF803 where `peft` is not installed.
        """
        peft = require("peft", "tune", "LoRA")
        config = peft.LoraConfig(
            r=self.rank, lora_alpha=self.alpha, target_modules=list(self.targets)
        )
        decoder.requires_grad_(False)
        peft.inject_adapter_in_model(config, decoder.layers)

    def merge(self, decoder: Decoder) -> None:
        """Fold what was added into the matrices, which become plain again."""
        for layer in decoder.layers:
            for name in DECODER_MATRICES:
                module = getattr(layer, name)
                if hasattr(module, "get_base_layer"):
                    module.merge()
                    setattr(layer, name, module.get_base_layer())
