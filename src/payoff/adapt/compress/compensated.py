"""Weights rounded one input after the other, each error made up for by the inputs still to come."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from payoff.adapt.compress.encoder_graph import Doubles, Floats

DAMPING = 0.01
"""Of the mean of the moment's diagonal, added to it: what few texts do not show is not trusted."""

_TOGETHER = 32  # inputs whose errors reach the rest in one product

Round = Callable[[int, Doubles], Doubles]


def compensated(matrix: Floats, second: Doubles, rounded: Round) -> Floats:
    """Round a matrix so that what it makes of its inputs changes little.

    Frantar et al. 2022, "GPTQ", section 3 and algorithm 1, which solves optimal brain surgeon's
    problem (Hassibi and Stork 1993) for all outputs in the same order of inputs.

    Args:
        matrix: ``(n_inputs, n_outputs)``.
        second: Second moment of its inputs, ``(n_inputs, n_inputs)``.
        rounded: Gives for an input's place and its weights, ``(n_outputs,)``, the allowed ones.

    Returns:
        Allowed weights, ``(n_inputs, n_outputs)``.

    Example:
        >>> inputs_alike = np.array([[1.0, 0.999], [0.999, 1.0]])
        >>> whole = compensated(
        ...     np.full((2, 1), 0.4, np.float32), inputs_alike, lambda _, row: row.round()
        ... )
        >>> whole.ravel().tolist()  # 0.4 became 0, and the other took over
        [0.0, 1.0]
    """
    left = matrix.astype(np.float64)
    upper = _upper(second)
    n = len(left)
    for start in range(0, n, _TOGETHER):
        end = min(start + _TOGETHER, n)
        errors = np.zeros((end - start, left.shape[1]))
        for place in range(start, end):
            wanted = left[place].copy()
            left[place] = rounded(place, wanted)
            error = (wanted - left[place]) / upper[place, place]
            left[place + 1 : end] -= np.outer(upper[place, place + 1 : end], error)
            errors[place - start] = error
        left[end:] -= upper[start:end, end:].T @ errors
    return left.astype(np.float32)


def damped(second: Doubles) -> Doubles:
    """A moment that can be inverted.

    Example:
        >>> damped(np.zeros((1, 1))).tolist()
        [[1.0]]
    """
    mean = float(np.diag(second).mean()) * DAMPING
    return second + (mean or 1.0) * np.eye(len(second))


def _upper(second: Doubles) -> Doubles:
    """The upper triangle of which the inverse is the product with itself, ``(n, n)``."""
    inverse = np.linalg.inv(damped(second))
    # Of a matrix read from its end, the lower triangle becomes the upper one.
    return np.asarray(np.linalg.cholesky((inverse + inverse.T) / 2).T, np.float64)
