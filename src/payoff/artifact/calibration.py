"""Calibration: from a model's logits to probabilities that mean what they say."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from payoff.core.errors import ArtifactError


@dataclass(frozen=True, slots=True)
class Calibration:
    """Temperature scaling: ``softmax(logits / temperature)``.

    Guo et al. 2017, "On Calibration of Modern Neural Networks", section 4.2. It never changes
    which label is the most probable.

    Args:
        temperature: Above 1 makes a model more modest, below 1 bolder; 1 leaves it as it is.
        method: ``"temperature"``, the one method of format 1.

    Raises:
        ArtifactError: PF504 where the temperature is no positive number or the method unknown.

    Example:
        >>> import numpy as np
        >>> Calibration(2.0).apply(np.array([[2.0, 0.0]])).round(3)
        array([[0.731, 0.269]])
    """

    temperature: float = 1.0
    method: str = "temperature"

    def __post_init__(self) -> None:
        if self.method != "temperature":
            raise ArtifactError(
                "PF504", "calibration", f"method '{self.method}'", expected="'temperature'"
            )
        if not (math.isfinite(self.temperature) and self.temperature > 0):
            raise ArtifactError(
                "PF504",
                "calibration",
                f"temperature {self.temperature}",
                expected="a finite number above 0",
            )

    def apply(self, logits: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Logits ``(n_texts, n_labels)`` to probabilities of the same shape; rows sum to 1."""
        scaled = np.asarray(logits, dtype=np.float64) / self.temperature
        if scaled.shape[0] == 0:
            return scaled
        scaled -= scaled.max(axis=1, keepdims=True)
        np.exp(scaled, out=scaled)
        scaled /= scaled.sum(axis=1, keepdims=True)
        return scaled

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``calibration.json``."""
        return {"method": self.method, "temperature": self.temperature}

    @classmethod
    def from_json(cls, content: Any) -> Calibration:
        """What `to_json` gave.

        Raises:
            ArtifactError: PF504 where the content is of another shape.

        Example:
            >>> Calibration.from_json({"method": "temperature", "temperature": 1.5})
            Calibration(temperature=1.5, method='temperature')
        """
        temperature = content.get("temperature") if isinstance(content, dict) else None
        if isinstance(temperature, bool) or not isinstance(temperature, (int, float)):
            raise ArtifactError(
                "PF504",
                "calibration.json",
                f"{str(content)[:80]}",
                expected='{"method": "temperature", "temperature": NUMBER}',
            )
        return cls(float(temperature), str(content.get("method")))
