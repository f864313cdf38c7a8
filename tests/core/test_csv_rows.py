from __future__ import annotations

import csv
import io
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from payoff.core.csv_rows import CsvRows

CELLS = st.lists(st.text(st.characters(codec="utf-8")), min_size=2, max_size=4)


@given(st.lists(CELLS, max_size=4))
def test_rows_come_back_as_they_were_written(rows: list[list[str]]) -> None:
    text = io.StringIO(newline="")
    writer = CsvRows(text)
    for row in rows:
        writer.writerow(row)
    assert list(csv.reader(io.StringIO(text.getvalue(), newline=""))) == rows


def test_rows_end_with_a_line_feed_and_numbers_are_plain(tmp_path: Path) -> None:
    with (tmp_path / "a.csv").open("w", encoding="utf-8", newline="") as file:
        CsvRows(file).writerow(["a", 1, 2.5, None])
    assert (tmp_path / "a.csv").read_bytes() == b"a,1,2.5,\n"
