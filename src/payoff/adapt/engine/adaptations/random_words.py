"""Texts of random words, whose activations prefixes and prompts start from."""

from __future__ import annotations

import math

import numpy as np
import torch

from payoff.adapt.engine.batches import Packed
from payoff.adapt.engine.encoder import Encoder

_LENGTH = 16


def random_words(encoder: Encoder, n_tokens: int) -> Packed:
    """Texts of random tokens, at least ``n_tokens`` of them in all.

    Args:
        encoder: Has the vocabulary, and the longest text that it takes.
        n_tokens: How many tokens are needed.
    """
    shape = encoder.shape
    length = min(_LENGTH, shape.positions - shape.first_position)
    n_texts = math.ceil(n_tokens / length)
    ids = torch.randint(shape.vocabulary, (n_texts * length,))
    positions = torch.arange(length).repeat(n_texts)
    return Packed(np.arange(n_texts), ids, positions, ((0, n_texts, length),))
