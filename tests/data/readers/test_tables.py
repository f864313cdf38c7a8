"""Parquet, Excel and frames, and cells of every kind as text."""

from __future__ import annotations

import builtins
import contextlib
import datetime as dt
import decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st

from payoff.core.errors import DataError, MachineError
from payoff.data.dataset import Dataset
from payoff.data.readers.cells import cell_text, column_text

ROLES = {"text": "text", "label": "label"}


def workbook(path: Path, *sheets: list[list[Any]]) -> Path:
    with xlsxwriter.Workbook(path) as book:
        for rows in sheets:
            sheet = book.add_worksheet()
            for i, row in enumerate(rows):
                for j, cell in enumerate(row):
                    if isinstance(cell, str):
                        sheet.write_string(i, j, cell)
                    else:
                        sheet.write(i, j, cell)
    return path


def test_excel(tmp_path: Path) -> None:
    rows = [["text", "label"], ["two\nlines", 1], [12345678901, 2.5], [None, 1], ["=1+1", True]]
    read = Dataset.from_excel(workbook(tmp_path / "t.xlsx", rows), **ROLES)
    assert read.texts == ["two\nlines", "12345678901", "", "=1+1"]
    assert read.targets == ["1", "2.5", "1", "true"]
    assert read.notes == ()


def test_excel_says_which_sheet_it_read(tmp_path: Path) -> None:
    rows = [["text", "label"], ["a", "x"]]
    (note,) = Dataset.from_excel(workbook(tmp_path / "t.xlsx", rows, []), **ROLES).notes
    assert "2 sheets" in note
    assert "'Sheet1'" in note


