from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payoff.core.errors import EconomicsError
from payoff.core.money import Money, format_money

cents = st.integers(-(10**12), 10**12).map(lambda n: Money(Decimal(n) / 100, "EUR"))


@given(cents, cents, cents)
def test_money_adds_up_exactly(a: Money, b: Money, c: Money) -> None:
    assert (a + b) + c == a + (b + c)
    assert a + b == b + a
    assert a - b == -(b - a)
    assert (a < b) == (a.amount < b.amount)


def test_a_float_is_taken_as_it_is_written() -> None:
    assert Money.of(0.1, "USD") + Money.of(0.2, "USD") == Money.of("0.3", "USD")
    assert 3 * Money.of(0.1, "USD") == Money.of(0.1, "USD") * 3.0
    assert float(Money.of(2, "USD")) == 2.0


def test_rounding_is_half_to_even() -> None:
    assert str(Money.of("0.125", "USD").rounded().amount) == "0.12"
    assert str(Money.of("0.135", "USD").rounded().amount) == "0.14"
    assert str(Money.of("2.5", "USD").rounded(0).amount) == "2"


@pytest.mark.parametrize("currency", ["usd", "US", "USDX", "U$D", "", "12A"])
def test_a_currency_is_three_capital_letters(currency: str) -> None:
    with pytest.raises(EconomicsError, match="PF610"):
        Money.of(1, currency)


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "-Infinity"])
def test_an_amount_is_finite(amount: str) -> None:
    with pytest.raises(EconomicsError, match="PF610"):
        Money.of(amount, "USD")


def test_two_currencies_do_not_mix() -> None:
    dollar, euro = Money.of(1, "USD"), Money.of(1, "EUR")
    for mixed in (lambda: dollar + euro, lambda: dollar - euro, lambda: dollar < euro):
        with pytest.raises(EconomicsError, match="PF605"):
            mixed()
    assert dollar != euro


@pytest.mark.parametrize(
    ("amount", "told"),
    [
        (0, "0.00 USD"),
        (0.0421, "0.0421 USD"),
        (0.1, "0.10 USD"),
        (-999.5, "-999.50 USD"),
        (1000, "1,000 USD"),
        (-1234567.8, "-1,234,568 USD"),
    ],
)
def test_amounts_are_shown_as_people_read_them(amount: float, told: str) -> None:
    assert format_money(amount, "USD") == told
    assert str(Money.of(amount, "USD")) == told


def test_an_amount_of_many_digits_is_rounded_too() -> None:
    assert str(Money.of("123456789012345678901234567890.125", "USD").rounded().amount) == (
        "123456789012345678901234567890.12"
    )
    assert Money.of(1e30, "USD").rounded(6).amount == 10**30
