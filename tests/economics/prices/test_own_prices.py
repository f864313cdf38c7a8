"""Prices of one's own are appended, and nothing that stands is touched."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from payoff.core.errors import EconomicsError
from payoff.economics.prices import Price, PriceBook
from payoff.economics.prices.own_prices import append_prices

RENT = Price(
    provider="cellar", service="rack", kind="instance", item="old-server", unit="month",
    currency="EUR", price=Decimal("12.50"), as_of=date(2026, 1, 2), source="invoice 7",
)  # fmt: skip


def test_what_stands_is_kept_byte_for_byte(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    header = "as_of,provider,service,kind,item,unit,currency,price,source"
    path.write_bytes(f"{header}\r\n2026-01-01,cellar,rack,instance,a,hour,EUR,0.1,me".encode())
    before = path.read_bytes()
    (added,) = append_prices(path, [RENT])
    assert added == RENT
    assert path.read_bytes().startswith(before)
    assert [price.item for price in PriceBook.from_csv(path)] == ["a", "old-server"]
    assert append_prices(path, [RENT]) == ()
    later = replace(RENT, price=Decimal(13), as_of=date(2026, 2, 2))
    append_prices(path, [later])
    book = PriceBook.from_csv(path)
    asked = {"kind": "instance", "item": "old-server"}
    assert book.get(**asked).price == 13
    assert book.get(**asked, on=date(2026, 1, 31)).price == Decimal("12.50")


def test_a_contradiction_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    append_prices(path, [RENT])
    before = path.read_bytes()
    for wrong, code in (
        (replace(RENT, price=Decimal(99)), "PF606"),
        (replace(RENT, item="other", source=" "), "PF602"),
    ):
        with pytest.raises(EconomicsError, match=code):
            append_prices(path, [replace(RENT, item="good"), wrong])
        assert path.read_bytes() == before
    known = PriceBook.builtin().get(kind="instance", provider="hetzner", item="cx33")
    with pytest.raises(EconomicsError, match="PF606"):
        append_prices(path, [replace(known, price=known.price + 1)])
    assert append_prices(path, [known]) == ()  # the built-in book has it
    assert path.read_bytes() == before


def test_a_file_without_a_column_for_it_is_told(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("provider,service,kind,item,unit,currency,price,as_of,source\n", "utf-8")
    before = path.read_bytes()
    for more in ({"vcpu": Decimal(2)}, {"commitment": "spot"}):
        with pytest.raises(EconomicsError, match=f"no column {next(iter(more))}"):
            append_prices(path, [replace(RENT, **more)])
    assert path.read_bytes() == before


def test_a_header_in_quotes_is_one_like_any(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    append_prices(path, [replace(RENT, item="a")])
    header, row = path.read_text("utf-8").splitlines()
    quoted = ",".join(f'"{name}"' for name in header.split(","))
    path.write_text(f"{quoted}\n{row}\n", "utf-8")
    (added,) = append_prices(path, [RENT])
    assert added == RENT
    assert [price.item for price in PriceBook.from_csv(path)] == ["a", "old-server"]


def test_a_file_that_is_no_utf8_is_told_and_left(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    append_prices(path, [replace(RENT, note="x")])
    path.write_bytes(path.read_bytes().replace(b",x", ",\u673a\u623f".encode("gb18030")))
    before = path.read_bytes()
    with pytest.raises(EconomicsError, match="PF602"):
        append_prices(path, [replace(RENT, item="other")])
    assert path.read_bytes() == before


def test_a_byte_order_mark_stays(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    append_prices(path, [replace(RENT, item="a")])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    before = path.read_bytes()
    append_prices(path, [RENT])
    assert path.read_bytes().startswith(before)
