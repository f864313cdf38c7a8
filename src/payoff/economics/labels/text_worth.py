"""Text worth: which texts to have labelled first, by what their labels are expected to bring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from payoff.core.errors import EconomicsError
from payoff.economics.policy import Policy

_ALIKE: Final = 0.5  # cosine from which two texts are taken to have to do with each other
_MOST_REFERENCES: Final = 4000
_STREAM: Final = 29


def value_of_truth(policy: Policy, probabilities: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """What it would be worth to know a request's true label before acting, per request.

    ``Σ_i p(i | x) · max_a M[i, a] − max_a Σ_i p(i | x) · M[i, a]``: the expected value of perfect
    information (Howard 1966, "Information value theory", IEEE Trans. SSC 2(1)).

    Args:
        policy: What is done at which probabilities; its shadow prices do not count.
        probabilities: Calibrated, ``(n, k)``.

    Returns:
        Money, 0 or more, ``(n,)``.

    Raises:
        EconomicsError: PF611 where they are no probabilities of these labels.

    Example:
        >>> policy = Policy(("a", "b"), np.array([[3.0, -7.0, -2.0], [-7.0, 3.0, -2.0]]))
        >>> value_of_truth(policy, np.array([[1.0, 0.0], [0.5, 0.5]])).tolist()
        [0.0, 5.0]
    """
    expected = policy.expected_values(probabilities).max(axis=1)
    known = policy.tables.best(policy.shifted(probabilities))
    return np.asarray(np.maximum(known - expected, 0.0))


@dataclass(frozen=True, eq=False)
class TextChoice:
    """Texts in the order in which to have them labelled.

    Args:
        rows: Places of the texts, the first to label first, ``(n_chosen,)``.
        reach: What each adds: the value of the truth about a request that is as near to it as the
            mean request, and not nearer to one before it, in money per request, ``(n_chosen,)``.
        value: Value of the truth about the text itself, money per request, ``(n_chosen,)``.
        mean_reach: What one text drawn at random would add as the first.
    """

    rows: NDArray[np.int64]
    reach: NDArray[np.float64]
    value: NDArray[np.float64]
    mean_reach: float


def choose_texts(
    values: NDArray[np.floating[Any]],
    vectors: NDArray[np.floating[Any]],
    count: int,
    *,
    seed: int = 0,
) -> TextChoice:
    """Choose the texts whose labels tell most, together, about requests that are dear to get wrong.

    The set ``S`` makes ``Σ_x v(x) · max_{s ∈ S} k(x, s)`` large, where ``v`` is the value of the
    truth and ``k`` falls from 1 for the same text to 0 for one at a cosine of a half. It is taken
    greedily, which reaches at least 63 % of the best set (Nemhauser, Wolsey and Fisher 1978; as a
    choice of what to label: Wei, Iyer and Bilmes 2015, "Submodularity in data subset selection and
    active learning", ICML). So an outlier adds little, since nothing is near to it, and a duplicate
    adds nothing.

    Args:
        values: `value_of_truth` of each text, ``(n,)``.
        vectors: Of each text, ``(n, width)``; any length.
        count: How many to choose; all where there are fewer.
        seed: Of the sample of 4,000 texts that stand for all where there are more.

    Raises:
        EconomicsError: PF624 where the shapes do not fit, a value is negative or not finite, or
            ``count`` is below 1.

    Example:
        >>> vectors = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> choose_texts(np.array([2.0, 2.0, 3.0]), vectors, 2).rows.tolist()
        [0, 2]
    """
    worths = np.asarray(values, np.float64)
    fits = worths.ndim == 1 and vectors.ndim == 2 and len(worths) == len(vectors) > 0
    if not fits or count < 1 or not np.isfinite(worths).all() or (worths < 0).any():
        raise EconomicsError(
            "PF624",
            "texts to label",
            f"values of the shape {values.shape}, vectors {vectors.shape}, {count} wanted",
            expected="a value of 0 or more and a vector a text, and at least one wanted",
        )
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = np.asarray(vectors / np.where(lengths > 0, lengths, 1.0), np.float32)
    rng = np.random.default_rng([seed, _STREAM])
    stand = np.arange(len(values))
    if len(values) > _MOST_REFERENCES:
        stand = np.sort(rng.choice(len(values), _MOST_REFERENCES, replace=False))
    return _greedy(worths, unit, stand, min(count, len(worths)))


def _greedy(
    values: NDArray[np.float64],
    unit: NDArray[np.float32],
    stand: NDArray[np.int64],
    count: int,
) -> TextChoice:
    """Lazily: what a text adds only falls as others are taken, so most need no second look."""
    weights, reference = values[stand], unit[stand]
    covered = np.zeros(len(stand))

    def near(row: int) -> NDArray[np.float64]:
        return np.asarray(np.clip((unit[row] @ reference.T - _ALIKE) / (1.0 - _ALIKE), 0.0, 1.0))

    adds = np.array([near(row) @ weights for row in range(len(values))]) / len(stand)
    mean_reach = float(adds.mean())
    stale = np.zeros(len(values), bool)
    rows, reach = [], []
    for _ in range(count):
        while True:
            row = int(adds.argmax())
            if not stale[row]:
                break
            adds[row] = float(np.maximum(near(row) - covered, 0.0) @ weights) / len(stand)
            stale[row] = False
        rows.append(row)
        reach.append(max(float(adds[row]), 0.0))
        covered = np.maximum(covered, near(row))
        adds[row] = -np.inf
        stale[:] = True
    chosen = np.array(rows, np.int64)
    return TextChoice(chosen, np.array(reach), values[chosen], mean_reach)
