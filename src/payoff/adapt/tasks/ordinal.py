"""One grade a text, of grades in an order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from payoff.adapt.tasks.cells import distinct, number_of, unfit
from payoff.adapt.tasks.classes import log_shares
from payoff.adapt.tasks.task import Labelled
from payoff.artifact.task_outputs import grade_probabilities, median_grades
from payoff.core.errors import DataError, did_you_mean
from payoff.evidence.ordinal import OrdinalQuality, measure_ordinal

if TYPE_CHECKING:
    from payoff.adapt.engine.objectives.objective import Objective
    from payoff.adapt.recipes.linear import LinearHead

_MOST_GRADES = 50


@dataclass(frozen=True, slots=True)
class Ordinal:
    """One of several grades, lowest first; targets are indices, ``(n,)``.

    What is said of a text is the median of its probabilities: expected to be the fewest grades
    off. The outputs are not calibrated by a temperature.

    Args:
        order: Grades from the lowest to the highest; not needed where all are numbers.

    Example:
        >>> Ordinal().read(["10", "9", "10"], "stars").labels
        ('9', '10')
        >>> Ordinal(("low", "mid", "high")).read(["high", "low"], "urgency").targets.tolist()
        [2, 0]
    """

    order: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """As `tasks.task_named` takes it."""
        return "ordinal"

    def read(self, cells: Sequence[str], where: str) -> Labelled:
        """Each cell is a grade: of the stated order, else a number.

        Raises:
            DataError: PF104 where fewer than two grades occur; PF114 for cells that are not in
                the order, for grades that are no numbers where no order is stated, and for an
                order that names a grade twice.
        """
        labels = self._stated(cells, where) if self.order else _by_number(cells, where)
        place = {label: i for i, label in enumerate(labels)}
        targets = np.array([place[cell.strip()] for cell in cells], dtype=np.int64)
        if len(np.unique(targets)) < 2:
            raise DataError(
                "PF104",
                where,
                f"all rows have the grade '{labels[targets[0]]}'" if len(targets) else "no rows",
                expected="at least two grades",
                mend="Check that the label column is the right one.",
            )
        return Labelled(labels, targets)

    def _stated(self, cells: Sequence[str], where: str) -> tuple[str, ...]:
        order = tuple(grade.strip() for grade in self.order)
        if len(set(order)) < len(order) or "" in order:
            raise DataError(
                "PF114",
                f"{where} order",
                f"{', '.join(order)} has an empty grade, or one twice",
                expected="each grade once, from the lowest to the highest",
            )
        wrong = [(i, cell) for i, cell in enumerate(cells) if cell.strip() not in order]
        if wrong:
            near = did_you_mean(wrong[0][1].strip(), order)
            mend = near or "Name all grades in --order."
            raise unfit(where, wrong, len(cells), expected=f"one of {', '.join(order)}", mend=mend)
        return order

    def fitted(self, targets: NDArray[Any]) -> Ordinal:
        """Nothing is learnt from the targets alone."""
        return self

    def strata(self, targets: NDArray[Any]) -> list[str]:
        """The grade itself."""
        return [str(target) for target in targets]

    def head(
        self, vectors: Any, targets: NDArray[Any], *, n_outputs: int, strength: float
    ) -> LinearHead:
        """Multinomial logistic regression; a grade without a row is less likely than any other."""
        from payoff.adapt.recipes.linear import fit_logistic

        return fit_logistic(vectors, targets, n_labels=n_outputs, strength=strength)

    def objective(self) -> Objective:
        """Cross-entropy with targets that fall off with the distance between grades."""
        from payoff.adapt.engine.objectives.soft_grades import SoftGrades

        return SoftGrades()

    def nothing(self, targets: NDArray[Any], n_rows: int, *, n_outputs: int) -> NDArray[Any]:
        """Logarithms of the grades' shares."""
        return np.tile(log_shares(targets, n_outputs), (n_rows, 1))

    def decided(self, outputs: ArrayLike, targets: NDArray[Any]) -> Ordinal:
        """Nothing is left to decide: the median is said."""
        return self

    def measure(self, outputs: ArrayLike, targets: NDArray[Any]) -> OrdinalQuality:
        """Distance in grades and the rest."""
        p = grade_probabilities(outputs)
        return measure_ordinal(p, targets, median_grades(p))

    def cross_measure(
        self, outputs: ArrayLike, targets: NDArray[Any], *, seed: int
    ) -> OrdinalQuality:
        """The same, since no row takes part in how it is decided."""
        return self.measure(outputs, targets)

    def settings(self, labels: tuple[str, ...]) -> dict[str, Any]:
        """Grades, lowest first."""
        return {"name": self.name, "labels": list(labels)}


def _by_number(cells: Sequence[str], where: str) -> tuple[str, ...]:
    grades = distinct(cell.strip() for cell in cells)
    numbers = {grade: number_of(grade) for grade in grades}
    wrong = [(i, cell) for i, cell in enumerate(cells) if numbers[cell.strip()] is None]
    if wrong:
        mend = "State the order of the grades: --order low,mid,high"
        raise unfit(where, wrong, len(cells), expected="numbers, or a stated order", mend=mend)
    if len(set(numbers.values())) < len(grades):
        value = max(numbers.values(), key=list(numbers.values()).count)
        alike = [grade for grade in grades if numbers[grade] == value]
        raise DataError(
            "PF104",
            where,
            f"one grade is written in several ways: {' = '.join(map(repr, alike))}",
            mend="Write every grade one way.",
        )
    if len(grades) > _MOST_GRADES:
        raise DataError(
            "PF114",
            where,
            f"{len(grades):,} different grades",
            expected=f"at most {_MOST_GRADES}",
            mend="If these are amounts, use the task 'regression'.",
        )
    return tuple(sorted(grades, key=lambda grade: numbers[grade] or 0.0))
