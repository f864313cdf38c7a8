"""Rows of a task that is not one class a text: read, cut in proportion, as arrays."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from payoff.adapt.tasks.task import Task
from payoff.core.errors import DataError, did_you_mean
from payoff.core.findings import Finding
from payoff.data.dataset import Dataset
from payoff.data.readers.cells import column_text
from payoff.data.splits import split
from payoff.plan.parts import validation_share

if TYPE_CHECKING:
    import polars as pl

_STRATUM, _ROW = "payoff: stratum", "payoff: row"


@dataclass(frozen=True)
class TaskParts:
    """Texts and targets of a split.

    Args:
        task: Knowing what the training targets tell.
        labels: Names of the outputs.
        texts: Training texts, then validation texts.
        targets: Theirs, as the task reads them.
        n_train: How many are training texts.
        test_texts: Texts to report on.
        test_targets: Theirs.
        findings: What was left out, and why.
    """

    task: Task
    labels: tuple[str, ...]
    texts: tuple[str, ...]
    targets: NDArray[Any]
    n_train: int
    test_texts: tuple[str, ...]
    test_targets: NDArray[Any]
    findings: tuple[Finding, ...]

    @property
    def train(self) -> NDArray[np.int64]:
        """Training rows among the texts."""
        return np.arange(self.n_train)

    @property
    def validation(self) -> NDArray[np.int64]:
        """Validation rows among the texts."""
        return np.arange(self.n_train, len(self.texts))


def task_parts(
    dataset: Dataset, task: Task, *, target: str = "", test: Dataset | None = None, seed: int = 0
) -> TaskParts:
    """Read the targets of a data set and cut it in proportion to the task's strata.

    Near-duplicates never stand in two parts, as `payoff.data.splits.split` says.

    Args:
        dataset: The rows.
        task: What its target column means.
        target: The column; the data set's labels where empty.
        test: Rows to report on; cut from ``dataset`` where not given.
        seed: Seed of the cut.

    Raises:
        DataError: PF103 where there is no such column; PF104, PF106 or PF114 where the rows
            cannot be learnt from.
    """
    cells = target_cells(dataset, target)
    where = f"{dataset.source} [{target or dataset.label}]"
    if test is not None:
        where = f"{where} + {test.source}"
        cells = cells + target_cells(test, target)
    read = task.read(cells, where)
    n = len(dataset)
    strata = task.strata(read.targets)
    keyed = _keyed(dataset, strata[:n], 0)
    cut = split(
        keyed,
        test_set=None if test is None else _keyed(test, strata[n:], n),
        seed=seed,
        validation=validation_share(dataset, test),
    )
    rows = [np.asarray(part.frame.get_column(_ROW)) for part in (cut.train, cut.validation)]
    targets = read.targets[np.concatenate(rows)]
    return TaskParts(
        task.fitted(targets[: len(cut.train)]),
        read.labels,
        (*cut.train.texts, *cut.validation.texts),
        targets,
        len(cut.train),
        tuple(cut.test.texts),
        read.targets[np.asarray(cut.test.frame.get_column(_ROW))],
        cut.findings,
    )


def target_cells(dataset: Dataset, target: str = "") -> list[str]:
    """The cells of a column as text; a list of strings as JSON, a missing cell as an empty one.

    Raises:
        DataError: PF103 where there is no such column; PF108 where it holds records or bytes.

    Example:
        >>> import polars as pl
        >>> table = pl.DataFrame({"text": ["hi", "ho"], "tags": [["a", "b"], None]})
        >>> target_cells(Dataset.from_frame(table, text="text"), "tags")
        ['["a", "b"]', '']
    """
    import polars as pl

    name = target or dataset.label
    if name is None:
        raise DataError(
            "PF103",
            dataset.source,
            "no column of targets was named",
            mend="Say target=, or --label COL.",
        )
    if name not in dataset.frame.columns:
        raise DataError(
            "PF103",
            f"{dataset.source} target",
            f"there is no column '{name}'",
            expected=f"one of {', '.join(map(repr, dataset.frame.columns[:30]))}",
            mend=did_you_mean(name, dataset.frame.columns) or "Name the column that you mean.",
        )
    column: pl.Series = dataset.frame.get_column(name)
    if column.dtype == pl.List(pl.String):
        lists = column.to_list()
        return ["" if own is None else json.dumps(own, ensure_ascii=False) for own in lists]
    return column_text(column, dataset.source).fill_null("").to_list()


def _keyed(dataset: Dataset, strata: list[str], first_row: int) -> Dataset:
    """The data set with strata in place of labels, and the rows' numbers beside."""
    import polars as pl

    frame = dataset.frame.with_columns(
        pl.Series(_STRATUM, strata, dtype=pl.String),
        pl.Series(_ROW, np.arange(first_row, first_row + len(dataset))),
    )
    return replace(dataset, frame=frame, label=_STRATUM)
