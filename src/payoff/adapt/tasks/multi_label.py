"""Any number of labels a text, each decided by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from payoff.adapt.tasks.cells import distinct, labels_of, unfit
from payoff.adapt.tasks.task import Labelled
from payoff.artifact.task_outputs import label_probabilities
from payoff.core.errors import DataError, raise_all
from payoff.core.extras import require
from payoff.data.roles import clashing_labels
from payoff.evidence.multi_label import (
    MultiLabelQuality,
    best_thresholds,
    cross_fitted_labels,
    measure_multi_label,
    rarest_label,
)

if TYPE_CHECKING:
    from payoff.adapt.engine.objectives.objective import Objective
    from payoff.adapt.recipes.linear import LinearHead


@dataclass(frozen=True, slots=True)
class MultiLabel:
    """None, one or several labels; targets are 1 where a text has a label, ``(n, n_labels)``.

    Args:
        thresholds: Of each label's probability, from which on it is given; empty for 0.5.

    Example:
        >>> read = MultiLabel().read(["late;rude", "", "late"], "tags")
        >>> read.labels, read.targets.tolist()
        (('late', 'rude'), [[1.0, 1.0], [0.0, 0.0], [1.0, 0.0]])
    """

    thresholds: tuple[float, ...] = ()

    @property
    def name(self) -> str:
        """As `tasks.task_named` takes it."""
        return "multi-label"

    def read(self, cells: Sequence[str], where: str) -> Labelled:
        """Each cell is ``a;b``, ``a|b``, a JSON list of strings, or empty for no label.

        Raises:
            DataError: PF104 where no row has a label, all rows have the same ones, or labels
                differ only by case or white space; PF114 for a cell that is no list, and where
                commas seem to be meant as separators.
        """
        found = [labels_of(cell) for cell in cells]
        wrong = [(i, cells[i]) for i, labels in enumerate(found) if labels is None]
        expected = 'labels as a;b or a|b or ["a", "b"], nothing for none'
        if wrong:
            raise unfit(where, wrong, len(cells), expected=expected, mend="Write JSON, or a;b.")
        sets = [labels or () for labels in found]
        if all(len(labels) < 2 for labels in sets):
            commas = [(i, cell) for i, cell in enumerate(cells) if "," in cell and "[" not in cell]
            if commas:
                mend = 'Write a;b for two labels; a label with a comma is ["a, b"].'
                raise unfit(where, commas, len(cells), expected=expected, mend=mend)
        labels = tuple(sorted(distinct(label for row in sets for label in row)))
        raise_all(clashing_labels(list(labels), where))
        targets = np.zeros((len(cells), len(labels)), np.float32)
        place = {label: i for i, label in enumerate(labels)}
        for row, own in enumerate(sets):
            targets[row, [place[label] for label in own]] = 1.0
        if not labels or (len(cells) and (targets == targets[0]).all()):
            raise DataError(
                "PF104",
                where,
                "all rows have the same labels" if labels else "no row has a label",
                expected="rows that differ in their labels",
                mend="Check that the label column is the right one.",
            )
        return Labelled(labels, targets)

    def fitted(self, targets: NDArray[Any]) -> MultiLabel:
        """Nothing is learnt from the targets alone."""
        return self

    def strata(self, targets: NDArray[Any]) -> list[str]:
        """The label of each row that fewest rows have, so that rare ones stand in every part."""
        return [str(label) for label in rarest_label(targets)]

    def head(
        self, vectors: Any, targets: NDArray[Any], *, n_outputs: int, strength: float
    ) -> LinearHead:
        """A logistic regression for each label; one that all or no rows have gets a bias alone."""
        from payoff.adapt.recipes.linear import LinearHead

        linear = require("sklearn.linear_model", "tune", "training a head")
        weight = np.zeros((n_outputs, vectors.shape[1]), np.float32)
        bias = log_odds(targets).astype(np.float32)
        for label in range(n_outputs):
            if 0 < targets[:, label].sum() < len(targets):
                model = linear.LogisticRegression(C=strength, max_iter=1000, tol=1e-4)
                model.fit(vectors, targets[:, label].astype(np.int64))
                weight[label], bias[label] = model.coef_[0], model.intercept_[0]
        return LinearHead(weight, bias)

    def objective(self) -> Objective:
        """Binary cross-entropy of each label."""
        from payoff.adapt.engine.objectives.binary_cross_entropy import BinaryCrossEntropy

        return BinaryCrossEntropy()

    def nothing(self, targets: NDArray[Any], n_rows: int, *, n_outputs: int) -> NDArray[Any]:
        """Log-odds of each label's share."""
        return np.tile(log_odds(targets), (n_rows, 1))

    def decided(self, outputs: ArrayLike, targets: NDArray[Any]) -> MultiLabel:
        """With the thresholds of the highest F1 on these rows."""
        thresholds = best_thresholds(label_probabilities(outputs), targets)
        return MultiLabel(tuple(float(cut) for cut in thresholds))

    def measure(self, outputs: ArrayLike, targets: NDArray[Any]) -> MultiLabelQuality:
        """F1 and the rest, at these thresholds."""
        p = label_probabilities(outputs)
        return measure_multi_label(p, targets, p >= self._cuts(p.shape[1]))

    def cross_measure(
        self, outputs: ArrayLike, targets: NDArray[Any], *, seed: int
    ) -> MultiLabelQuality:
        """The same, each row being cut by thresholds from other rows."""
        p = label_probabilities(outputs)
        return measure_multi_label(p, targets, cross_fitted_labels(p, targets, seed=seed))

    def settings(self, labels: tuple[str, ...]) -> dict[str, Any]:
        """Labels and thresholds."""
        cuts = self._cuts(len(labels)).tolist()
        return {"name": self.name, "labels": list(labels), "thresholds": cuts}

    def _cuts(self, n_labels: int) -> NDArray[np.float64]:
        return np.array(self.thresholds or (0.5,) * n_labels, dtype=np.float64)


def log_odds(targets: NDArray[Any]) -> NDArray[np.float64]:
    """Ln of rows with a label over rows without, half a row being added to both: ``(n_labels,)``.

    Example:
        >>> log_odds(np.array([[1.0], [0.0]])).tolist()
        [0.0]
    """
    having = targets.sum(axis=0, dtype=np.float64)
    odds: NDArray[np.float64] = np.log((having + 0.5) / (len(targets) - having + 0.5))
    return odds
