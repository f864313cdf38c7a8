from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payoff.core.errors import EconomicsError, PayoffError, Problems
from payoff.economics.prices.book import PriceBook
from payoff.economics.prices.price_file import read_prices, write_prices

HEADER = "provider,service,kind,item,unit,currency,price,as_of"
LINE = "acme,machines,instance,small,hour,USD,0.1,2026-01-01"


def outcome(text: str) -> str:
    """``"read"``, or the code of what was told; any other exception fails the test."""
    try:
        read_prices(text, "p.csv")
    except PayoffError as error:
        return error.code
    return "read"


def test_rows_are_read_in_order():
    text = f"{HEADER}\n{LINE}\n{LINE.replace('small', 'large')}\n"
    assert [price.item for price in read_prices(text, "p.csv")] == ["small", "large"]


def test_windows_line_ends_and_quotes():
    text = f"{HEADER}\r\n{LINE.replace('small', chr(34) + 'small, blue' + chr(34))}\r\n"
    assert read_prices(text, "p.csv")[0].item == "small, blue"


def test_blank_lines_are_passed_over():
    assert len(read_prices(f"{HEADER}\n\n{LINE}\n\n", "p.csv")) == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "PF602 p.csv line 1: columns are missing: provider, service"),
        (HEADER.removesuffix(",as_of"), "PF602 p.csv line 1: columns are missing: as_of"),
        (f"{HEADER},regoin\n", "column 'regoin' is unknown. Did you mean 'region'?"),
        (f"{HEADER}\n{LINE},more\n", "PF602 p.csv line 2: it has not as many cells"),
        (f"{HEADER}\n{LINE}\nacme,machines\n", "PF602 p.csv line 3: it has not as many cells"),
        (f"{HEADER}\n{LINE}\x00\n", "PF602 p.csv: it holds NUL bytes"),
        (f"{HEADER},price\n{LINE},9\n", "column 'price' is given twice"),
        (f'{HEADER}\n"{"a" * 200_000}', "PF602 p.csv line 2"),
    ],
)
def test_a_malformed_file_is_told(text: str, told: str):
    with pytest.raises(EconomicsError) as caught:
        read_prices(text, "p.csv")
    assert told in str(caught.value)


def test_all_bad_lines_are_told_at_once():
    text = "\n".join(
        [
            HEADER,
            LINE,
            LINE.replace("0.1", "-1"),
            LINE.replace("2026-01-01", ""),
            LINE.replace("0.1", "x").replace("2026-01-01", "x"),
        ]
    )
    with pytest.raises(Problems) as caught:
        read_prices(text, "p.csv")
    told = [(problem.code, problem.where) for problem in caught.value.problems]
    assert told == [
        ("PF604", "p.csv line 3"),
        ("PF603", "p.csv line 4"),
        ("PF602", "p.csv line 5"),
        ("PF602", "p.csv line 5"),
    ]


def test_unreadable_files_are_coded(tmp_path):
    with pytest.raises(EconomicsError, match=r"PF602 none.csv: it cannot be read"):
        PriceBook.from_csv(tmp_path / "none.csv")
    with pytest.raises(EconomicsError, match=r"PF602 .*it cannot be read"):
        PriceBook.from_csv(tmp_path)
    latin = tmp_path / "latin.csv"
    latin.write_bytes(f"{HEADER}\n{LINE.replace('small', 'klein_ü')}".encode("latin-1"))
    with pytest.raises(EconomicsError, match=r"PF602 latin.csv: .*UnicodeDecodeError"):
        PriceBook.from_csv(latin)


def test_two_lines_that_contradict_each_other(tmp_path):
    file = tmp_path / "p.csv"
    file.write_text(f"{HEADER}\n{LINE}\n{LINE.replace('0.1', '0.2')}\n", encoding="utf-8")
    with pytest.raises(EconomicsError, match="PF606"):
        PriceBook.from_csv(file)


@given(st.text(max_size=200))
def test_any_text_is_read_or_told(text: str):
    assert outcome(text).startswith(("read", "PF60"))


@given(st.lists(st.text(max_size=12), min_size=8, max_size=8))
def test_any_cells_are_read_or_told(cells: list[str]):
    quoted = ",".join('"' + cell.replace('"', '""') + '"' for cell in cells)
    assert outcome(f"{HEADER}\n{quoted}\n").startswith(("read", "PF60"))


def test_written_text_is_stable():
    prices = read_prices(f"{HEADER}\n{LINE}\n", "p.csv")
    text = write_prices(prices)
    assert text.endswith("\n")
    assert write_prices(read_prices(text, "p.csv")) == text
