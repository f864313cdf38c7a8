"""What the outputs of a tier mean where its task is another than one class a text.

A tier's settings say the task under ``"task"``: its name, its labels, and what turns the graph's
outputs into answers. Training measures through the same functions as whoever serves the tier.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from payoff.core.errors import ArtifactError

Floats = npt.NDArray[np.float64]


def label_probabilities(outputs: npt.ArrayLike) -> Floats:
    """Probability of each label by itself, ``(n, k)`` to ``(n, k)``.

    Example:
        >>> label_probabilities([[0.0, -800.0]]).tolist()
        [[0.5, 0.0]]
    """
    z = np.asarray(outputs, dtype=np.float64)
    small = np.exp(-np.abs(z))
    return np.where(z >= 0, 1 / (1 + small), small / (1 + small))


def grade_probabilities(outputs: npt.ArrayLike) -> Floats:
    """Probability of each grade, ``(n, k)`` to ``(n, k)``; rows sum to 1.

    Example:
        >>> grade_probabilities([[0.0, 0.0]]).tolist()
        [[0.5, 0.5]]
    """
    z = np.asarray(outputs, dtype=np.float64)
    p = np.exp(z - z.max(axis=1, keepdims=True))
    shares: Floats = p / p.sum(axis=1, keepdims=True)
    return shares


def median_grades(probabilities: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """The median of each row's grades, which is expected to be the fewest grades off: ``(n,)``.

    Example:
        >>> median_grades([[0.4, 0.3, 0.3], [0.6, 0.0, 0.4]]).tolist()
        [1, 0]
    """
    below = np.cumsum(np.asarray(probabilities, dtype=np.float64), axis=1)
    return np.asarray((below < 0.5 - 1e-12).sum(axis=1), dtype=np.int64)


def numbers(outputs: npt.ArrayLike, *, mean: float, scale: float) -> Floats:
    """Numbers in their own unit, ``(n, 1)`` to ``(n,)``.

    Example:
        >>> numbers([[0.0], [1.0]], mean=10.0, scale=2.0).tolist()
        [10.0, 12.0]
    """
    z = np.asarray(outputs, dtype=np.float64)
    values: Floats = mean + scale * z[:, 0]
    return values


def answers(task: Mapping[str, Any], outputs: npt.ArrayLike) -> list[Any]:
    """What a tier says of each text, by the task of its settings.

    Args:
        task: The tier's setting ``"task"``.
        outputs: What its runtime gave, ``(n_texts, n_outputs)``.

    Returns:
        For ``multi-label`` a tuple of labels each, for ``ordinal`` a label, for ``regression`` a
        float.

    Raises:
        ArtifactError: PF503 where the task is unknown; PF504 where the setting is incomplete, or
            does not fit the outputs.

    Example:
        >>> answers({"name": "multi-label", "labels": ["a", "b"], "thresholds": [0.5, 0.2]},
        ...         [[2.0, -1.0], [-2.0, -2.0]])
        [('a', 'b'), ()]
        >>> answers({"name": "ordinal", "labels": ["low", "high"]}, [[0.0, 3.0]])
        ['high']
        >>> answers({"name": "regression", "mean": 1.0, "scale": 2.0}, [[0.5]])
        [2.0]
    """
    read = {"multi-label": _label_sets, "ordinal": _grades, "regression": _numbers}
    name = task.get("name")
    if name not in read:
        raise ArtifactError(
            "PF503",
            "task",
            f"'{name}' is unknown",
            expected=" or ".join(read),
            mend="Upgrade payoff.",
        )
    try:
        return read[name](task, np.asarray(outputs, dtype=np.float64))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ArtifactError("PF504", f"task '{name}'", str(error)[:120]) from error


def _label_sets(task: Mapping[str, Any], outputs: Floats) -> list[Any]:
    labels: Sequence[str] = task["labels"]
    said = label_probabilities(outputs) >= np.asarray(task["thresholds"], dtype=np.float64)
    return [tuple(label for label, on in zip(labels, row, strict=True) if on) for row in said]


def _grades(task: Mapping[str, Any], outputs: Floats) -> list[Any]:
    labels: Sequence[str] = task["labels"]
    return [labels[grade] for grade in median_grades(grade_probabilities(outputs))]


def _numbers(task: Mapping[str, Any], outputs: Floats) -> list[Any]:
    mean, scale = float(task["mean"]), float(task["scale"])
    return [float(value) for value in numbers(outputs, mean=mean, scale=scale)]
