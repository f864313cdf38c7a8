"""The tagger that is trained: a classifier of tokens instead of texts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from payoff.adapt.engine.batches import Packed, by_tokens, pack, places
from payoff.adapt.engine.classifier import Classifier
from payoff.adapt.engine.trunk import BATCH_TOKENS, Trunk


class Tagger(Classifier):
    """Upper layers of an encoder and a linear head on each token's normalised vector.

    All that a `Classifier` has, adaptations too, but nothing is pooled: ``vectors`` and the logits
    have one row a token of the batch.
    """

    def vectors(self, hidden: Tensor, batch: Packed) -> Tensor:
        """``(n_tokens, width)`` below layer ``depth`` to normalised vectors of the same shape."""
        return functional.normalize(self.climbed(hidden, batch), dim=1)


def tagger_logits(tagger: Tagger, trunk: Trunk, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Logits of all tokens of some rows of a trunk.

    Args:
        tagger: In evaluation mode.
        trunk: Each row is one piece.
        rows: Which.

    Returns:
        ``(n_tokens, n_tags)``, row after row in the order of ``rows``.
    """

    def scored(batch: Packed) -> Tensor:
        logits: Tensor = tagger(trunk.below(tagger.depth, batch), batch)
        return logits

    return _by_token(trunk, rows, tagger.head.out_features, scored)


def token_vectors(trunk: Trunk, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Normalised vectors of all tokens of some rows, as the frozen encoder gives them.

    Args:
        trunk: Each row is one piece.
        rows: Which.

    Returns:
        ``(n_tokens, width)``, row after row in the order of ``rows``.
    """
    shape = trunk.encoder.shape
    return _by_token(
        trunk,
        rows,
        shape.width,
        lambda batch: functional.normalize(trunk.below(shape.layers, batch), dim=1),
    )


def _by_token(
    trunk: Trunk, rows: NDArray[np.int64], width: int, compute: Callable[[Packed], Tensor]
) -> NDArray[np.float32]:
    offsets, lengths = trunk.tokens.offsets, trunk.tokens.lengths
    moved = np.zeros(len(lengths), np.int64)  # from a row's place in the trunk to that in `found`
    moved[rows] = np.cumsum(lengths[rows]) - lengths[rows] - offsets[rows]
    found = np.empty((int(lengths[rows].sum()), width), np.float32)
    with torch.inference_mode():
        for part in by_tokens(lengths[rows], BATCH_TOKENS):
            batch = pack(trunk.tokens, rows[part])
            place = places(trunk.tokens, batch) + np.repeat(moved[batch.rows], lengths[batch.rows])
            found[place] = compute(batch).numpy()
    return found
