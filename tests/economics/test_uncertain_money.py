"""UncertainMoney: quantiles, tails, paired differences."""

from __future__ import annotations

import json

import numpy as np
import pytest

from payoff.core.errors import EconomicsError
from payoff.core.files import to_json
from payoff.economics.uncertain_money import UncertainMoney


def test_summary_of_a_hundred_and_one_equal_steps() -> None:
    amount = UncertainMoney(np.arange(101.0) - 10, "EUR")
    assert float(amount.mean) == 40
    assert [float(end) for end in amount.interval(0.9)] == [-5, 85]
    assert float(amount.quantile(0.25)) == 15
    assert amount.probability_below() == pytest.approx(10 / 101)
    assert amount.probability_below(1000) == 1.0
    assert float(amount.tail_mean(0.05)) == pytest.approx(np.mean([-10, -9, -8, -7, -6]))
    assert float(amount.tail_mean(0.0)) == -10
    assert str(amount) == "40.00 EUR (5–95 %: -5.00 to 85.00 EUR)"


def test_as_dict_is_json_with_nine_quantiles() -> None:
    document = json.loads(to_json(UncertainMoney(np.arange(101.0), "EUR").as_dict()))
    assert document["quantiles"]["0.05"] == 5.0
    assert len(document["quantiles"]) == 9
    assert (document["mean"], document["n_worlds"], document["currency"]) == (50.0, 101, "EUR")


def test_differences_are_paired() -> None:
    common = np.random.default_rng(0).normal(0, 100, 500)
    gap = UncertainMoney(common + 2, "USD") - UncertainMoney(common, "USD")
    np.testing.assert_allclose(gap.samples, 2.0)
    assert len(gap) == 500


def test_unlike_amounts_are_not_subtracted() -> None:
    one = UncertainMoney(np.zeros(3), "USD")
    with pytest.raises(EconomicsError, match="PF605"):
        _ = one - UncertainMoney(np.zeros(3), "EUR")
    with pytest.raises(EconomicsError, match="PF615"):
        _ = one - UncertainMoney(np.zeros(4), "USD")


@pytest.mark.parametrize("samples", [np.zeros(0), np.zeros((2, 2)), np.array([1.0, np.nan])])
def test_what_is_no_distribution_is_refused(samples: np.ndarray) -> None:
    with pytest.raises(EconomicsError, match="PF610"):
        UncertainMoney(samples, "USD")
