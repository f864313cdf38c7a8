from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payoff.core.errors import EconomicsError, Problems
from payoff.core.findings import Status
from payoff.economics.prices.book import PriceBook
from payoff.economics.prices.price import DATE_UNKNOWN, KINDS, Price

TODAY = date(2026, 11, 22)
FIRM = {"reserved": {"alibaba", "aws", "azure", "gcp", "tencent"}, "spot": {"aws", "azure", "gcp"}}


def rent(
    amount: str = "1",
    day: str = "2026-01-01",
    *,
    provider: str = "acme",
    item: str = "small",
    region: str = "north",
    unit: str = "hour",
    currency: str = "USD",
    commitment: str = "on_demand",
    source: str = "a page",
    note: str = "",
) -> Price:
    return Price(
        provider=provider,
        service="machines",
        kind="instance",
        item=item,
        region=region,
        unit=unit,
        currency=currency,
        price=Decimal(amount),
        commitment=commitment,
        as_of=date.fromisoformat(day),
        source=source,
        note=note,
    )


HISTORY = PriceBook((rent("3", "2026-06-01"), rent("1", "2026-01-01"), rent("2", "2026-03-01")))


@pytest.mark.parametrize(
    ("on", "amount"),
    [
        (date(2026, 1, 1), 1),
        (date(2026, 2, 28), 1),
        (date(2026, 3, 1), 2),
        (date(2026, 5, 31), 2),
        (date(2026, 6, 1), 3),
        (date(2030, 1, 1), 3),
        (None, 3),
    ],
)
def test_the_newest_at_or_before_the_day_holds(on: date | None, amount: int):
    assert HISTORY.get(kind="instance", on=on).price == amount


def test_nothing_before_the_first_day():
    assert HISTORY.find(on=date(2025, 12, 31)) == []
    with pytest.raises(EconomicsError, match=r"no price is known on 2025-12-31.*of 2026-01-01"):
        HISTORY.get(kind="instance", on=date(2025, 12, 31))


@given(st.permutations(list(HISTORY)), st.dates(date(2026, 1, 1), date(2027, 1, 1)))
def test_order_of_the_rows_does_not_matter(prices: list[Price], on: date):
    book = PriceBook(tuple(prices))
    assert book == HISTORY
    assert book.fingerprint() == HISTORY.fingerprint()
    newest = max(price.as_of for price in prices if price.as_of <= on)
    assert book.get(kind="instance", on=on).as_of == newest


def test_with_prices_appends_and_leaves_the_old_book():
    book = HISTORY.with_prices([rent("4", "2026-09-01")])
    assert (len(HISTORY), len(book)) == (3, 4)
    assert book.get(kind="instance").price == 4
    assert book.get(kind="instance", on=date(2026, 8, 31)).price == 3
    assert book.fingerprint() != HISTORY.fingerprint()


def test_the_same_fact_twice_is_kept_once():
    again = rent("1.00", "2026-01-01", source="another page")
    assert HISTORY.with_prices([again]) == HISTORY


def test_history_is_never_overwritten():
    with pytest.raises(EconomicsError, match=r"PF606 .*1 and 7 are both given for 2026-01-01"):
        HISTORY.with_prices([rent("7", "2026-01-01")])
    with pytest.raises(Problems, match=r"2 problems"):
        HISTORY.with_prices([rent("7", "2026-01-01"), rent("7", "2026-03-01")])


def test_find_filters_by_every_name():
    book = PriceBook(
        (
            rent(item="small"),
            rent(item="large"),
            rent(provider="other"),
            rent(region="south"),
            rent(unit="month"),
            rent(currency="EUR"),
            rent(commitment="spot"),
        )
    )
    assert len(book.find()) == 6  # all but the spot price
    assert len(book.find(commitment=None)) == 7
    assert len(book.find(commitment="spot")) == 1
    assert len(book.find(provider="other")) == 1
    assert len(book.find(item="large")) == 1
    assert len(book.find(region="south")) == 1
    assert len(book.find(unit="month")) == 1
    assert len(book.find(currency="EUR")) == 1
    assert len(book.find(service="machines", kind="instance")) == 6
    assert book.find(kind="egress_gb") == []
    assert book.providers == ("acme", "other")


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"item": "smal"}, "no price has item 'smal'; near: 'small'"),
        ({"item": "zzz"}, "no price has item 'zzz'; there are: 'large', 'small'"),
        ({"item": "small", "region": "south"}, "no price has region 'south'; near: 'north'"),
        ({"provider": "acmee"}, "no price has provider 'acmee'; near: 'acme'"),
        ({"currency": "GBP"}, "no price has currency 'GBP'; there are: 'USD'"),
        ({"commitment": "spot"}, "no price has commitment 'spot'; there are: 'on_demand'"),
    ],
)
def test_a_miss_says_what_is_near(asked: dict[str, str], told: str):
    book = PriceBook((rent(item="small"), rent(item="large")))
    with pytest.raises(EconomicsError) as caught:
        book.get(kind="instance", **asked)
    assert caught.value.code == "PF601"
    assert told in str(caught.value)


