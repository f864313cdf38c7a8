"""AdaLoRA: low-rank additions whose ranks go where they matter (Zhang et al. 2023).

Each addition is ``B diag(E) A``. Starting above the rank that is wanted, the least important
entries of all the E together are set to 0, until ``rank`` a matrix is left on average.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from payoff.adapt.engine.adaptations.injected import MATRICES, Injected, checked_peft
from payoff.adapt.engine.adaptations.settings import check_names, check_positive
from payoff.adapt.engine.adaptations.unmerged import Unmerged
from payoff.adapt.engine.classifier import Classifier
from payoff.core.errors import AdaptError

_WAIT, _SETTLE = 0.1, 0.3  # shares of the steps before ranks are cut, and after the last cut
_CUTS = 100  # at most so many times
_PEFT_EPS = 1e-5  # what `peft` adds to the number of ranks that it divides by


class AdaptiveLowRank(Injected):
    """Train ``alpha / start_rank · B diag(E) A`` beside each of the ``targets``.

    Outputs start as they were. A training of under three steps cuts no ranks.

    Args:
        rank: Average rank of a matrix at the end.
        start_rank: Rank of every matrix at the start, above ``rank``.
        alpha: Scale of what is added.
        orthogonality: Weight of the penalty that keeps A and B near orthonormal.
        targets: Which matrices of a layer: some of ``qkv``, ``out``, ``up`` and ``down``.

    Raises:
        AdaptError: PF406 for a value that cannot be meant.
    """

    def __init__(
        self,
        rank: int = 8,
        start_rank: int = 12,
        alpha: float = 16.0,
        *,
        orthogonality: float = 0.1,
        targets: tuple[str, ...] = MATRICES,
    ) -> None:
        check_positive(rank=rank, start_rank=start_rank, alpha=alpha)
        check_names("targets", targets, MATRICES)
        if start_rank <= rank:
            raise AdaptError(
                "PF406", "setting 'start_rank'", repr(start_rank), expected=f"more than rank {rank}"
            )
        self.rank = rank
        self.start_rank = start_rank
        self.alpha = alpha
        self.orthogonality = orthogonality
        self.targets = targets
        self._model: Any = None
        self._rows: list[Tensor] = []
        self._columns: list[Tensor] = []

    def config(self, peft: ModuleType) -> Any:
        """The steps are set when their number is known."""
        return peft.AdaLoraConfig(
            init_r=self.start_rank,
            target_r=self.rank,
            lora_alpha=self.alpha,
            target_modules=list(self.targets),
            total_step=1,
        )

    def attach(self, classifier: Classifier) -> None:
        """Put the three factors beside each matrix.

        Raises:
            AdaptError: PF406 where the classifier has no layers of its own.
            MachineError: PF803 where `peft` is not installed.
        """
        peft = checked_peft(classifier)
        self._model = peft.AdaLoraModel(classifier.layers, self.config(peft), "default")
        classifier.add_module("ranks", Ranks(self._model))
        named = dict(classifier.layers.named_parameters())
        self._rows = [weight for name, weight in named.items() if ".lora_A." in name]
        self._columns = [weight for name, weight in named.items() if ".lora_B." in name]

    def unmerged(self, module: Any) -> Unmerged:
        """Two thin matrices of the ranks that were kept; E and the scale are in the first."""
        entries = module.lora_E["default"].detach()
        kept = entries[:, 0] != 0
        kept[0] = True  # no matrix is without any row
        scale = module.scaling["default"] / (float(module.ranknum["default"]) + _PEFT_EPS)
        down = (module.lora_A["default"] * entries)[kept].T * scale
        return Unmerged(module.get_base_layer(), down=down, up=module.lora_B["default"][:, kept].T)

    def penalty(self, classifier: Classifier) -> Tensor | None:
        """Squared distance from orthonormal, a factor on average (equation 4)."""
        eye = torch.eye(self.start_rank)
        grams = [a @ a.T for a in self._rows] + [b.T @ b for b in self._columns]
        distances = (torch.stack(grams) - eye).square().sum(dim=(1, 2))
        return self.orthogonality * distances.mean()

    def after_step(self, classifier: Classifier, step: int, n_steps: int) -> None:
        """Keep account of each entry's importance, and cut ranks when it is time (equation 9)."""
        config = self._model.peft_config["default"]
        config.total_step = n_steps
        config.tinit, config.tfinal = round(_WAIT * n_steps), round(_SETTLE * n_steps)
        config.deltaT = max(1, n_steps // _CUTS)
        if n_steps - config.tfinal > 1:  # importance is known from the second step on
            self._model.update_and_allocate(step)


class Ranks(nn.Module):
    """What the allocation of ranks remembers, as a part of the classifier's state.

    Args:
        model: The `peft.AdaLoraModel`; it is not made a submodule, since it contains the layers.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self._allocator = model.rankallocator
        self._config = model.peft_config["default"]

    def get_extra_state(self) -> dict[str, Any]:
        """Smoothed importance and its uncertainty, and which entries were kept at the last cut."""
        return {
            "importance": dict(self._allocator.exp_avg_ipt),
            "uncertainty": dict(self._allocator.exp_avg_unc),
            "kept": self._config.rank_pattern,
        }

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take over what `get_extra_state` gave."""
        self._allocator.exp_avg_ipt = dict(state["importance"])
        self._allocator.exp_avg_unc = dict(state["uncertainty"])
        # Of one step alone; it is there for those that have an average.
        self._allocator.ipt = {k: torch.zeros_like(v) for k, v in state["importance"].items()}
        self._config.rank_pattern = state["kept"]
