"""What `peft` puts around the matrices of a classifier's layers, and folds back into them."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from payoff.adapt.engine.adaptations.adaptation import Adaptation
from payoff.adapt.engine.adaptations.unmerged import Unmerged
from payoff.adapt.engine.classifier import Classifier
from payoff.adapt.engine.encoder import Layer
from payoff.core.errors import AdaptError
from payoff.core.extras import require

MATRICES = ("qkv", "out", "up", "down")
"""Names of the linear parts of a layer."""


class Injected(Adaptation):
    """An adaptation whose modules come from `peft`, which is imported when one is attached."""

    def config(self, peft: ModuleType) -> Any:
        """The configuration as `peft` wants it."""
        raise NotImplementedError

    def attach(self, classifier: Classifier) -> None:
        """Put the modules around the layers' matrices.

        Raises:
            AdaptError: PF406 where the classifier has no layers of its own.
            MachineError: PF803 where `peft` is not installed.
        """
        peft = checked_peft(classifier)
        peft.inject_adapter_in_model(self.config(peft), classifier.layers)

    def unmerged(self, module: Any) -> Unmerged:
        """The same as a module of `peft`, of plain tensors."""
        raise NotImplementedError

    def merge(self, classifier: Classifier) -> None:
        """Fold what was added into the matrices, which become plain again."""
        for layer, name, module in _injected(classifier):
            module.merge()
            setattr(layer, name, module.get_base_layer())

    def keep_apart(self, classifier: Classifier) -> None:
        """Put plain tensors beside the matrices in place of what `peft` put around them."""
        for layer, name, module in _injected(classifier):
            setattr(layer, name, self.unmerged(module))


def _injected(classifier: Classifier) -> list[tuple[Layer, str, Any]]:
    """Layer, name and module of each matrix that has something around it."""
    found = []
    for layer in classifier.own_layers():
        for name in MATRICES:
            module = getattr(layer, name)
            if hasattr(module, "get_base_layer"):
                found.append((layer, name, module))
    return found


def checked_peft(classifier: Classifier) -> ModuleType:
    """`peft`, where it is installed and has something to be put around."""
    if not len(classifier.layers):
        raise AdaptError(
            "PF406",
            "setting 'depth'",
            f"{classifier.depth} leaves no layer to adapt",
            expected=f"a number below {classifier.depth}",
        )
    return require("peft", "tune", "LoRA, AdaLoRA and (IA)³")