@pytest.mark.parametrize("content", [b"text,label\na,b\n", b"PK\x03\x04nonsense"])
def test_a_broken_workbook(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t.xlsx"
    path.write_bytes(content)
    with pytest.raises(DataError, match="Excel") as caught:
        Dataset.from_excel(path, **ROLES)
    assert caught.value.code == "PF102"


def test_excel_without_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib

    real = importlib.import_module

    def without(name: str, package: str | None = None) -> Any:
        if name == "fastexcel":
            raise ModuleNotFoundError(name="fastexcel")
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", without)
    with pytest.raises(MachineError, match=r"payoff\[excel\]"):
        Dataset.from_excel(workbook(tmp_path / "t.xlsx", [["text", "label"]]), **ROLES)


def test_parquet_keeps_texts_and_turns_numbers_into_labels(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pl.DataFrame({"text": ["a", None], "label": [1.0, 2.0], "extra": [[1], [2]]}).write_parquet(
        path
    )
    read = Dataset.from_parquet(path, **ROLES)
    assert read.frame.rows() == [("a", "1", [1]), ("", "2", [2])]


@pytest.mark.parametrize(
    "content", [b"text,label\n", b"PAR1" + b"x" * 100 + b"PAR1", b"PAR1\x01\x00\x00\x00PAR1"]
)
def test_a_broken_parquet_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t.parquet"
    path.write_bytes(content)
    with pytest.raises(DataError, match="no Parquet") as caught:
        Dataset.from_parquet(path, **ROLES)
    assert caught.value.code == "PF102"


def test_a_cut_parquet_file(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pl.DataFrame({"text": [str(i) for i in range(1000)]}).write_parquet(path)
    whole = path.read_bytes()
    for flipped in range(4, len(whole) - 8, max(1, len(whole) // 40)):
        path.write_bytes(whole[:flipped] + bytes([whole[flipped] ^ 0xFF]) + whole[flipped + 1 :])
        # Anything else than the coded error fails the test.
        with contextlib.suppress(DataError):
            Dataset.from_parquet(path, text="text")


@pytest.mark.parametrize("lazy", [False, True])
def test_frames_of_polars(lazy: bool) -> None:
    frame = pl.DataFrame({"text": ["a", "b"], "label": ["x", "y"]})
    read = Dataset.from_frame(frame.lazy() if lazy else frame, **ROLES, source="mine")
    assert (read.texts, read.targets, read.source) == (["a", "b"], ["x", "y"], "mine")


def test_frames_of_pandas() -> None:
    frame = pd.DataFrame(
        {
            "text": ["a", None, "c"],
            "label": pd.Series([1, 2, 3], dtype="Int64"),
            "when": pd.to_datetime(["2024-01-02T00:00:00", "2024-01-02T03:04:05", None]),
            "score": [1.0, float("nan"), 2.5],
            7: [True, False, True],
        }
    )
    frame.index = pd.Index([9, 9, 9])
    read = Dataset.from_frame(frame, **ROLES, time="when", segment="score", group="7")
    assert read.texts == ["a", "", "c"]
    assert read.targets == ["1", "2", "3"]
    assert read.column("time") == ["2024-01-02T00:00:00", "2024-01-02T03:04:05", ""]
    assert read.column("segment") == ["1", "", "2.5"]
    assert read.column("group") == ["true", "false", "true"]


def test_pandas_is_read_without_pyarrow(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.split(".")[0] == "pyarrow":
            raise ModuleNotFoundError(name)
        return real(name, *rest, **more)

    frame = pd.DataFrame({"text": pd.Series(["a", "b"], dtype=object), "label": [1, 2]})
    monkeypatch.setattr(builtins, "__import__", without)
    assert Dataset.from_frame(frame, **ROLES).targets == ["1", "2"]


def test_pandas_oddities_are_told() -> None:
    twice = pd.DataFrame([["a", "b"]], columns=["text", "text"])
    with pytest.raises(DataError, match="same name"):
        Dataset.from_frame(twice, text="text")
    half = pd.DataFrame({"text": pd.Series(["a", "\ud800"], dtype=object)})
    with pytest.raises(DataError, match="row 2"):
        Dataset.from_frame(half, text="text")


@pytest.mark.parametrize("table", [[1], {"text": ["a"]}, None, "t.csv", pl.Series(["a"])])
def test_what_is_no_frame(table: Any) -> None:
    with pytest.raises(DataError, match="a DataFrame of polars or pandas") as caught:
        Dataset.from_frame(table, text="text")
    assert caught.value.code == "PF102"


@pytest.mark.parametrize(
    ("column", "texts"),
    [
        (pl.Series([1, None, -3]), ["1", None, "-3"]),
        (pl.Series([2**63], dtype=pl.UInt64), ["9223372036854775808"]),
        (pl.Series([1.0, -2.0, 0.5, float("nan"), float("inf")]), ["1", "-2", "0.5", None, "inf"]),
        (pl.Series([1e300]), ["1e+300"]),
        (pl.Series([decimal.Decimal("1.00"), decimal.Decimal("1.25")]), ["1", "1.25"]),
        (pl.Series([True, False]), ["true", "false"]),
        (pl.Series(["x", "y"], dtype=pl.Categorical), ["x", "y"]),
        (pl.Series([None, None]), [None, None]),
        (pl.Series([dt.date(2024, 1, 2)]), ["2024-01-02"]),
        (pl.Series([dt.datetime(2024, 1, 2, 3, 4, 5)]), ["2024-01-02T03:04:05"]),
        (
            pl.Series([dt.datetime(2024, 1, 2, tzinfo=dt.UTC)]),
            ["2024-01-02T00:00:00+00:00"],
        ),
    ],
)
def test_columns_as_text(column: pl.Series, texts: list[str | None]) -> None:
    assert column_text(column.alias("c"), "t").to_list() == texts


@pytest.mark.parametrize(
    "column",
    [
        pl.Series([[1]]),
        pl.Series([b"x"]),
        pl.Series([{"a": 1}]),
        pl.Series([object()]),
        pl.Series([dt.timedelta(hours=1)]),
    ],
)
def test_columns_of_no_text(column: pl.Series) -> None:
    with pytest.raises(DataError, match="Convert the column") as caught:
        Dataset.from_frame(pl.DataFrame([column.alias("text")]), text="text")
    assert caught.value.code == "PF108"


def test_cells_of_other_kinds() -> None:
    values = [np.float64(2.0), np.int64(3), np.bool_(True), ["é"], {"a": 1}, dt.date(2024, 1, 2)]
    texts = ["2", "3", "true", '["é"]', '{"a": 1}', "2024-01-02"]
    assert [cell_text(value) for value in values] == texts
    assert cell_text(1j) == "1j"


@given(st.integers(-(2**53), 2**53))
def test_a_whole_number_has_one_text_in_every_kind_of_column(number: int) -> None:
    as_float, as_int = pl.Series("c", [float(number)]), pl.Series("c", [number])
    assert column_text(as_float, "t").to_list() == column_text(as_int, "t").to_list()
    assert cell_text(float(number)) == cell_text(number) == str(number)
