from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from payoff.adapt.engine.objectives.batch_seed import batch_seed
from payoff.adapt.engine.objectives.cross_entropy import CrossEntropy
from payoff.adapt.engine.objectives.mixup import MixupLoss
from payoff.core.errors import AdaptError

MakeStep = Callable[..., Any]


def test_the_formula(step: MakeStep) -> None:
    made = step()
    rng = np.random.default_rng(batch_seed(made.batch, 4))
    n = len(made.truth)
    shares = rng.beta(2.0, 2.0, n)
    others = rng.permutation(n)
    assert (others != np.arange(n)).any()
    with torch.no_grad():
        vectors = made.classifier.vectors(made.hidden, made.batch).double().numpy()
    weight = made.classifier.head.weight.detach().double().numpy()
    bias = made.classifier.head.bias.detach().double().numpy()
    losses = []
    for text in range(n):
        share, other = shares[text], others[text]
        mixed = share * vectors[text] + (1 - share) * vectors[other]
        logits = weight @ (mixed / np.sqrt((mixed**2).sum())) + bias
        logs = logits - np.log(np.exp(logits).sum())
        eye = 0.9 * np.eye(3) + 0.1 / 3
        soft = share * eye[made.truth[text]] + (1 - share) * eye[made.truth[other]]
        losses.append(-(soft * logs).sum())
    found = made.loss(MixupLoss(2.0, seed=4)).item()
    np.testing.assert_allclose(found, np.mean(losses), rtol=1e-5)


def test_a_text_alone_is_mixed_with_itself(step: MakeStep) -> None:
    made = step(rows=np.array([3]))
    torch.testing.assert_close(made.loss(MixupLoss()), made.loss(CrossEntropy()))


@pytest.mark.parametrize("alpha", [0.0, -1.0, float("nan"), float("inf")])
def test_a_wrong_alpha_is_refused(alpha: float) -> None:
    with pytest.raises(AdaptError, match="PF406 mixup, alpha"):
        MixupLoss(alpha)
