"""Tokens are what a tagger's loss is a mean over, so that parts of a step count by their tokens."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from payoff.adapt.engine.batches import Packed, places
from payoff.adapt.engine.encoder import Encoder
from payoff.adapt.engine.finetuning import MAX_TOKENS, FineTuning, Schedule
from payoff.adapt.engine.objectives.token_cross_entropy import TokenCrossEntropy
from payoff.adapt.engine.tag_windows import IGNORED
from payoff.adapt.engine.tagger import Tagger
from payoff.adapt.engine.trunk import Trunk
from payoff.core.progress import Silent


def test_a_step_in_parts_has_the_gradient_of_the_whole(
    make_trunk: Callable[[], Trunk], encoder: Encoder
) -> None:
    trunk = make_trunk()
    rng = np.random.default_rng(0)
    tags = rng.integers(0, 3, len(trunk.tokens.ids))
    tags[rng.random(len(tags)) < 0.6] = IGNORED
    offsets = trunk.tokens.offsets
    longest = int(trunk.tokens.lengths.argmax())
    tags[offsets[longest] : offsets[longest + 1]] = IGNORED  # a part in which nothing counts
    tags = torch.from_numpy(tags)

    def targets(batch: Packed) -> Tensor:
        return tags[places(trunk.tokens, batch)]

    gradients, counted = [], []
    for max_tokens in (MAX_TOKENS, 30):
        weight = np.random.default_rng(1).normal(size=(3, 32)).astype(np.float32)
        tuning = FineTuning(
            Tagger(encoder, 1, weight, np.zeros(3, np.float32)),
            trunk,
            targets,
            rows=np.array([longest, 0, 1, 2, 3, 4, 5, 6]),
            schedule=Schedule(depth=1, epochs=1.0, batch_texts=8, max_tokens=max_tokens),
            objective=TokenCrossEntropy(),
            progress=Silent(),
        )
        counted.append(
            [int((part.targets != IGNORED).sum()) for part in tuning._parts(tuning.rows)]
        )
        tuning.advance(1.0)
        assert tuning.step == tuning.n_steps == 1
        gradients.append([p.grad for p in tuning.classifier.parameters()])
    assert len(counted[0]) == 1 < len(counted[1])
    assert sum(counted[1]) == counted[0][0]
    assert 0 in counted[1]
    assert len(set(counted[1])) > 2, "parts that count differently"
    for one, other in zip(*gradients, strict=True):
        assert one is not None
        assert other is not None
        torch.testing.assert_close(one, other, atol=2e-6, rtol=1e-3)
