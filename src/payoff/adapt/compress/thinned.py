"""Inputs of a product taken out, those first that the others can best stand in for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from payoff.adapt.compress.activations import Moment
from payoff.adapt.compress.compensated import damped
from payoff.adapt.compress.encoder_graph import Doubles, Floats

_LOTS = 16
"""Inputs go in so many lots; after each, those that stay are judged anew."""


@dataclass(frozen=True)
class Thinned:
    """A product with fewer inputs.

    Args:
        kept: Places of the inputs that stay, rising, ``(n_kept,)``.
        matrix: Their weights, ``(n_kept, n_outputs)``.
        added: What the others did on average: to be added to the outputs, ``(n_outputs,)``.
    """

    kept: npt.NDArray[np.intp]
    matrix: Floats
    added: Floats


def thinned(
    matrix: Floats, seen: Moment, n_kept: int, *, size: int = 1, is_bias: bool = True
) -> Thinned:
    """Take out groups of inputs, with the least change of the outputs on what was seen.

    A group costs what its loss adds to the squared error after the others took over as well as they
    can: optimal brain surgeon (Hassibi and Stork 1993) for groups, as in Kurtic et al. 2023,
    "ZipLM", section 3.1.

    Args:
        matrix: ``(n_inputs, n_outputs)``.
        seen: Of its inputs.
        n_kept: Groups that stay.
        size: Inputs of a group, which lie side by side.
        is_bias: Whether something may be added to the outputs.

    Example:
        >>> alike = Moment(np.array([3.0, 0, 0]), np.array([[10, 0.9, 0], [0.9, 1, 0], [0, 0, 1]]))
        >>> found = thinned(np.ones((3, 1), np.float32), alike, 2)
        >>> found.kept.tolist(), (found.matrix * 10).round().tolist(), found.added.tolist()
        ([1, 2], [[19.0], [10.0]], [3.0])
    """
    known = seen.covariance if is_bias else seen.second
    inverse: Doubles = np.asarray(np.linalg.inv(damped(known)), np.float64)
    left: Doubles = matrix.astype(np.float64)
    groups = np.arange(len(matrix)).reshape(-1, size)
    lots = np.diff(np.linspace(0, len(groups) - n_kept, _LOTS + 1).round().astype(int))
    for n_going in lots[lots > 0]:
        order = np.argsort(_costs(left, inverse, size), kind="stable")
        places = np.arange(len(left)).reshape(-1, size)
        goes, stays = places[order[:n_going]].ravel(), places[np.sort(order[n_going:])].ravel()
        # What the others know of those that go, and their inverse without them.
        taken = np.linalg.solve(inverse[np.ix_(goes, goes)], inverse[np.ix_(goes, stays)])
        left = np.asarray(left[stays] - taken.T @ left[goes], np.float64)
        inverse = np.asarray(
            inverse[np.ix_(stays, stays)] - inverse[np.ix_(stays, goes)] @ taken, np.float64
        )
        groups = groups[np.sort(order[n_going:])]
    kept = groups.ravel()
    added = np.zeros(matrix.shape[1])
    if is_bias:
        added = seen.mean @ matrix - seen.mean[kept] @ left
    return Thinned(kept, left.astype(np.float32), added.astype(np.float32))


def _costs(matrix: Doubles, inverse: Doubles, size: int) -> Doubles:
    """Of each group, ``(n_groups,)``: its weights in the metric of what only it can say."""
    n = len(matrix) // size
    blocks = inverse.reshape(n, size, n, size)[np.arange(n), :, np.arange(n), :]
    rows = matrix.reshape(n, size, -1)
    return np.asarray((rows * np.linalg.solve(blocks, rows)).sum(axis=(1, 2)))
