"""Worth of labels: arithmetic restated by hand, and what must hold whatever the figures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.economics.label_worlds import subsets

from payoff.core.errors import EconomicsError
from payoff.core.findings import Status
from payoff.core.money import Money
from payoff.economics.labels.label_curve import LabelCurve, Subsets
from payoff.economics.labels.label_worth import LabelWorth

CURVE = LabelCurve.fit(subsets(4, n_rows=1200, training=1.0), ceiling=3.0)
TRAFFIC = np.random.default_rng(0).lognormal(np.log(240_000), 0.2, 500)


def worth(price: float | None = None, *, curve: LabelCurve = CURVE, n: int = 1600) -> LabelWorth:
    money = None if price is None else Money.of(price, "USD")
    return LabelWorth(curve, TRAFFIC, "USD", n, money)


def known(a: float, b: float, c: float) -> LabelCurve:
    one = np.ones(1)
    return LabelCurve(np.array([100, 400]), np.ones(2), np.ones(2), a * one, b * one, c * one)


def test_by_hand() -> None:
    """10,000 requests; π = 3 − 8/√n. At 400 the next is worth 10,000 · 4 / 400^1.5 = 5.00."""
    told = LabelWorth(known(3, 8, 0.5), np.array([1e4]), "EUR", 400, Money.of(2.0, "EUR"))
    assert float(told.next_label.mean) == pytest.approx(5.0)
    assert float(told.gain(1600).mean) == pytest.approx(1e4 * (8 / 20 - 8 / 40))
    purchase = told.purchase
    assert purchase is not None
    # 40,000 · n^(−1.5) = 2 at n = 20,000^(2/3) = 736.8
    assert (purchase.labels, purchase.low, purchase.high) == (336, 336, 336)
    assert not purchase.at_limit
    assert float(purchase.cost) == 672.0
    gain = 1e4 * (8 / 20 - 8 / 736**0.5)
    assert float(purchase.net.mean) == pytest.approx(gain - 672.0)
    assert told.sentence.startswith("Buy 336 more labels at 2.00 EUR each: ")


def test_none_where_the_next_is_not_worth_its_price() -> None:
    told = LabelWorth(known(3, 8, 0.5), np.array([1e4]), "EUR", 400, Money.of(5.01, "EUR"))
    assert told.purchase is not None
    assert told.purchase.labels == 0
    assert told.sentence.startswith("Buy no labels at 5.01 EUR each")


def test_not_beyond_four_times_what_was_measured() -> None:
    told = LabelWorth(known(3, 8, 0.5), np.array([1e4]), "EUR", 400, Money.of(0.01, "EUR"))
    assert told.purchase is not None
    assert (told.purchase.labels, told.purchase.at_limit) == (1200, True)
    assert "measure again" in told.sentence
    with pytest.raises(EconomicsError) as refused:
        told.gain(1601)
    assert refused.value.code == "PF625"
    assert "at most 1600" in str(refused.value)
    free = LabelWorth(known(3, 8, 0.5), np.array([1e4]), "EUR", 400, Money.of(0, "EUR"))
    assert free.purchase is not None
    assert (free.purchase.labels, free.purchase.high) == (1200, 1200)


def test_the_purchase_earns_more_than_fewer_or_more_labels() -> None:
    """By brute force over numbers: the expected net gain is highest where it says."""
    told = worth(0.9)
    assert told.purchase is not None
    best = max(range(1600, 6400, 10), key=lambda n: float(told.gain(n).mean) - 0.9 * (n - 1600))
    assert told.purchase.labels == pytest.approx(best - 1600, abs=10)
    assert told.purchase.low <= told.purchase.labels <= told.purchase.high


@settings(max_examples=30, deadline=None)
@given(st.floats(0.001, 50.0), st.floats(1.0, 10.0))
def test_dearer_labels_are_never_more_labels(price: float, factor: float) -> None:
    cheap, dear = worth(price).purchase, worth(price * factor).purchase
    assert cheap is not None
    assert dear is not None
    assert dear.labels <= cheap.labels
    assert dear.low <= cheap.low
    assert float(cheap.net.mean) >= -1e-6 * price
    assert float(cheap.net.mean) >= float(dear.net.mean) - 1e-6


@settings(max_examples=20, deadline=None)
@given(st.floats(0.01, 100.0), st.floats(0.05, 20.0))
def test_another_currency_changes_nothing_but_the_unit(rate: float, price: float) -> None:
    other = LabelCurve(
        CURVE.sizes,
        rate * CURVE.means,
        rate * CURVE.errors,
        rate * CURVE.level,
        rate * CURVE.scale,
        CURVE.exponent,
    )
    here, there = worth(price).purchase, worth(price * rate, curve=other).purchase
    assert here is not None
    assert there is not None
    assert abs(here.labels - there.labels) <= 1
    assert float(there.gain.mean) == pytest.approx(rate * float(here.gain.mean), rel=1e-3, abs=rate)


def test_more_requests_never_make_labels_worth_less() -> None:
    few = worth(1.0).purchase
    many = LabelWorth(CURVE, 3 * TRAFFIC, "USD", 1600, Money.of(1.0, "USD")).purchase
    assert few is not None
    assert many is not None
    assert many.labels >= few.labels


def test_without_a_price_it_says_what_a_label_is_worth() -> None:
    told = worth()
    assert told.purchase is None
    assert told.sentence.startswith("Buy labels that cost less than the next one is worth: ")
    plain = told.as_dict()
    assert plain["price_each"] is None
    assert [one["labels"] for one in plain["more"]] == [400, 800, 1600, 4800]
    assert len(plain["curve"]["line"]) == 25
    assert told.finding.status is Status.PASSED


def test_what_cannot_be_told_is_no_number() -> None:
    flat = Subsets(CURVE.sizes[:2], np.zeros((2, 2, 50)), 1600)
    told = worth(0.5, curve=LabelCurve.fit(flat))
    assert told.sentence.startswith("Whether more labels would pay cannot be told: 2 sizes")
    plain = told.as_dict()
    assert (plain["next_label"], plain["purchase"], plain["more"]) == (None, None, [])
    assert told.finding.status is Status.NOT_CHECKED
    for ask in (lambda: told.next_label, lambda: told.purchase, lambda: told.gain(2000)):
        with pytest.raises(EconomicsError) as refused:
            ask()
        assert refused.value.code == "PF625"


def test_a_model_that_knows_more_labels_than_may_be_told() -> None:
    assert "the model learns from 7000 labels" in worth(0.5, n=7000).doubt


def test_wrong_figures_are_coded() -> None:
    for requests, n in ((np.array([0.0]), 10), (np.zeros(0), 10), (np.ones(1), 0)):
        with pytest.raises(EconomicsError) as told:
            LabelWorth(CURVE, requests, "USD", n)
        assert told.value.code == "PF624"
    other = LabelWorth(CURVE, TRAFFIC, "USD", 1600, Money.of(1, "EUR"))
    with pytest.raises(EconomicsError) as told:
        _ = other.purchase
    assert told.value.code == "PF605"
