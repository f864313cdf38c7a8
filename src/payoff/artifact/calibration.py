"""Calibration: from a model's logits to probabilities that mean what they say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from payoff.core.errors import ArtifactError

Curve = tuple[tuple[float, ...], tuple[float, ...]]
"""A polyline from 0 to 1: where its knots are, and its height at each."""

_PARTS: dict[str, tuple[str, ...]] = {
    "temperature": (),
    "vector": ("scales", "biases"),
    "isotonic": ("curves",),
    "venn-abers": ("curves",),
}
_APART = 2.0  # between the curves of two labels, where all lie behind each other on one axis


@dataclass(frozen=True, slots=True)
class Calibration:
    """How logits become probabilities; `payoff.evidence` fits it, serving applies it.

    Every method starts from ``softmax(logits / temperature)`` and keeps to these numbers:

    - ``temperature``: nothing else (Guo et al. 2017, "On Calibration of Modern Neural Networks",
      section 4.2). It never changes which label is the most probable.
    - ``vector``: ``softmax(scales · ln p + biases)`` of those probabilities ``p``: the same
      section's vector scaling, on ``ln p``, so that it does not matter what constant was added to
      a row of logits (the diagonal case of Dirichlet calibration, Kull et al. 2019).
    - ``isotonic`` and ``venn-abers``: each label's probability is read off its own curve, and
      the rows are brought back to a sum of 1 (Zadrozny & Elkan 2002, "Transforming classifier
      scores into accurate multiclass probability estimates").

    Args:
        temperature: Above 1 makes a model more modest, below 1 bolder; 1 leaves it as it is.
        method: One of the four.
        scales: One a label, for ``vector``.
        biases: One a label, for ``vector``.
        curves: One a label: knots from 0 to 1, rising, and heights from 0 to 1 that never fall.

    Raises:
        ArtifactError: PF504 where the temperature is no positive number, the method unknown, or
            a part is missing, malformed or of another method.

    Example:
        >>> import numpy as np
        >>> Calibration(2.0).apply(np.array([[2.0, 0.0]])).round(3)
        array([[0.731, 0.269]])
        >>> halved = ((0.0, 1.0), (0.0, 0.5))
        >>> as_it_was = ((0.0, 1.0), (0.0, 1.0))
        >>> one = Calibration(1.0, "isotonic", curves=(halved, as_it_was))
        >>> one.apply(np.array([[0.0, 0.0]])).round(3)  # 0.25 and 0.5, brought to a sum of 1
        array([[0.333, 0.667]])
    """

    temperature: float = 1.0
    method: str = "temperature"
    scales: tuple[float, ...] = field(default=(), kw_only=True, repr=False)
    biases: tuple[float, ...] = field(default=(), kw_only=True, repr=False)
    curves: tuple[Curve, ...] = field(default=(), kw_only=True, repr=False)
    _axis: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]] = field(
        init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        if self.method not in _PARTS:
            raise _wrong(f"method '{self.method}'", f"one of {', '.join(_PARTS)}")
        if not (math.isfinite(self.temperature) and self.temperature > 0):
            raise _wrong(f"temperature {self.temperature}", "a finite number above 0")
        for part in ("scales", "biases", "curves"):
            if bool(getattr(self, part)) != (part in _PARTS[self.method]):
                raise _wrong(
                    f"'{part}' of the method '{self.method}'",
                    " and ".join(_PARTS[self.method]) or "the temperature alone",
                )
        numbers = (*self.scales, *self.biases)
        if len(self.scales) != len(self.biases) or not all(map(math.isfinite, numbers)):
            raise _wrong("scales and biases", "as many of both, all finite")
        if not all(map(_is_curve, self.curves)):
            raise _wrong(
                "a curve", "knots that rise from 0 to 1, heights in 0 to 1 that never fall"
            )
        knots = [_APART * i + np.array(x) for i, (x, _) in enumerate(self.curves)]
        heights = [np.array(y) for _, y in self.curves]
        axis = (np.concatenate([*knots, []]), np.concatenate([*heights, []]))
        object.__setattr__(self, "_axis", axis)

    def apply(self, logits: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Logits ``(n_texts, n_labels)`` to probabilities of the same shape; rows sum to 1.

        Raises:
            ArtifactError: PF504 where it is for another number of labels.
        """
        scaled = np.asarray(logits, dtype=np.float64) / self.temperature
        n_labels = len(self.scales) or len(self.curves)
        if n_labels and scaled.shape[1] != n_labels:
            raise _wrong(f"numbers for {n_labels} labels", f"for {scaled.shape[1]}")
        if scaled.shape[0] == 0:
            return scaled
        if self.scales:
            scaled -= scaled.max(axis=1, keepdims=True)
            scaled -= np.log(np.exp(scaled).sum(axis=1, keepdims=True))
            scaled *= self.scales
            scaled += self.biases
        scaled -= scaled.max(axis=1, keepdims=True)
        np.exp(scaled, out=scaled)
        scaled /= scaled.sum(axis=1, keepdims=True)
        return self._read_off(scaled) if self.curves else scaled

    def _read_off(self, probabilities: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Each probability's height on its label's curve, rows brought to a sum of 1.

        All curves lie behind each other on one axis, so that one look-up does for all labels.
        """
        places = np.minimum(probabilities, 1.0) + _APART * np.arange(len(self.curves))
        heights = np.interp(places, *self._axis)
        total = heights.sum(axis=1, keepdims=True)
        # Where every curve is at 0 they tell nothing: the probabilities stay as they were.
        return np.where(total > 0, heights / np.where(total > 0, total, 1.0), probabilities)

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``calibration.json``: only the parts that the method has."""
        content: dict[str, Any] = {"method": self.method, "temperature": self.temperature}
        for part in _PARTS[self.method]:
            content[part] = _lists(getattr(self, part))
        return content

    @classmethod
    def from_json(cls, content: Any) -> Calibration:
        """What `to_json` gave.

        Raises:
            ArtifactError: PF504 where the content is of another shape.

        Example:
            >>> Calibration.from_json({"method": "temperature", "temperature": 1.5})
            Calibration(temperature=1.5, method='temperature')
        """
        try:
            parts = {part: _tuples(content[part]) for part in _PARTS.get(content["method"], ())}
            return cls(_number(content["temperature"]), content["method"], **parts)
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            raise ArtifactError(
                "PF504",
                "calibration.json",
                f"{str(content)[:80]}",
                expected='{"method": "temperature", "temperature": NUMBER} or another method',
            ) from error


def _wrong(found: str, expected: str) -> ArtifactError:
    return ArtifactError("PF504", "calibration", found, expected=expected)


def _is_curve(curve: Curve) -> bool:
    if len(curve) != 2 or len(curve[0]) != len(curve[1]) or len(curve[0]) < 2:
        return False
    x, y = np.array(curve[0]), np.array(curve[1])
    ends = x[0] == 0 and x[-1] == 1 and y[0] >= 0 and y[-1] <= 1
    return bool(ends and (np.diff(x) > 0).all() and (np.diff(y) >= 0).all())


def _lists(part: Sequence[Any]) -> list[Any]:
    return [_lists(one) if isinstance(one, tuple) else one for one in part]


def _tuples(part: Any) -> tuple[Any, ...]:
    if not isinstance(part, list):
        raise TypeError(part)
    return tuple(_tuples(one) if isinstance(one, list) else _number(one) for one in part)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(value)
    return float(value)
