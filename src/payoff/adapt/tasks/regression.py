"""A number a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from payoff.adapt.tasks.cells import number_of, unfit
from payoff.adapt.tasks.task import Labelled
from payoff.artifact.task_outputs import numbers
from payoff.core.errors import DataError
from payoff.core.extras import require
from payoff.evidence.regression import RegressionQuality, measure_regression

if TYPE_CHECKING:
    from payoff.adapt.engine.objectives.objective import Objective
    from payoff.adapt.recipes.linear import LinearHead

_STRATA = 8  # bands of equally many rows
_PENALTY = 10.0  # of a ridge regression, at strength 1


@dataclass(frozen=True, slots=True)
class Regression:
    """A number; targets are in its own unit, ``(n,)``.

    A model's one output is standardised: the number less ``mean``, over ``scale``. So training
    does not depend on the unit, and `payoff.artifact.task_outputs` gives the number back.

    Args:
        mean: Mean of the training rows.
        scale: Their standard deviation.
        median: Their median, which a model that reads no text would say.

    Example:
        >>> Regression().read(["1,234.5", "-2"], "amount").targets.tolist()
        [1234.5, -2.0]
        >>> Regression().fitted(np.array([1.0, 3.0]))
        Regression(mean=2.0, scale=1.0, median=2.0)
    """

    mean: float = 0.0
    scale: float = 1.0
    median: float = 0.0

    @property
    def name(self) -> str:
        """As `tasks.task_named` takes it."""
        return "regression"

    def read(self, cells: Sequence[str], where: str) -> Labelled:
        """Each cell is a number, with or without commas between thousands.

        Raises:
            DataError: PF104 where all numbers are equal; PF114 for cells that are no number.
        """
        found = [number_of(cell) for cell in cells]
        wrong = [(i, cells[i]) for i, value in enumerate(found) if value is None]
        if wrong:
            mend = "Write 1234.5 or 1,234.5; leave out rows without a number."
            raise unfit(where, wrong, len(cells), expected="numbers", mend=mend)
        targets = np.array(found, dtype=np.float64)
        if len(np.unique(targets)) < 2:
            raise DataError(
                "PF104",
                where,
                f"all rows have the number {targets[0]:g}" if len(targets) else "no rows",
                expected="at least two different numbers",
                mend="Check that the label column is the right one.",
            )
        return Labelled(("value",), targets)

    def fitted(self, targets: NDArray[Any]) -> Regression:
        """With mean, standard deviation and median of these targets."""
        scale = float(np.std(targets))
        return Regression(
            float(np.mean(targets)), scale if scale > 0 else 1.0, float(np.median(targets))
        )

    def strata(self, targets: NDArray[Any]) -> list[str]:
        """Bands of about equally many rows, fewer than eight where there are few rows."""
        n_bands = int(np.clip(len(targets) // 8, 2, _STRATA))
        edges = np.unique(np.quantile(targets, np.arange(1, n_bands) / n_bands))
        bands = np.searchsorted(edges, targets, side="left")
        if len(np.unique(bands)) < 2:
            bands = (targets > np.median(targets)).astype(np.int64)
        return [str(band) for band in bands]

    def head(
        self, vectors: Any, targets: NDArray[Any], *, n_outputs: int, strength: float
    ) -> LinearHead:
        """Ridge regression of the standardised number, with a penalty of 10 / ``strength``."""
        from payoff.adapt.recipes.linear import LinearHead

        linear = require("sklearn.linear_model", "tune", "training a head")
        dense = isinstance(vectors, np.ndarray)
        model = linear.Ridge(_PENALTY / strength, solver="cholesky" if dense else "sparse_cg")
        model.fit(vectors, (targets - self.mean) / self.scale)
        weight = np.asarray(model.coef_, dtype=np.float32).reshape(1, -1)
        return LinearHead(weight, np.array([model.intercept_], np.float32))

    def objective(self) -> Objective:
        """Huber's error of the standardised number."""
        from payoff.adapt.engine.objectives.huber import Huber

        return Huber(self.mean, self.scale)

    def nothing(self, targets: NDArray[Any], n_rows: int, *, n_outputs: int) -> NDArray[Any]:
        """The median."""
        return np.full((n_rows, 1), (float(np.median(targets)) - self.mean) / self.scale)

    def decided(self, outputs: ArrayLike, targets: NDArray[Any]) -> Regression:
        """Nothing is left to decide."""
        return self

    def measure(self, outputs: ArrayLike, targets: NDArray[Any]) -> RegressionQuality:
        """Errors in the number's own unit."""
        predicted = numbers(outputs, mean=self.mean, scale=self.scale)
        return measure_regression(predicted, targets, constant=self.median)

    def cross_measure(
        self, outputs: ArrayLike, targets: NDArray[Any], *, seed: int
    ) -> RegressionQuality:
        """The same, since no row takes part in how it is decided."""
        return self.measure(outputs, targets)

    def settings(self, labels: tuple[str, ...]) -> dict[str, Any]:
        """What gives the number back."""
        return {
            "name": self.name,
            "labels": list(labels),
            "mean": self.mean,
            "scale": self.scale,
        }
