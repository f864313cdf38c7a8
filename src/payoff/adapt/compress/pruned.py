"""Which inputs of a product can go, and how those that stay take over from them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from payoff.adapt.compress.activations import Moment
from payoff.adapt.compress.compensated import damped
from payoff.adapt.compress.encoder_graph import Doubles, Floats

Places = npt.NDArray[np.intp]

_ROUNDS = 8
"""Inputs go in so many lots; after each, those that stay are judged anew."""


def kept_inputs(matrix: Floats, seen: Moment, n_kept: int, *, size: int = 1) -> Places:
    """The inputs that a product can least do without.

    A group of inputs costs what its loss adds to the squared error of the outputs after the others
    took over as well as they can.

    Args:
        matrix: ``(n_inputs, n_outputs)``.
        seen: Of its inputs.
        n_kept: Groups that stay.
        size: Inputs of a group, which lie side by side.

    Returns:
        Places of single inputs, rising, ``(n_kept * size,)``.

    Example:
        >>> alike = Moment(np.zeros(3), np.array([[1, 0.9, 0], [0.9, 1, 0], [0, 0, 0.5]]))
        >>> kept_inputs(np.ones((3, 1), np.float32), alike, 2).tolist()  # one of the first two
        [1, 2]
    """
    covariance = damped(seen.covariance)
    groups = np.arange(len(matrix)).reshape(-1, size)
    lots = np.diff(np.linspace(0, len(groups) - n_kept, _ROUNDS + 1).round().astype(int))
    for n_going in lots[lots > 0]:
        places = groups.ravel()
        inverse = np.linalg.inv(covariance[np.ix_(places, places)])
        left, _ = taken_over(matrix, seen, places)
        costs = _costs(left.astype(np.float64), inverse, size)
        stays = np.sort(np.argsort(costs, kind="stable")[n_going:])
        groups = groups[stays]
    return np.asarray(groups.ravel())


def _costs(matrix: Doubles, inverse: Doubles, size: int) -> Doubles:
    """Of each group, ``(n_groups,)``: its weights in the metric of what only it can say."""
    n = len(matrix) // size
    blocks = inverse.reshape(n, size, n, size)[np.arange(n), :, np.arange(n), :]
    rows = matrix.reshape(n, size, -1)
    return np.asarray((rows * np.linalg.solve(blocks, rows)).sum(axis=(1, 2)))


def taken_over(
    matrix: Floats, seen: Moment, kept: Places, *, is_bias: bool = True
) -> tuple[Floats, Floats]:
    """Weights of the inputs that stay, with which outputs change least.

    Args:
        matrix: ``(n_inputs, n_outputs)``.
        seen: Of its inputs.
        kept: Places of those that stay.
        is_bias: Whether something may be added to the outputs.

    Returns:
        ``(n_kept, n_outputs)``, and what is to be added to the outputs, ``(n_outputs,)``.

    Example:
        >>> alike = Moment(np.zeros(2), np.ones((2, 2)))
        >>> matrix, _ = taken_over(np.array([[1.0], [2.0]], np.float32), alike, np.array([1]))
        >>> matrix.round(1).tolist()
        [[3.0]]
    """
    if len(kept) == len(matrix):
        return matrix, np.zeros(matrix.shape[1], np.float32)
    known = seen.covariance if is_bias else seen.second
    square, cross = damped(known)[np.ix_(kept, kept)], known[kept]
    # Damping pulls towards the weights as they are, and not towards 0.
    others = np.ones(len(matrix), bool)
    others[kept] = False
    moved = np.linalg.solve(square, cross[:, others] @ matrix[others])
    left = matrix[kept] + moved
    added = seen.mean @ matrix - seen.mean[kept] @ left if is_bias else np.zeros(matrix.shape[1])
    return left.astype(np.float32), added.astype(np.float32)