def test_a_miss_on_everything_tells_the_size_of_the_book():
    with pytest.raises(EconomicsError, match=r"there is none among 3 prices"):
        HISTORY.get(kind="egress_gb", provider="nobody")


def test_an_ambiguous_question_lists_the_answers():
    book = PriceBook(tuple(rent(item=f"m{i}") for i in range(9)))
    with pytest.raises(EconomicsError) as caught:
        book.get(kind="instance")
    assert "9 prices match: acme machines m0 north (USD/hour)" in str(caught.value)
    assert "and 3 more (expected one)" in str(caught.value)


def test_check_tells_what_is_old_or_incomplete():
    book = PriceBook(
        (
            rent("1", "2025-01-01"),  # history: replaced by the next, so its age is no matter
            rent("2", "2026-11-01"),
            rent("1", "2026-05-26", item="just fresh"),  # 180 days
            rent("1", "2026-05-25", item="stale"),  # 181 days
            rent("1", "2026-11-01", item="no source", source=""),
            rent("1", "2026-11-01", item="no date", note=DATE_UNKNOWN),
            rent("1", "2026-11-01", item="odd", unit="fortnight"),
            rent("1", "2026-11-01", item="coin", currency="XBT"),
        )
    )
    findings = book.check(TODAY)
    assert [finding.code for finding in findings] == ["PF608"] + ["PF609"] * 4
    assert {finding.status for finding in findings} == {Status.FAILED}
    named = [finding.rows[0]["price"].split()[2] for finding in findings]
    assert named == ["stale", "no", "no", "odd", "coin"]
    assert [finding.n_affected for finding in findings] == [1, 1, 1, 1, 1]
    assert findings[0].detail == "1 of 7 prices, the oldest of 2026-05-25."
    assert "older than 180 days" in findings[0].title


def test_check_passes_and_is_not_applicable():
    fresh = PriceBook((rent("1", "2026-11-01"),))
    assert {finding.status for finding in fresh.check(TODAY)} == {Status.PASSED}
    assert {finding.status for finding in PriceBook().check(TODAY)} == {Status.NOT_APPLICABLE}
    assert fresh.check(TODAY, max_age_days=10)[0].failed


def test_check_shows_five_rows_at_most():
    book = PriceBook(tuple(rent("1", "2020-01-01", item=f"m{i}") for i in range(9)))
    finding = book.check(TODAY)[0]
    assert (len(finding.rows), finding.n_affected) == (5, 9)


def test_fingerprint_tells_any_change():
    for change in ({"price": Decimal(9)}, {"source": "x"}, {"note": "x"}, {"gpu_count": 1}):
        first, *rest = HISTORY
        assert PriceBook((replace(first, **change), *rest)).fingerprint() != HISTORY.fingerprint()


def test_builtin_is_read_once_and_round_trips(tmp_path):
    book = PriceBook.builtin()
    assert PriceBook.builtin() is book
    file = tmp_path / "all.csv"
    file.write_text(book.to_csv(), encoding="utf-8")
    assert PriceBook.from_csv(file) == book
    assert PriceBook.from_csv(file).fingerprint() == book.fingerprint()


