"""Questions to learn from, to choose by and to report on, without leakage."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from payoff.core.errors import DataError
from payoff.data.allotment import TEST, TRAIN, VALIDATION, allot_by_class
from payoff.data.dataset import Dataset
from payoff.data.duplicates import alike, clusters, near_pairs, touching

_ONE = "answered"  # answers are no classes: all rows are cut alike


@dataclass(frozen=True, slots=True)
class AnswerRows:
    """Three parts that share no question, exactly or nearly.

    Args:
        train: Rows to learn from.
        validation: Rows to choose by.
        test: Rows to report on.
        n_dropped: Rows without a question, and rows whose question the given test rows have.
    """

    train: Dataset
    validation: Dataset
    test: Dataset
    n_dropped: int


def cut_answers(
    dataset: Dataset, *, test_set: Dataset | None = None, seed: int = 0, share: float = 0.15
) -> AnswerRows:
    """Cut questions with answers at random; questions that are alike stay in one part.

    Args:
        dataset: Questions as texts, answers as labels.
        test_set: Rows to report on, where they are kept apart already; never altered.
        seed: Seed of the random order.
        share: Of validation, and of test where it is cut from the rows.

    Raises:
        DataError: PF103 where no column of answers was named; PF106 where a part would be empty.

    Example:
        >>> import polars as pl
        >>> words = [f"{word} is where" for word in ("card", "loan", "branch", "safe", "desk")]
        >>> table = pl.DataFrame({"q": words, "a": ["here"] * 5})
        >>> rows = cut_answers(Dataset.from_frame(table, text="q", label="a"), share=0.2)
        >>> len(rows.train), len(rows.validation), len(rows.test)
        (3, 1, 1)
    """
    asked = np.array([bool(text.strip()) for text in dataset.texts])
    kept = dataset.take(np.flatnonzero(asked & ~_tested(dataset, test_set)))
    keys, place = alike(kept.texts)
    together = clusters(len(keys), near_pairs(keys).pairs)[place]
    fractions = (share, share if test_set is None else 0.0)
    part = allot_by_class(kept.texts, [_ONE] * len(kept), together, fractions, seed)
    train, validation, test = (
        kept.take(np.flatnonzero(part == number)) for number in (TRAIN, VALIDATION, TEST)
    )
    test = test if test_set is None else test_set
    parts = {"training": train, "validation": validation, "test": test}
    if empty := [name for name, rows in parts.items() if not len(rows)]:
        raise DataError(
            "PF106",
            dataset.source,
            f"no row is left for {' and '.join(empty)}",
            expected="at least 4 different questions",
            mend="Add questions with their answers.",
        )
    return AnswerRows(train, validation, test, len(dataset) - len(kept))


def _tested(dataset: Dataset, test_set: Dataset | None) -> NDArray[np.bool_]:
    """Whether a row's question stands in the given test rows, exactly or nearly."""
    if test_set is None:
        return np.zeros(len(dataset), bool)
    keys, place = alike([*dataset.texts, *test_set.texts])
    tested = np.isin(np.arange(len(keys)), place[len(dataset) :])
    return touching(tested, near_pairs(keys).pairs)[place[: len(dataset)]]
