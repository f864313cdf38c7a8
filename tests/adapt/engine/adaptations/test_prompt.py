from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from payoff.adapt.engine.adaptations.prompt import MadePrompt, Prompt
from payoff.adapt.engine.batches import Packed, pack
from payoff.adapt.engine.classifier import Classifier
from payoff.adapt.engine.encoder import Encoder
from payoff.adapt.engine.tokens import Tokens
from payoff.core.errors import AdaptError


@pytest.mark.parametrize("depth", [0, 1])
def test_a_prompt_is_a_longer_text_whose_start_is_not_pooled(
    attach: Callable[..., Classifier], encoder: Encoder, some_tokens: Tokens, depth: int
) -> None:
    classifier = attach(Prompt(4), depth=depth)
    assert classifier.prompt is not None
    prompt = classifier.prompt()
    batch = pack(some_tokens, np.arange(8))
    with torch.inference_mode():
        below = encoder.run(encoder.embed(batch), batch, last=depth)
        found = classifier.vectors(below, batch)
        start = 0
        for place, length in enumerate(some_tokens.lengths[batch.rows]):
            own = below[start : start + length]
            longer = torch.cat([prompt, own])
            alone = Packed(batch.rows[:1], batch.ids, batch.positions, ((0, 1, int(length) + 4),))
            above = encoder.run(longer, alone, first=depth)[4:]
            mean = above.mean(0)
            torch.testing.assert_close(found[place], mean / mean.norm(), atol=1e-5, rtol=0)
            start += length


@pytest.mark.parametrize("adaptation", [Prompt(7), MadePrompt(7, 5)])
@pytest.mark.parametrize("depth", [0, 1])
def test_it_starts_at_activations(
    adaptation: Prompt, depth: int, attach: Callable[..., Classifier], encoder: Encoder
) -> None:
    prompt: Any = attach(adaptation, depth=depth).prompt
    vectors = prompt()
    assert vectors.shape == (7, 32)
    assert vectors.requires_grad
    norm = encoder.embedding_norm if depth == 0 else encoder.layers[0].norm
    # Undone, the normalisation that made them leaves mean 0 and variance 1.
    plain = (vectors - norm.bias) / norm.weight
    torch.testing.assert_close(plain.mean(1), torch.zeros(7), atol=1e-4, rtol=0)
    torch.testing.assert_close(plain.var(1, correction=0), torch.ones(7), atol=1e-3, rtol=0)


def test_both_start_at_the_same_and_the_network_is_dropped(
    attach: Callable[..., Classifier], disturb: Callable[[Classifier], Classifier]
) -> None:
    adaptation = MadePrompt(4, 6)
    plain: Any = attach(Prompt(4)).prompt
    classifier = attach(adaptation)
    made: Any = classifier.prompt
    assert torch.equal(plain(), made())
    disturb(classifier)
    values = made.values + made.network(made.recurrent(made.values)[0])
    adaptation.merge(classifier)
    served: Any = classifier.prompt
    assert [name for name, _ in served.named_parameters()] == ["values"]
    torch.testing.assert_close(served(), values)


def test_a_vector_that_is_made_depends_on_those_on_both_sides(
    attach: Callable[..., Classifier], disturb: Callable[[Classifier], Classifier]
) -> None:
    prompt: Any = disturb(attach(MadePrompt(5, 6))).prompt
    before = prompt().detach()
    with torch.no_grad():
        prompt.values[2] += 1.0
    moved = (prompt().detach() - before).abs().max(dim=1).values
    assert bool((moved > 1e-6).all())


def test_settings_that_cannot_be_meant_are_told() -> None:
    with pytest.raises(AdaptError, match=r"PF406.*'vectors'"):
        Prompt(0)
    with pytest.raises(AdaptError, match=r"PF406.*'inner'"):
        MadePrompt(5, 0)