def test_builtin_covers_what_a_founder_needs():
    book = PriceBook.builtin()
    assert {price.kind for price in book} == set(KINDS)
    small = {
        price.provider
        for price in book.find(kind="instance")
        if price.vcpu and 2 <= price.vcpu <= 8
    }
    assert {"aws", "gcp", "azure", "alibaba", "hetzner"} <= small
    for kind in ("serverless_request", "serverless_gb_second"):
        sellers = {price.provider for price in book.find(kind=kind)}
        assert sellers == {"aws", "gcp", "azure", "alibaba", "tencent"}
    for kind in ("object_storage_gb_month", "egress_gb"):
        sellers = {price.provider for price in book.find(kind=kind)}
        assert sellers == {"aws", "gcp", "azure", "alibaba", "hetzner", "tencent"}
    for firm in ("reserved", "spot"):
        machines = book.find(kind="instance", commitment=firm)
        assert {price.provider for price in machines} >= FIRM[firm]
    assert {"aws", "nebius", "lambda", "runpod"} <= {
        price.provider for price in book.find(kind="gpu_instance")
    }


def test_builtin_facts_are_complete():
    book = PriceBook.builtin()
    by_title = {finding.title: finding for finding in book.check(TODAY)}
    for title in (
        "Every price names its source",
        "Every unit is known",
        "Every currency is in ISO 4217",
    ):
        assert by_title[title].status is Status.PASSED
    for price in book:
        assert price.read_on is not None
        assert price.as_of <= price.read_on
        assert price.price > 0
        if price.kind == "gpu_instance":
            assert price.gpu
            assert price.gpu_count > 0
            assert price.per_hour.amount > 0
        if price.kind == "instance":
            assert price.vcpu
            assert price.memory_gib
            assert price.per_hour.amount > 0


def test_builtin_history_is_append_only():
    """Prices read long ago reproduce: a changed row would change an old report's money."""
    book = PriceBook.builtin()
    question = {"kind": "instance", "provider": "hetzner", "item": "cx33"}
    told = {
        date(2026, 2, 1): "5.49",
        date(2026, 5, 27): "6.49",
        date(2026, 6, 15): "8.49",
        date(2026, 11, 1): "8.49",
    }
    for day, amount in told.items():
        assert book.get(**question, on=day).price == Decimal(amount)


def test_lambda_arithmetic_from_the_book():
    """1 million requests of 120 ms at 512 MB: 0.20 + 1e6 x 0.12 x 0.5 x 0.0000166667 USD."""
    book = PriceBook.builtin()
    request = book.get(kind="serverless_request", provider="aws").price
    second = book.get(kind="serverless_gb_second", provider="aws", item="x86").price
    cost = 1_000_000 * request + 1_000_000 * Decimal("0.12") * Decimal("0.5") * second
    assert cost == Decimal("1.200002")


def test_function_compute_arithmetic_from_the_book():
    """3 million calls of 0.2 s at 0.25 vCPU and 0.5 GB, told by its documentation in CUs."""
    compute_units = 3_000_000 * 75 / 10_000 + 150_000 * 1 + 300_000 * 0.15
    book = PriceBook.builtin()
    prices = {
        kind: book.get(kind=kind, provider="alibaba", service="function-compute", currency="USD")
        for kind in ("serverless_request", "serverless_vcpu_second", "serverless_gb_second")
    }
    cost = (
        3_000_000 * prices["serverless_request"].price
        + 150_000 * prices["serverless_vcpu_second"].price
        + 300_000 * prices["serverless_gb_second"].price
    )
    assert float(cost) == pytest.approx(compute_units * 0.00002)


def test_a_user_file_extends_the_book(tmp_path):
    file = tmp_path / "mine.csv"
    file.write_text(
        "provider,service,kind,item,unit,currency,price,as_of,source\n"
        "hetzner,cloud,instance,cx33,month,EUR,9.99,2026-11-01,my invoice\n",
        encoding="utf-8-sig",
    )
    book = PriceBook.builtin().with_prices(PriceBook.from_csv(file))
    assert len(book) == len(PriceBook.builtin()) + 1
    assert book.get(kind="instance", item="cx33", region="").price == Decimal("9.99")


def test_the_book_needs_no_heavy_library():
    code = (
        "import sys, payoff.economics.prices as p; p.PriceBook.builtin();"
        "print(sorted({'polars', 'genai_prices', 'numpy', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_age_beyond_all_dates_is_an_age() -> None:
    told = PriceBook.builtin().check(date(2026, 11, 22), max_age_days=10_000_000)
    assert told[0].status is Status.PASSED
