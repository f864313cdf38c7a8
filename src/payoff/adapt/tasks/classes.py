"""One class a text: the task of all recipes unless another is named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from payoff.adapt.tasks.task import Labelled
from payoff.artifact.calibration import Calibration
from payoff.core.errors import DataError
from payoff.evidence.calibration import cross_fitted, fit_temperature
from payoff.evidence.quality import Quality, measure_quality

if TYPE_CHECKING:
    from payoff.adapt.engine.objectives.objective import Objective
    from payoff.adapt.recipes.linear import LinearHead


@dataclass(frozen=True, slots=True)
class Classes:
    """Exactly one of several labels; targets are indices, ``(n,)``.

    Args:
        temperature: Divides the outputs before they become probabilities.

    Example:
        >>> read = Classes().read(["refund", "card", "refund"], "intent")
        >>> read.labels, read.targets.tolist()
        (('card', 'refund'), [1, 0, 1])
    """

    temperature: float = 1.0

    @property
    def name(self) -> str:
        """As `tasks.task_named` takes it."""
        return "classes"

    def read(self, cells: Sequence[str], where: str) -> Labelled:
        """Each cell is a label.

        Raises:
            DataError: PF104 where there are fewer than two.
        """
        labels = tuple(sorted(set(cells)))
        if len(labels) < 2:
            raise DataError(
                "PF104", where, f"{len(labels)} label occurs", expected="at least two classes"
            )
        place = {label: i for i, label in enumerate(labels)}
        return Labelled(labels, np.array([place[cell] for cell in cells], dtype=np.int64))

    def fitted(self, targets: NDArray[Any]) -> Classes:
        """Nothing is learnt from the targets alone."""
        return self

    def strata(self, targets: NDArray[Any]) -> list[str]:
        """The class itself."""
        return [str(target) for target in targets]

    def head(
        self, vectors: Any, targets: NDArray[Any], *, n_outputs: int, strength: float
    ) -> LinearHead:
        """Multinomial logistic regression; a class without a row is less likely than any other."""
        from payoff.adapt.recipes.linear import fit_logistic

        return fit_logistic(vectors, targets, n_labels=n_outputs, strength=strength)

    def objective(self) -> Objective:
        """Smoothed cross-entropy."""
        from payoff.adapt.engine.objectives.cross_entropy import CrossEntropy

        return CrossEntropy()

    def nothing(self, targets: NDArray[Any], n_rows: int, *, n_outputs: int) -> NDArray[Any]:
        """Logarithms of the classes' shares."""
        return np.tile(log_shares(targets, n_outputs), (n_rows, 1))

    def decided(self, outputs: ArrayLike, targets: NDArray[Any]) -> Classes:
        """With the temperature that makes the truth most likely."""
        return Classes(fit_temperature(outputs, targets).temperature)

    def measure(self, outputs: ArrayLike, targets: NDArray[Any]) -> Quality:
        """Accuracy, F1 and the rest, at this temperature."""
        return measure_quality(Calibration(self.temperature).apply(outputs), targets)

    def cross_measure(self, outputs: ArrayLike, targets: NDArray[Any], *, seed: int) -> Quality:
        """The same, no row being calibrated with itself."""
        return measure_quality(cross_fitted(outputs, targets, seed=seed), targets)

    def settings(self, labels: tuple[str, ...]) -> dict[str, Any]:
        """Labels and temperature."""
        return {"name": self.name, "labels": list(labels), "temperature": self.temperature}


def log_shares(targets: NDArray[Any], n_outputs: int) -> NDArray[np.float64]:
    """Ln of each class's share, half a row being added to each: ``(n_outputs,)``.

    Example:
        >>> np.exp(log_shares(np.array([0, 0, 0]), 2)).round(6).tolist()
        [0.875, 0.125]
    """
    counts = np.bincount(targets, minlength=n_outputs) + 0.5
    shares: NDArray[np.float64] = np.log(counts / counts.sum())
    return shares
