"""Rows that came later than others, kept apart through a split."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from payoff.data.dataset import Dataset

if TYPE_CHECKING:
    from numpy.typing import NDArray

_COLUMN = "payoff: came later"


def one_after_the_other(earlier: Dataset, later: Dataset) -> Dataset:
    """The rows of both, each knowing which it was of.

    Raises:
        DataError: PF103 where ``earlier`` has a role that ``later`` lacks.

    Example:
        >>> import polars as pl
        >>> def table(text: str, label: str) -> Dataset:
        ...     frame = pl.DataFrame({"t": [text], "l": [label]})
        ...     return Dataset.from_frame(frame, text="t", label="l")
        >>> both = one_after_the_other(table("lost card", "card"), table("refund?", "money"))
        >>> both.texts, came_later(both).tolist()
        (['lost card', 'refund?'], [1])
    """
    return _marked(earlier, "no").concat(_marked(later, "yes"))


def came_later(dataset: Dataset) -> NDArray[np.int64]:
    """Positions of the rows that came later; none where nobody said so.

    Example:
        >>> import polars as pl
        >>> frame = pl.DataFrame({"t": ["lost card"]})
        >>> came_later(Dataset.from_frame(frame, text="t")).tolist()
        []
    """
    if _COLUMN not in dataset.frame.columns:
        return np.zeros(0, dtype=np.int64)
    return np.flatnonzero(dataset.frame.get_column(_COLUMN).to_numpy() == "yes").astype(np.int64)


def _marked(dataset: Dataset, mark: str) -> Dataset:
    import polars as pl

    return replace(dataset, frame=dataset.frame.with_columns(pl.lit(mark).alias(_COLUMN)))
