"""Matrices of the feed-forward layers as products of two thin ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from payoff.adapt.compress.activations import moments
from payoff.adapt.compress.compensated import damped
from payoff.adapt.compress.encoder_graph import (
    Doubles,
    EncoderGraph,
    Floats,
    Product,
    is_encoder,
    need_encoder,
    need_matrices,
    write_changed,
)
from payoff.adapt.compress.feed_forward import feed_forwards
from payoff.adapt.compress.way import need_within
from payoff.artifact.tier import TierSpec
from payoff.core.errors import AdaptError


@dataclass(frozen=True)
class LowRank:
    """Two thin products that give nearly the same outputs, on the texts of the domain.

    The error is measured on outputs and not on weights: the matrix is taken apart after its inputs
    were made uncorrelated (Yuan et al. 2023, "ASVD"; Wang et al. 2024, "SVD-LLM", section 3).

    Args:
        ranks: Share of the full rank that is kept. A matrix stays whole where the two thin ones
            would not have fewer weights: from about 0.8 on where one side is four times the other.

    Raises:
        AdaptError: PF406 for a share out of range.
    """

    ranks: float = 0.5
    name = "low-rank"
    stage = "shape"

    def __post_init__(self) -> None:
        need_within(self.name, "ranks", self.ranks, 0.02, 1)

    def applies(self, spec: TierSpec) -> bool:
        """Encoders."""
        return is_encoder(spec)

    def compress(
        self, spec: TierSpec, folder: Path, target: Path, *, texts: Sequence[str] = ()
    ) -> TierSpec:
        """Take the two matrices of every feed-forward layer apart.

        Raises:
            AdaptError: PF404 where the tier is no encoder, is rounded already, or no matrix would
                become smaller; PF411 without texts; PF412 with too few.
        """
        need_encoder(spec, self.name)

        def change(graph: EncoderGraph) -> None:
            products = [one for both in feed_forwards(graph) for one in (both.up, both.down)]
            need_matrices(spec, self.name, products)
            smaller = [one for one in products if self._rank(one.matrix)]
            if not smaller:
                raise AdaptError(
                    "PF404",
                    f"tier '{spec.name}'",
                    f"two matrices of {self.ranks:g} of the ranks have no fewer weights than one",
                    mend="Give a smaller share: low-rank[ranks=0.5].",
                )
            seen = moments(graph, spec, folder, texts, [one.entering for one in smaller])
            for product in smaller:
                second = seen[product.entering].second
                thin, wide = factors(product.matrix, second, self._rank(product.matrix))
                _take_apart(graph, product, thin, wide)

        return write_changed(self.name, spec, folder, target, change)

    def _rank(self, matrix: Floats) -> int:
        """The rank that is kept; 0 where the matrix stays whole."""
        rank = max(1, round(self.ranks * min(matrix.shape)))
        return rank if rank * sum(matrix.shape) < matrix.size else 0


def factors(matrix: Floats, second: Doubles, rank: int) -> tuple[Floats, Floats]:
    """The two matrices of this rank whose product errs least on inputs of this moment.

    Args:
        matrix: ``(n_inputs, n_outputs)``.
        second: Second moment of its inputs, ``(n_inputs, n_inputs)``.
        rank: At most that of the matrix.

    Returns:
        ``(n_inputs, rank)`` and ``(rank, n_outputs)``, equally large.

    Example:
        >>> matrix = np.outer([1, 2], [3, 4]).astype(np.float32)
        >>> thin, wide = factors(matrix, np.eye(2), 1)
        >>> (thin @ wide).round(3).tolist()
        [[3.0, 4.0], [6.0, 8.0]]
    """
    lower = np.linalg.cholesky(damped(second))
    left, sizes, right = np.linalg.svd(lower.T @ matrix, full_matrices=False)
    root = np.sqrt(sizes[:rank])
    # The largest entry of each direction is positive, so that the same matrix gives the same bytes.
    largest = np.abs(right[:rank]).argmax(axis=1)
    signs = np.sign(right[np.arange(rank), largest])
    thin = np.linalg.solve(lower.T, left[:, :rank] * root * signs)
    return thin.astype(np.float32), ((root * signs)[:, None] * right[:rank]).astype(np.float32)


def _take_apart(graph: EncoderGraph, product: Product, thin: Floats, wide: Floats) -> None:
    from onnx import helper

    name, found = product.weight.removesuffix(".weight"), product.node.output[0]
    first = graph.set(f"{name}.thin.weight", thin)
    second = graph.set(product.weight, wide)
    between = f"{name}.thin"
    graph.replace(
        product.node,
        [
            helper.make_node("MatMul", [product.entering, first], [between], name=between),
            helper.make_node("MatMul", [between, second], [found], name=product.node.name),
        ],
    )
