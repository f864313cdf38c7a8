from __future__ import annotations

from dataclasses import fields, replace
from datetime import date
from decimal import Decimal

import pytest

from payoff.core.errors import EconomicsError, Problems
from payoff.core.money import Money
from payoff.economics.offer import Tariff
from payoff.economics.prices.book import PriceBook
from payoff.economics.prices.price import COLUMNS, DATE_UNKNOWN, HOURS_PER_MONTH, Price

RENT = Price(
    provider="aws",
    service="ec2",
    kind="instance",
    item="c7i.large",
    region="eu-central-1",
    unit="hour",
    currency="USD",
    price=Decimal("0.1018"),
    vcpu=Decimal(2),
    memory_gib=Decimal(4),
    as_of=date(2026, 8, 14),
    read_on=date(2026, 11, 22),
    source="somewhere",
)
ROW = {
    "provider": "aws",
    "service": "ec2",
    "kind": "instance",
    "item": "c7i.large",
    "unit": "hour",
    "currency": "USD",
    "price": "0.1018",
    "as_of": "2026-08-14",
}


def test_columns_are_the_fields():
    assert set(COLUMNS) == {field.name for field in fields(Price)}


def test_an_hour_of_rent():
    assert RENT.per_hour == RENT.money == Money(Decimal("0.1018"), "USD")


def test_a_month_has_730_hours():
    month = replace(RENT, unit="month", price=Decimal("8.49"))
    assert HOURS_PER_MONTH == 730
    assert month.per_hour.amount * 730 == pytest.approx(Decimal("8.49"))


def test_a_gpu_hour_is_for_each_accelerator():
    machine = replace(RENT, unit="gpu_hour", price=Decimal("12.29"), gpu_count=8)
    assert machine.per_hour.amount == Decimal("98.32")  # 8 x 12.29


def test_a_price_per_request_is_no_rent():
    with pytest.raises(EconomicsError, match=r"PF602 .*a price per request is no rent"):
        _ = replace(RENT, unit="request").per_hour


def test_label_names_what_differs_from_the_usual():
    assert RENT.label == "aws ec2 c7i.large eu-central-1 (USD/hour)"
    assert replace(RENT, commitment="spot", region="").label == "aws ec2 c7i.large spot (USD/hour)"


def test_key_ignores_price_day_and_source():
    other = replace(RENT, price=Decimal(1), as_of=date(2020, 1, 1), source="", note="x")
    assert other.key == RENT.key
    assert replace(RENT, commitment="spot").key != RENT.key
    assert replace(RENT, currency="EUR").key != RENT.key


def test_date_known():
    assert RENT.date_known
    assert not replace(RENT, note=f"{DATE_UNKNOWN}; per GiB").date_known


def test_free_is_a_price():
    assert replace(RENT, price=Decimal(0)).money.amount == 0


def test_row_round_trip():
    gpu = replace(RENT, kind="gpu_instance", gpu="T4", gpu_count=1, commitment="reserved")
    for price in (RENT, gpu, replace(RENT, vcpu=None, memory_gib=None, read_on=None)):
        assert Price.from_row(price.as_dict(), "here") == price


def test_scientific_notation_is_written_as_digits():
    tiny = replace(RENT, price=Decimal("2E-7"))
    assert tiny.as_dict()["price"] == "0.0000002"


def test_row_with_only_what_is_required():
    price = Price.from_row(ROW, "here")
    assert price.commitment == "on_demand"
    assert (price.gpu_count, price.vcpu, price.read_on) == (0, None, None)


def test_cells_are_stripped():
    assert Price.from_row({**ROW, "item": " c7i.large "}, "here").item == "c7i.large"


