from __future__ import annotations

from collections.abc import Callable

from payoff.adapt.engine.adaptations.biases import Biases
from payoff.adapt.engine.classifier import Classifier


def test_no_matrix_is_trained_but_the_heads(attach: Callable[..., Classifier]) -> None:
    classifier = attach(Biases(), depth=0)
    named = [(n, p) for n, p in classifier.named_parameters() if p.requires_grad]
    assert [name for name, weight in named if weight.ndim > 1] == ["head.weight"]
    # Four biases of matrices, and weight and bias of two normalisations, a layer.
    assert len(named) == 2 + 2 * 8
