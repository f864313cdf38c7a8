from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from payoff.apps.columns import guess, read_columns
from payoff.core.errors import DataError

TABLE = pl.DataFrame(
    {
        "id": ["1", "2", "3", "4"],
        "Message": ["where is my card", "card lost", "refund please", "money back"],
        "queue": ["card", "card", "refund", "refund"],
        "country": ["DE", "DE", "DE", "FR"],
    }
)


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".parquet", ".jsonl", ".xlsx"])
def test_columns_are_read_from_every_kind_of_file(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"t{ending}"
    if ending == ".parquet":
        TABLE.write_parquet(path)
    elif ending == ".jsonl":
        TABLE.write_ndjson(path)
    elif ending == ".xlsx":
        TABLE.write_excel(path)
    else:
        TABLE.write_csv(path, separator="\t" if ending == ".tsv" else ",")
    columns = read_columns(path)
    assert columns.names == ("id", "Message", "queue", "country")
    assert (columns.text, columns.label, columns.n_rows) == ("Message", "queue", 4)


def test_without_known_names_shape_decides() -> None:
    frame = TABLE.rename({"Message": "said", "queue": "what"}).drop("country")
    assert guess(frame) == ("said", "what")


def test_nothing_fits() -> None:
    assert guess(pl.DataFrame()) == ("", "")
    assert guess(pl.DataFrame({"a": ["x", "y"]})) == ("a", "")


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="PF102"):
        read_columns(tmp_path / "t.doc")


def test_columns_of_lists_and_bytes_are_no_texts(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    more = pl.DataFrame(
        {
            "vector": [[0.1, 0.2]] * 4,
            "raw": [b"\xff"] * 4,
            "tags": [["a"]] * 4,
            "took": [timedelta(hours=1)] * 4,
        }
    )
    TABLE.hstack(more).write_parquet(path)
    columns = read_columns(path)
    assert (columns.text, columns.label) == ("Message", "queue")
    assert {"vector", "raw", "tags"} <= set(columns.names)
    plain = TABLE.rename({"Message": "said", "queue": "what"}).drop("country")
    plain.hstack(more).write_parquet(path)
    columns = read_columns(path)
    assert (columns.text, columns.label) == ("said", "what")
