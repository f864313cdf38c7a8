"""What the price book lacks is told, and made up nowhere."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from payoff.economics.prices import PriceBook
from payoff.economics.prices.coverage import missing_prices, wanted
from payoff.economics.prices.price import COMMITMENTS, KINDS

DAY = date(2026, 11, 22)


def test_only_known_kinds_are_looked_for() -> None:
    pairs = {pair for pairs in wanted().values() for pair in pairs}
    assert {kind for kind, _ in pairs} <= set(KINDS)
    assert {firm for _, firm in pairs} <= set(COMMITMENTS)
    assert {"aws", "gcp", "azure", "alibaba", "tencent", "hetzner"} <= set(wanted())


def test_a_finding_names_what_is_missing_and_how_to_add_it() -> None:
    book = PriceBook.builtin()
    (told,) = missing_prices(book, DAY, ["tencent"])
    assert told.failed
    assert told.code == "PF626"
    assert "no price known for tencent: instance" in told.detail
    assert told.mend.startswith("Add it with payoff prices add tencent")
    like = book.get(kind="instance", provider="hetzner", item="cx33")
    spot = replace(like, provider="tencent", item="S5", commitment="spot")
    more = book.with_prices([spot])
    (then,) = missing_prices(more, DAY, ["tencent"])
    assert then.n_affected == told.n_affected - 1
    before = missing_prices(more, date(2001, 1, 1), ["tencent"])[0]
    assert before.n_affected == len(wanted()["tencent"])
