"""Both readings of the mission's formula, exact to the cent."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from payoff.core.money import Money
from payoff.economics.waterfall import Reconciliation

amounts = st.floats(-1e7, 1e7, allow_nan=False)


def readings(e_model: float, hosting: float, reference: float, others: float) -> Reconciliation:
    profit = e_model - hosting - others
    return Reconciliation(
        *(Money.of(amount, "EUR") for amount in (e_model, hosting, reference, others, profit))
    )


@given(amounts, amounts, amounts, amounts)
def test_both_readings_add_up_to_the_cent_in_what_is_shown(
    e_model: float, hosting: float, reference: float, others: float
) -> None:
    both = readings(e_model, hosting, reference, others)
    told = both.as_dict()
    assert told["holds"]
    shown = {
        name: Decimal(repr(told[name]))
        for name in ("e", "e_model", "e_cloud", "hosting", "reference", "other_costs", "profit")
    }
    assert all(amount == amount.quantize(Decimal("0.01")) for amount in shown.values())
    assert shown["e"] == shown["e_model"] + shown["e_cloud"]
    assert shown["e_cloud"] == shown["reference"] - shown["hosting"]
    assert shown["profit"] == shown["e_model"] - shown["hosting"] - shown["other_costs"]
    assert shown["profit"] == shown["e"] - shown["reference"] - shown["other_costs"]
    assert shown["profit"] == both.profit.rounded().amount
    exact = {"e_model": e_model, "hosting": hosting, "other_costs": others}
    for name, amount in exact.items():
        assert abs(shown[name] - Decimal(str(amount))) <= Decimal("0.01")


def test_readings_that_do_not_hold_are_not_made_to() -> None:
    broken = Reconciliation(*(Money.of(amount, "EUR") for amount in (100, 10, 30, 50, 45)))
    told = broken.as_dict()
    assert told["holds"] is False
    assert told["e_model"] - told["hosting"] - told["other_costs"] != told["profit"]