@pytest.mark.parametrize(
    ("change", "code", "told"),
    [
        ({"price": "cheap"}, "PF602", "price 'cheap' is no number"),
        ({"price": ""}, "PF602", "price '' is no number"),
        ({"price": "-0.1"}, "PF604", "price is -0.1"),
        ({"price": "NaN"}, "PF604", "price is NaN"),
        ({"price": "Infinity"}, "PF604", "price is Infinity"),
        ({"vcpu": "-2"}, "PF604", "vcpu is -2"),
        ({"vcpu": "two"}, "PF602", "vcpu 'two' is no number"),
        ({"gpu_count": "1.5"}, "PF602", "gpu_count '1.5' is no whole number"),
        ({"gpu_count": "Infinity"}, "PF602", "gpu_count 'Infinity' is no whole number"),
        ({"gpu_count": "-1"}, "PF604", "gpu_count is -1"),
        ({"as_of": ""}, "PF603", "as_of is empty"),
        ({"as_of": "14.8.2026"}, "PF602", "as_of '14.8.2026' is no day"),
        ({"read_on": "soon"}, "PF602", "read_on 'soon' is no day"),
        ({"currency": "usd"}, "PF602", "currency 'usd' is no code"),
        ({"currency": "€€€"}, "PF602", "currency '€€€' is no code"),
        ({"kind": "instances"}, "PF602", "Did you mean 'instance'?"),
        ({"commitment": "on demand"}, "PF602", "Did you mean 'on_demand'?"),
        ({"provider": ""}, "PF602", "provider is empty"),
        ({"item": "  "}, "PF602", "item is empty"),
        ({"unit": ""}, "PF602", "unit is empty"),
    ],
)
def test_a_bad_cell_is_told_with_its_line(change: dict[str, str], code: str, told: str):
    with pytest.raises(EconomicsError) as caught:
        Price.from_row({**ROW, **change}, "prices.csv line 3")
    assert caught.value.code == code
    assert str(caught.value).startswith(f"{code} prices.csv line 3: ")
    assert told in str(caught.value)


def test_all_that_is_wrong_with_a_row_is_told_at_once():
    with pytest.raises(Problems) as caught:
        Price.from_row({**ROW, "price": "x", "as_of": ""}, "line 3")
    assert [problem.code for problem in caught.value.problems] == ["PF602", "PF603"]
    with pytest.raises(Problems) as caught:
        Price.from_row({**ROW, "kind": "x", "currency": "x", "price": "-1"}, "line 3")
    assert [problem.code for problem in caught.value.problems] == ["PF602", "PF602", "PF604"]
    assert {problem.where for problem in caught.value.problems} == {"line 3"}


def test_an_unknown_unit_is_kept_for_the_check():
    assert Price.from_row({**ROW, "unit": "fortnight"}, "here").unit == "fortnight"


def test_a_gib_is_seven_percent_more_than_a_gb() -> None:
    sold = Price(
        provider="gcp", service="network", kind="egress_gb", item="internet", unit="gib",
        currency="USD", price=Decimal("0.12"), as_of=date(2025, 3, 6), source="a page",
    )  # fmt: skip
    assert float(sold.per_gb) == pytest.approx(0.12 * 1e9 / 2**30)
    assert replace(sold, unit="gb").per_gb.amount == Decimal("0.12")
    with pytest.raises(EconomicsError, match="PF602"):
        _ = replace(sold, unit="hour").per_gb
    charged = Tariff.of(sold, "USD", rates=None, on=date(2026, 11, 22))
    assert float(charged.unit_price) == pytest.approx(0.1117587)
    assert "0.12 USD per GiB" in charged.note


@pytest.mark.parametrize(
    ("asked", "hourly"),
    [
        ({"provider": "hetzner", "item": "cx33"}, 8.49 / 730),
        ({"provider": "aws", "item": "g5.xlarge", "region": "us-east-1"}, 1.006),
        ({"provider": "aws", "item": "g5.xlarge", "region": "cn-north-1"}, 9.51389),
        ({"provider": "azure", "item": "Standard_ND96asr_A100_v4"}, 8 * 3.3996),
        ({"provider": "nebius", "item": "gpu-h100-sxm_8gpu-128vcpu-1600gb"}, 23.6),
    ],
)
def test_rent_by_the_hour_of_some_rows(asked: dict[str, str], hourly: float) -> None:
    (price,) = PriceBook.builtin().find(**asked)  # type: ignore[arg-type]
    assert float(price.per_hour) == pytest.approx(hourly)
