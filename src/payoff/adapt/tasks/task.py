"""The interface of every task with one vector of outputs a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from payoff.adapt.engine.objectives.objective import Objective
    from payoff.adapt.recipes.linear import LinearHead


@dataclass(frozen=True, slots=True)
class Labelled:
    """What the cells of a label column mean.

    Args:
        labels: Names of the outputs, ``n_outputs`` of them.
        targets: One row a text; of what shape, the task says.
    """

    labels: tuple[str, ...]
    targets: NDArray[Any]


class Figures(Protocol):
    """Evidence of one task: a frozen dataclass of figures."""

    @property
    def n(self) -> int:
        """Rows that were measured."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""


class Task(Protocol):
    """What texts are given, and all that follows from it.

    A task is a frozen value. What it must know from rows, such as the scale of numbers or where to
    cut probabilities, it learns through `fitted` and `decided`, each of which gives a new one.
    """

    @property
    def name(self) -> str:
        """As `tasks.task_named` takes it."""

    def read(self, cells: Sequence[str], where: str) -> Labelled:
        """Labels and targets of a label column.

        Args:
            cells: One a row; the first is row 1.
            where: What errors call the column.

        Raises:
            DataError: PF104 where there is nothing to learn; PF114 for cells that do not fit,
                all of them at once.
        """

    def fitted(self, targets: NDArray[Any]) -> Task:
        """The task, knowing what the targets of the training rows tell."""

    def strata(self, targets: NDArray[Any]) -> list[str]:
        """A class for each row, so that rows can be cut in proportion."""

    def head(
        self, vectors: Any, targets: NDArray[Any], *, n_outputs: int, strength: float
    ) -> LinearHead:
        """The best linear head on fixed vectors.

        Args:
            vectors: ``(n, width)``, dense or sparse.
            targets: Of these rows.
            n_outputs: How many labels there are.
            strength: Inverse of the penalty.
        """

    def objective(self) -> Objective:
        """What fine-tuning minimises unless a recipe says otherwise."""

    def nothing(self, targets: NDArray[Any], n_rows: int, *, n_outputs: int) -> NDArray[Any]:
        """Outputs of a model that knows these training targets and reads no text.

        Returns:
            ``(n_rows, n_outputs)``, all rows alike.
        """

    def decided(self, outputs: ArrayLike, targets: NDArray[Any]) -> Task:
        """The task, knowing where to cut, from rows that the model was not trained on."""

    def measure(self, outputs: ArrayLike, targets: NDArray[Any]) -> Figures:
        """Figures of outputs ``(n, n_outputs)``, decided as this task knows."""

    def cross_measure(self, outputs: ArrayLike, targets: NDArray[Any], *, seed: int) -> Figures:
        """The same where no row takes part in how it is decided itself."""

    def settings(self, labels: tuple[str, ...]) -> dict[str, Any]:
        """What a tier must say of the task, for `payoff.artifact.task_outputs.answers`."""
