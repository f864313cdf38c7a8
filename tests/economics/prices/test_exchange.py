from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payoff.core.errors import EconomicsError, Problems
from payoff.core.findings import Status
from payoff.core.money import Money
from payoff.economics.prices.exchange import ExchangeRate, ExchangeRates

DAY = date(2026, 11, 2)
RATES = ExchangeRates.of("USD", {"EUR": 1.08, "CNY": "0.14"}, as_of=DAY, source="a bank")


def test_into_and_out_of_the_base():
    assert RATES.convert(Money.of(100, "EUR"), "USD", DAY) == Money.of("108.00", "USD")
    assert RATES.convert(Money.of(108, "USD"), "EUR", DAY).amount == 100


def test_across_two_currencies():
    # 7 EUR are 7 x 1.08 = 7.56 USD, and 7.56 / 0.14 = 54 CNY
    assert RATES.convert(Money.of(7, "EUR"), "CNY", DAY).amount == 54


def test_the_same_currency_needs_no_rate():
    money = Money.of(5, "JPY")
    assert ExchangeRates("USD").convert(money, "JPY", DAY) is money


@given(st.decimals(min_value=-10_000, max_value=10_000, places=2))
def test_there_and_back(amount: Decimal):
    money = Money(amount, "EUR")
    there = RATES.convert(money, "CNY", DAY)
    back = RATES.convert(there, "EUR", DAY)
    assert float(back.amount) == pytest.approx(float(amount), abs=1e-9)


def test_the_newest_rate_at_or_before_the_day_holds():
    later = RATES.with_rates([ExchangeRate("EUR", Decimal("1.2"), date(2026, 12, 1), "a bank")])
    euro = Money.of(1, "EUR")
    assert later.convert(euro, "USD", date(2026, 11, 30)).amount == Decimal("1.08")
    assert later.convert(euro, "USD", date(2026, 12, 1)).amount == Decimal("1.2")
    assert len(RATES.rates) == 2


@pytest.mark.parametrize(
    ("money", "to", "on", "told"),
    [
        (Money.of(1, "GBP"), "USD", DAY, "no rate from GBP to USD is given"),
        (Money.of(1, "USD"), "GBP", DAY, "no rate from GBP to USD is given"),
        (
            Money.of(1, "EUR"),
            "USD",
            date(2026, 11, 1),
            "for 2026-11-01; the first is of 2026-11-02",
        ),
    ],
)
def test_mixing_without_a_rate_is_an_error(money: Money, to: str, on: date, told: str):
    with pytest.raises(EconomicsError) as caught:
        RATES.convert(money, to, on)
    assert caught.value.code == "PF605"
    assert told in str(caught.value)
    assert "payoff.toml [currency]" in caught.value.mend


def test_history_is_never_overwritten():
    again = ExchangeRate("EUR", Decimal("1.080"), DAY, "another bank")
    assert RATES.with_rates([again]) == RATES
    with pytest.raises(EconomicsError, match=r"PF606 .*1.08 and 1.1 are both given"):
        RATES.with_rates([ExchangeRate("EUR", Decimal("1.1"), DAY, "a bank")])


@pytest.mark.parametrize("value", [0, -1, "NaN", "Infinity", float("inf")])
def test_an_impossible_rate(value: float | str):
    with pytest.raises(EconomicsError, match="PF602 rate of EUR"):
        ExchangeRates.of("USD", {"EUR": value}, as_of=DAY, source="")


def test_all_bad_rates_are_told_at_once():
    with pytest.raises(Problems) as caught:
        ExchangeRates.of("USD", {"EUR": "a lot", "euro": 1}, as_of=DAY, source="")
    assert [problem.code for problem in caught.value.problems] == ["PF602", "PF610"]


def test_the_base_is_worth_one_of_itself():
    assert ExchangeRates.of("USD", {"USD": 1}, as_of=DAY, source="").rates[0].value == 1
    with pytest.raises(EconomicsError, match=r"PF602 .*worth 2 of itself"):
        ExchangeRates.of("USD", {"USD": 2}, as_of=DAY, source="")


def test_codes_are_checked():
    with pytest.raises(EconomicsError, match="PF610"):
        ExchangeRates("dollar")
    with pytest.raises(EconomicsError, match="PF610"):
        RATES.convert(Money.of(1, "EUR"), "dollar", DAY)


def test_check_tells_old_rates():
    title = "No exchange rate in force is older than 90 days"
    [none] = ExchangeRates("USD").check(DAY)
    [fresh] = RATES.check(DAY)
    [old] = RATES.check(date(2027, 3, 1))
    assert (none.status, fresh.status, old.status) == (
        Status.NOT_APPLICABLE,
        Status.PASSED,
        Status.FAILED,
    )
    assert {none.title, fresh.title, old.title} == {title}
    assert old.n_affected == 2
    assert "EUR of 2026-11-02" in old.detail
    assert RATES.check(date(2026, 11, 1))[0].status is Status.NOT_APPLICABLE
