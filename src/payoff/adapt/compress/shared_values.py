"""Matrices in which few values occur: what entropy coding makes small, and 8 bits serve fast.

All weights of an output are a value of the matrix's short list times that output's largest weight.
The values lie on the steps of 8 bits, and the largest weight stays as it is, so that `int8`
afterwards finds the same few bytes in all rows: they are served as any other 8-bit weights are,
and a packed file holds little more than the entropy of the list.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from payoff.adapt.compress.activations import moments
from payoff.adapt.compress.compensated import compensated
from payoff.adapt.compress.encoder_graph import (
    POSITIONS,
    Doubles,
    EncoderGraph,
    Floats,
    need_encoder,
    need_matrices,
    write_changed,
)
from payoff.adapt.compress.fp16 import narrow
from payoff.artifact.tier import TierSpec

STEPS = 127
"""Of 8 bits, on either side of 0."""

Choose = Callable[[Floats, Doubles], Doubles]
"""Of weights between -1 and 1, and what each counts: the values that they may take, rising."""


def write_with_shared_values(
    name: str,
    spec: TierSpec,
    folder: Path,
    target: Path,
    *,
    texts: Sequence[str],
    of_matrix: Choose,
    of_table: Choose,
) -> TierSpec:
    """Write a tier whose matrices and token table have few values; positions take 16 bits.

    Args:
        name: Of the compressor.
        spec: The tier.
        folder: Where its files are.
        target: Folder to make.
        texts: Of the domain; errors of matrices are made up for on what they show.
        of_matrix: The values of a matrix.
        of_table: The values of the token table.

    Raises:
        AdaptError: PF404 where the tier is no encoder, or is rounded already; PF411 without
            texts; PF412 with too few.
    """
    need_encoder(spec, name)

    def change(graph: EncoderGraph) -> None:
        products, tables = graph.inner(), graph.tables()
        need_matrices(spec, name, [*products, *tables])
        seen = moments(graph, spec, folder, texts, [one.entering for one in products])
        for product in products:
            second = seen[product.entering].second
            graph.set_matrix(product, of_few_values(product.matrix, second, of_matrix))
        for node in tables:
            table = graph.array(node.input[0])
            assert table is not None
            graph.set(node.input[0], table_of_few_values(table, of_table))
        if graph.array(POSITIONS) is not None:
            narrow(graph, POSITIONS)  # nothing rounds it any further

    return write_changed(name, spec, folder, target, change)


def of_few_values(matrix: Floats, second: Doubles, choose: Choose) -> Floats:
    """A matrix with few values, errors made up for.

    Args:
        matrix: ``(n_inputs, n_outputs)``.
        second: Second moment of its inputs, ``(n_inputs, n_inputs)``.
        choose: The values that it may have.

    Example:
        >>> matrix = np.array([[1.0, -2.0], [0.1, 1.9]], np.float32)
        >>> of_few_values(matrix, np.eye(2), lambda *_: np.array([-1.0, 0.0, 1.0])).tolist()
        [[1.0, -2.0], [0.0, 2.0]]
    """
    largest = np.abs(matrix).max(axis=0)
    largest[largest == 0] = 1.0
    unit = matrix / largest
    counts = np.outer(np.diag(second), largest.astype(np.float64) ** 2)
    values = choose(unit, counts)
    held = np.abs(unit).argmax(axis=0)
    signs = np.sign(unit[held, np.arange(unit.shape[1])])

    def rounded(place: int, row: Doubles) -> Doubles:
        found = nearest(values, row / largest)
        return np.asarray(np.where(held == place, signs, found) * largest)

    return compensated(matrix, second, rounded)


def table_of_few_values(table: Floats, choose: Choose) -> Floats:
    """A table with few values: one list, and one largest weight, for all rows.

    Example:
        >>> table = np.array([[1.0, -0.2], [0.1, 0.9]], np.float32)
        >>> table_of_few_values(table, lambda *_: np.array([-1.0, 0.0, 1.0])).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    largest = float(np.abs(table).max()) or 1.0
    unit = table / largest
    values = choose(unit, np.ones(unit.shape))
    return np.asarray(nearest(values, unit) * largest, np.float32)


def nearest(values: Doubles, weights: Doubles | Floats) -> Doubles:
    """The value nearest to each weight.

    Example:
        >>> nearest(np.array([-1.0, 0.0, 1.0]), np.array([0.6, -0.4])).tolist()
        [1.0, 0.0]
    """
    between = (values[1:] + values[:-1]) / 2
    return np.asarray(values[np.searchsorted(between, weights)])


def on_steps(values: Doubles) -> Doubles:
    """Values between -1 and 1 moved onto the steps of 8 bits, each once, rising.

    Example:
        >>> (on_steps(np.array([-1.0, 0.001, 0.5])) * 127).round().tolist()
        [-127.0, 0.0, 64.0]
    """
    return np.asarray(np.unique(np.rint(values * STEPS)) / STEPS)
