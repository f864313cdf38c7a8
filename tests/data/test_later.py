from __future__ import annotations

import polars as pl
import pytest

from payoff.core.errors import DataError
from payoff.data.dataset import Dataset
from payoff.data.later import came_later, one_after_the_other
from payoff.data.splits import split


def table(n: int, topic: str, **roles: str) -> Dataset:
    words = [f"{topic} {chr(97 + i)}{chr(97 + i)}" for i in range(n)]
    frame = pl.DataFrame({"t": words, "l": [topic] * n, "g": words})
    return Dataset.from_frame(frame, text="t", label="l", **roles)


def test_a_split_keeps_the_marks_beside_their_rows() -> None:
    both = one_after_the_other(table(12, "old"), table(8, "new"))
    assert len(both) == 20
    cut = split(both, validation=0.2, test=0.2, seed=3)
    for part in (cut.train, cut.validation, cut.test):
        later = set(came_later(part).tolist())
        assert later == {i for i, label in enumerate(part.targets) if label == "new"}
        assert later


def test_a_role_that_the_later_rows_lack_is_told() -> None:
    with pytest.raises(DataError, match="PF103"):
        one_after_the_other(table(2, "old", group="g"), table(2, "new"))
