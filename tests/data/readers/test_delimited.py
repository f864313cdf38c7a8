"""CSV: what is in the file is what is read, and what cannot be read is told."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payoff.core.errors import DataError, Problems
from payoff.data.dataset import Dataset
from payoff.data.readers.delimited import read_delimited

CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)


def laid(folder: Path, content: bytes | str, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refused(path: Path, code: str, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        Dataset.from_csv(path, **({"text": "text", "label": "label"} | options))
    assert caught.value.code == code
    return str(caught.value)


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.tuples(CELL, CELL), min_size=1, max_size=8),
    delimiter=st.sampled_from(",;\t|"),
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_any_text_survives(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, str]],
    delimiter: str,
    newline: str,
    quoting: Any,
) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, lineterminator=newline, quoting=quoting)
    # A lone carriage return or line feed is quoted only where it is the writer's own newline.
    if quoting == csv.QUOTE_MINIMAL:
        rows = [tuple(c.replace("\r", " ").replace("\n", " ") for c in row) for row in rows]
    writer.writerows([("text", "other"), *rows])
    path = laid(tmp_path_factory.mktemp("round"), out.getvalue())
    # The encoding is told, since short texts may look like any.
    read = Dataset.from_csv(path, text="text", delimiter=delimiter, encoding="utf-8")
    assert read.texts == [text for text, _ in rows]
    assert read.frame["other"].to_list() == [other for _, other in rows]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_and_said(tmp_path: Path, delimiter: str) -> None:
    path = laid(tmp_path, f'text{delimiter}label\n"a, b; c | d\te"{delimiter}x\nsee{delimiter}y\n')
    read = Dataset.from_csv(path, text="text", label="label")
    assert read.texts == ["a, b; c | d\te", "see"]
    assert read.targets == ["x", "y"]
    assert bool(read.notes) == (delimiter != ",")


def test_the_delimiter_is_found_in_a_file_longer_than_the_sample(tmp_path: Path) -> None:
    rows = "".join(f"{'long, ' * 3000}; {i}\n" for i in range(20))
    read = Dataset.from_csv(laid(tmp_path, "text;n\n" + rows), text="text")
    assert read.frame.shape == (20, 2)


def test_wanted_columns_decide_where_rows_would_agree_on_another_delimiter(tmp_path: Path) -> None:
    path = laid(tmp_path, "text;label, old\na, b;x, 1\nc, d;y, 2\n")
    assert Dataset.from_csv(path, text="text").texts == ["a, b", "c, d"]


@pytest.mark.parametrize("n_blank", [60, 70_000])
def test_many_blank_lines_before_the_header(tmp_path: Path, n_blank: int) -> None:
    path = laid(tmp_path, "\n" * n_blank + "text,label\na,x\n")
    assert Dataset.from_csv(path, text="text", label="label").texts == ["a"]


def test_one_column_needs_no_delimiter(tmp_path: Path) -> None:
    assert Dataset.from_csv(laid(tmp_path, "text\nhi there\nbye\n"), text="text").texts == [
        "hi there",
        "bye",
    ]


def test_quoted_newlines_and_blank_lines(tmp_path: Path) -> None:
    path = laid(tmp_path, 'text,label\r\n"one\r\ntwo\n\nthree",a\r\n\r\n" x ",b\r\n')
    read = Dataset.from_csv(path, text="text", label="label")
    assert read.texts == ["one\r\ntwo\n\nthree", " x "]
    assert read.rows.tolist() == [1, 2]


def test_labels_that_are_numbers_stay_as_written(tmp_path: Path) -> None:
    path = laid(tmp_path, "text,label\na,1\nb,01\nc,1.50\n")
    assert Dataset.from_csv(path, text="text", label="label").targets == ["1", "01", "1.50"]


def test_headers_without_a_name_get_one(tmp_path: Path) -> None:
    read = Dataset.from_csv(laid(tmp_path, "text,,\na,,\n"), text="text")
    assert read.frame.columns == ["text", "column_2", "column_3"]


def test_ragged_rows_are_named_with_their_lines_and_fields(tmp_path: Path) -> None:
    path = laid(tmp_path, 'text,label\n"two\nlines",a\n\nshort\nlong,b,c,d\n')
    told = refused(path, "PF102")
    assert "row 2 (line 5) has 1, row 3 (line 6) has 4" in told
    assert "expected 2, as in the header" in told


def test_many_ragged_rows_are_counted(tmp_path: Path) -> None:
    told = refused(laid(tmp_path, "text,label\n" + "a,b,c\n" * 9), "PF102")
    assert "and 4 more rows" in told


def test_a_quote_left_open_is_told_by_its_line(tmp_path: Path) -> None:
    told = refused(laid(tmp_path, 'text,label\na,b\n"never closed,b\nc,d\n'), "PF102")
    assert "line 3" in told
    assert "never closed" in told


def test_text_after_a_quote_is_told(tmp_path: Path) -> None:
    told = refused(laid(tmp_path, 'text,label\n"a" b,c\n'), "PF102")
    assert "line 2" in told
    assert "follows a closing quote" in told


def test_a_column_named_twice_is_refused(tmp_path: Path) -> None:
    assert "'text'" in refused(laid(tmp_path, "text,text,label\na,b,c\n"), "PF102")


@pytest.mark.parametrize("content", [b"", b"\n\n \n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\r\n"])
def test_an_empty_file_is_refused(tmp_path: Path, content: bytes) -> None:
    assert "empty" in refused(laid(tmp_path, content), "PF102")


@pytest.mark.parametrize("content", ["text,label\n", "text,label", "text,label\n\n\n"])
def test_a_header_alone_is_refused(tmp_path: Path, content: str) -> None:
    assert "no rows" in refused(laid(tmp_path, content), "PF106")


def test_blank_lines_longer_than_a_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("payoff.data.readers.delimited._BATCH", 3)
    path = laid(tmp_path, "text\na\n" + "\n" * 10 + "b\nc\nd\n")
    assert Dataset.from_csv(path, text="text").texts == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"PK\x03\x04....xl/workbook.xml", "Excel"),
        (b"PK\x03\x04....", "zip"),
        (b"PAR1....", "Parquet"),
        (b"\xd0\xcf\x11\xe0....", "old Excel"),
        (b"\x1f\x8b....", "gzip"),
        (b"%PDF-1.7", "PDF"),
        (b"SQLite format 3\x00", "SQLite"),
        (b"\x7fELF\x02\x01\x01" + b"\x00\xff\x80" * 100, "binary"),
        (bytes(range(256)) * 4, "binary"),
        (b"\x01\x02\x03\x04abc", "binary"),
        (b"\x00" * 64, "binary"),
    ],
)
def test_what_is_no_text_is_told_as_what_it_is(tmp_path: Path, content: bytes, kind: str) -> None:
    told = refused(laid(tmp_path, content), "PF102")
    assert kind in told or (kind == "binary" and "UTF-16" in told)


def test_a_workbook_named_csv_is_refused_also_with_an_encoding(tmp_path: Path) -> None:
    path = laid(tmp_path, b"PK\x03\x04....xl/workbook.xml")
    assert ".xlsx" in refused(path, "PF102", encoding="latin-1")


def test_nul_bytes_and_long_texts_are_told_with_their_rows(tmp_path: Path) -> None:
    long = "x" * 2_000_000
    path = laid(tmp_path, f"text,label\nfine,a\n{long},b\nn\0l,b\n")
    with pytest.raises(Problems) as caught:
        Dataset.from_csv(path, text="text", label="label")
    assert [problem.code for problem in caught.value.problems] == ["PF105", "PF105"]
    told = str(caught.value)
    assert "row 2: the text is too long (up to 2,000,000 bytes)" in told
    assert "row 3: the text holds NUL bytes" in told


def test_the_parser_s_limit_is_put_back(tmp_path: Path) -> None:
    before = csv.field_size_limit()
    refused(laid(tmp_path, '"text'), "PF102")
    assert csv.field_size_limit() == before


@pytest.mark.parametrize("delimiter", ["", ",,", "\n", '"'])
def test_a_delimiter_that_is_none(tmp_path: Path, delimiter: str) -> None:
    refused(laid(tmp_path, "text,label\na,b\n"), "PF102", delimiter=delimiter)


def test_a_wrong_delimiter_lists_the_columns(tmp_path: Path) -> None:
    path = laid(tmp_path, "text,label\na,b\n")
    with pytest.raises(Problems, match="'text,label'"):
        Dataset.from_csv(path, text="text", label="label", delimiter=";")


def test_an_encoding_that_is_none(tmp_path: Path) -> None:
    assert "klingon" in refused(laid(tmp_path, "text,label\na,b\n"), "PF102", encoding="klingon")
    assert "rot13" in refused(laid(tmp_path, "text,label\na,b\n"), "PF102", encoding="rot13")


def test_a_wrong_encoding_is_told(tmp_path: Path) -> None:
    path = laid(tmp_path, "text,label\nn,a\ncaf\xe9,b\n".encode("latin-1"))
    assert "cannot be decoded" in refused(path, "PF102", encoding="utf-8")
    assert "cannot be decoded" in refused(path, "PF102", encoding="utf-8", delimiter=",")


@pytest.mark.parametrize("what", ["missing", "folder", "device"])
def test_no_file(tmp_path: Path, what: str) -> None:
    path = {"missing": tmp_path / "no.csv", "folder": tmp_path, "device": Path("/dev/null")}[what]
    refused(path, "PF101")


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    path = laid(tmp_path, "text,label\na,b\n")
    monkeypatch.setattr(Path, "read_bytes", forbidden)
    assert "Permission denied" in refused(path, "PF101")


opened: list[str] = []
watched: list[str] = []


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and watched and str(arguments[0]) == watched[0]:
        opened.append(event)


def test_200_000_rows_are_opened_once_and_held_about_once(tmp_path: Path) -> None:
    lines = [f'"line {i}\nand more of it, for the length",{i % 7}' for i in range(200_000)]
    path = laid(tmp_path, "text,label\n" + "\n".join(lines))
    del lines
    sys.addaudithook(_hear)
    watched.append(str(path))
    try:
        reading = read_delimited(path, ["text", "label"])
    finally:
        watched.clear()
    assert len(opened) == 1
    assert reading.frame.shape == (200_000, 2)
    assert reading.frame["text"][199_999] == "line 199999\nand more of it, for the length"
    assert reading.frame.estimated_size() < 1.5 * path.stat().st_size
