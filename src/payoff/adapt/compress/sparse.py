"""Weights that matter little set to 0: not faster, but smaller once packed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from payoff.adapt.compress.activations import moments
from payoff.adapt.compress.compensated import compensated
from payoff.adapt.compress.encoder_graph import (
    Doubles,
    EncoderGraph,
    Floats,
    is_encoder,
    need_encoder,
    need_matrices,
    write_changed,
)
from payoff.adapt.compress.way import need_within
from payoff.artifact.tier import TierSpec


@dataclass(frozen=True)
class Sparse:
    """Unstructured pruning without training.

    Of each output, weights stay that are largest times the root mean square of their input (Sun et
    al. 2024, "Wanda", section 3); the others' part is taken over by those that stay (Frantar and
    Alistarh 2023, "SparseGPT"). Zeros are stored as any other weight is: only packing makes the
    file smaller.

    Args:
        kept: Share of the weights that stay.

    Raises:
        AdaptError: PF406 for a share out of range.
    """

    kept: float = 0.5
    name = "sparse"
    stage = "values"

    def __post_init__(self) -> None:
        need_within(self.name, "kept", self.kept, 0.05, 1)

    def applies(self, spec: TierSpec) -> bool:
        """Encoders."""
        return is_encoder(spec)

    def compress(
        self, spec: TierSpec, folder: Path, target: Path, *, texts: Sequence[str] = ()
    ) -> TierSpec:
        """Set weights of the layers to 0; the token table stays.

        Raises:
            AdaptError: PF404 where the tier is no encoder, or is rounded already; PF411 without
                texts; PF412 with too few.
        """
        need_encoder(spec, self.name)

        def change(graph: EncoderGraph) -> None:
            products = graph.inner()
            need_matrices(spec, self.name, products)
            seen = moments(graph, spec, folder, texts, [one.entering for one in products])
            for product in products:
                second = seen[product.entering].second
                graph.set_matrix(product, sparse(product.matrix, second, self.kept))

        return write_changed(self.name, spec, folder, target, change)


def sparse(matrix: Floats, second: Doubles, kept: float) -> Floats:
    """A matrix with this share of weights an output.

    Args:
        matrix: ``(n_inputs, n_outputs)``.
        second: Second moment of its inputs, ``(n_inputs, n_inputs)``.
        kept: Share; at least one weight of each output stays.

    Example:
        >>> sparse(np.array([[1.0, 0.1], [0.2, 2.0]], np.float32), np.eye(2), 0.5).tolist()
        [[1.0, 0.0], [0.0, 2.0]]
    """
    n_kept = max(1, round(kept * len(matrix)))
    scores = np.abs(matrix) * np.sqrt(np.diag(second))[:, None]
    order = np.argsort(-scores, axis=0, kind="stable")
    stays = np.zeros(matrix.shape, bool)
    np.put_along_axis(stays, order[:n_kept], True, axis=0)
    return compensated(matrix, second, lambda place, row: np.asarray(row * stays[place]))
