"""Tables whose examples are two texts."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from payoff.core.errors import DataError, PayoffError
from payoff.core.pair import SIGN
from payoff.data.dataset import Dataset
from payoff.data.splits import split

TABLE = pl.DataFrame(
    {
        "ask": ["is it open", "is it open", "how much"],
        "say": ["until six", "no idea", "ten"],
        "y": ["1", "0", "1"],
    }
)


def pairs(table: pl.DataFrame = TABLE) -> Dataset:
    return Dataset.from_frame(table, text="ask", pair="say", label="y")


def test_texts_are_joined() -> None:
    assert pairs().texts[0] == f"is it open{SIGN}until six"
    assert pairs().column("pair") == ["until six", "no idea", "ten"]
    assert pairs().take([2]).texts == [f"how much{SIGN}ten"]
    assert pairs().concat(pairs()).texts == pairs().texts * 2


def test_every_format_reads_pairs(tmp_path: Path) -> None:
    TABLE.write_csv(tmp_path / "t.csv")
    TABLE.write_parquet(tmp_path / "t.parquet")
    TABLE.write_ndjson(tmp_path / "t.jsonl")
    for name in ("t.csv", "t.parquet", "t.jsonl"):
        read = Dataset.from_file(tmp_path / name, text="ask", pair="say", label="y")
        assert (read.texts, read.fingerprint) == (pairs().texts, pairs().fingerprint)


def test_the_second_text_counts_in_the_fingerprint() -> None:
    alone = Dataset.from_frame(TABLE, text="ask", label="y")
    other = TABLE.with_columns(pl.lit("else").alias("say"))
    assert len({alone.fingerprint, pairs().fingerprint, pairs(other).fingerprint}) == 3
    assert Dataset.from_frame(other, text="ask", label="y").fingerprint == alone.fingerprint


def test_a_missing_second_text_is_an_empty_one_and_a_pair_of_nothing_is_left_out() -> None:
    texts = [
        f"text {name}" for name in ["one", "two", "three", "four", "five", "six", "seven", "eight"]
    ]
    table = pl.DataFrame(
        {"a": [*texts, ""], "b": [*texts[::-1], None], "y": ["p", "q"] * 4 + ["p"]}
    )
    data = Dataset.from_frame(table, text="a", pair="b", label="y")
    assert data.texts[-1] == SIGN
    cut = split(data)
    assert len(cut.train) + len(cut.validation) + len(cut.test) == 8


@pytest.mark.parametrize("column", ["ask", "say"])
def test_a_text_may_not_hold_what_joins_pairs(column: str) -> None:
    table = TABLE.with_columns(pl.Series(column, ["a", f"b{SIGN}", "c"]))
    with pytest.raises(DataError, match=r"PF105 frame row 2: a text holds U\+001F"):
        pairs(table)
    Dataset.from_frame(table, text="ask", label="y")


def test_second_texts_are_checked_as_first_ones_are() -> None:
    table = TABLE.with_columns(pl.Series("say", ["a", "b\0", "c"]))
    with pytest.raises(PayoffError, match=r"PF105 frame row 2.*NUL"):
        pairs(table)
    with pytest.raises(DataError, match=r"PF103 frame pair.*'sya'.*Did you mean 'say'"):
        Dataset.from_frame(TABLE, text="ask", pair="sya", label="y")
