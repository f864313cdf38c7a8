"""What an adapted encoder has more than its backbone, as thin matrices.

LoRA adds a product of two thin matrices to each of some matrices, and an artifact holds the sum.
The difference from the pretrained matrix is that product again, and its singular value
decomposition gives two thin matrices of it: other ones than were trained, with the same product.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from payoff.adapt.engine.adaptations.injected import MATRICES
from payoff.adapt.engine.encoder import Encoder
from payoff.adapt.export.encoder_weights import EncoderWeights

Array = NDArray[np.float32]

MOST = 4
"""The rank of a difference is at most this part of the matrix's smaller side: beyond, two thin
matrices are no smaller than the one."""

_NOISE = 32 * float(np.finfo(np.float32).eps)
"""Of a matrix's largest singular value: what adding in float32 leaves."""

_BIASES = {
    "qkv": "qkv.bias",
    "out": "attention_norm.linear_bias",
    "up": "up.bias",
    "down": "norm.linear_bias",
}


@dataclass(frozen=True)
class LowRankDifference:
    """Thin matrices by layer and name.

    Args:
        parts: Layer and name of a matrix to ``A``, ``(rank, n_inputs)``, and ``B``, ``(n_outputs,
            rank)``, so that the adapted matrix is the pretrained one and ``B A``; all of one rank.
        rank: Of all of them.
    """

    parts: dict[tuple[int, str], tuple[Array, Array]]
    rank: int

    @classmethod
    def between(cls, base: Encoder, weights: EncoderWeights) -> LowRankDifference:
        """Take the difference of an adapted encoder from its backbone.

        Args:
            base: The backbone.
            weights: The adapted one.

        Raises:
            ValueError: Where it has other sizes, nothing differs, something else than these
                matrices differs, or a difference is not of low rank; said in words.
        """
        _check_rest(base, weights)
        found = {}
        for number, layer in enumerate(weights.layers):
            for name in MATRICES:
                own = getattr(base.layers[number], name).weight.detach().numpy()
                thin = _thin(layer[f"{name}.weight"].T, own, f"layers.{number}.{name}")
                if thin is not None:
                    found[number, name] = thin
        if not found:
            raise ValueError("no matrix differs from the backbone's: only the head was trained")
        rank = max(len(a) for a, _ in found.values())
        parts = {key: (_wider(a, rank, 0), _wider(b, rank, 1)) for key, (a, b) in found.items()}
        return cls(parts, rank)


def _thin(adapted: Array, own: Array, name: str) -> tuple[Array, Array] | None:
    """``A`` and ``B`` of a difference; None where there is none."""
    difference = adapted.astype(np.float64) - own.astype(np.float64)
    left, sizes, right = np.linalg.svd(difference, full_matrices=False)
    noise = _NOISE * float(np.linalg.norm(own.astype(np.float64), 2))
    rank = int((sizes > noise).sum())
    if not rank:
        return None
    if rank > min(own.shape) // MOST:
        raise ValueError(
            f"'{name}' differs from the backbone's by a matrix of rank {rank} of "
            f"{min(own.shape)}: it was trained whole, not by LoRA"
        )
    root = np.sqrt(sizes[:rank])
    return (
        (root[:, None] * right[:rank]).astype(np.float32),
        (left[:, :rank] * root).astype(np.float32),
    )


def _wider(matrix: Array, rank: int, axis: int) -> Array:
    """With zeros up to ``rank``."""
    lacking = rank - matrix.shape[axis]
    return np.pad(matrix, [(0, lacking) if place == axis else (0, 0) for place in (0, 1)])


def _check_rest(base: Encoder, weights: EncoderWeights) -> None:
    """Refuse where anything but the matrices of layers differs."""
    first = base.shape.first_position
    outside = {
        "words": base.words.weight,
        "positions": base.positions.weight[first:],
        "embedding_norm.weight": base.embedding_norm.weight,
        "embedding_norm.bias": base.embedding_norm.bias,
    }
    rest = {name: (weights.outside[name], own) for name, own in outside.items()}
    if len(base.layers) != len(weights.layers):
        raise ValueError(f"it has {len(weights.layers)} layers, the backbone {len(base.layers)}")
    for number, layer in enumerate(weights.layers):
        own = base.layers[number]
        for norm in ("attention_norm", "norm"):
            for part in ("weight", "bias"):
                pair = layer[f"{norm}.{part}"], getattr(getattr(own, norm), part)
                rest[f"layers.{number}.{norm}.{part}"] = pair
        for name in MATRICES:
            pair = layer[_BIASES[name]], getattr(own, name).bias
            rest[f"layers.{number}.{name}.bias"] = pair
    for label, (adapted, of_base) in rest.items():
        plain = of_base.detach().numpy()
        if adapted.shape != plain.shape:
            raise ValueError(f"'{label}' has the sizes {adapted.shape}, the backbone {plain.shape}")
        if not np.array_equal(adapted, plain):
            raise ValueError(f"'{label}' differs from the backbone's, which LoRA leaves as it is")
