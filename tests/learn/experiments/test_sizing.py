from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payoff.core.errors import ServiceError
from payoff.learn.experiments.sizing import POWER, Size, gain_seen_in, size_of

USUAL: dict[str, Any] = {"gain": 0.5, "spread": 6.0, "requests_per_day": 400.0}


def size(**changed: Any) -> Size:
    return size_of(**USUAL | changed)


def test_the_days_restated() -> None:
    """Information day by day until the last look has the promised power."""
    found = size()
    share = [0.01, 0.05, 0.25] + [0.5] * 60
    information, days = 0.0, 0
    while True:
        information += 400 * share[days] * (1 - share[days])
        days += 1
        apart = 0.5 * math.sqrt(information) / 6.0 - 2.3760308419619
        if 0.5 * math.erfc(-apart / math.sqrt(2)) >= POWER:
            break
    assert found.days == days
    assert found.planned_information == pytest.approx(information)
    assert found.requests == 400 * days
    assert found.weeks == days / 7


@settings(max_examples=30)
@given(st.floats(0.2, 3.0), st.floats(1.0, 12.0), st.floats(50, 3000), st.floats(0.01, 100))
def test_other_money_changes_money_alone(
    gain: float, spread: float, per_day: float, scale: float
) -> None:
    ours = size_of(gain=gain, spread=spread, requests_per_day=per_day)
    other = size_of(gain=scale * gain, spread=scale * spread, requests_per_day=per_day)
    assert other.days == pytest.approx(ours.days, abs=1)  # the last bit may decide
    if other.days == ours.days:
        assert other.most_lost == pytest.approx(scale * ours.most_lost, rel=1e-6)


def test_what_makes_it_longer_or_dearer() -> None:
    usual = size()
    assert size(gain=0.25).days > 2 * usual.days
    assert size(spread=12.0).days > usual.days
    assert size(requests_per_day=4000).days < usual.days
    assert size(confidence=0.99).days > usual.days
    assert size(step_days=3.0).days > usual.days
    assert size(label_days=5.0).days == usual.days + 5
    assert size(label_days=5.0).most_lost > usual.most_lost
    assert size(requests_per_customer=50.0).most_lost > usual.most_lost
    assert size(most_harm=50.0).most_lost >= usual.most_lost


def test_the_worst_harm_loses_most() -> None:
    usual = size()
    assert usual.most_lost >= usual.most_lost_at_harm
    for harm in (0.1, 0.3, 1.0, 2.0, 4.0):
        one = size(harm=harm)
        assert one.most_lost_at_harm <= usual.most_lost * 1.05  # between points of its grid
        assert one.harm_days <= usual.days
    assert size(harm=4.0).harm_days < size(harm=1.0).harm_days


@pytest.mark.parametrize(
    "wrong",
    [
        {"gain": 0.0},
        {"spread": -1.0},
        {"spread": math.inf},
        {"requests_per_day": 0.0},
        {"requests_per_customer": math.nan},
        {"step_days": 0.0},
        {"confidence": 1.0},
        {"gain": 1e-4},
    ],
)
def test_figures_that_cannot_be_used(wrong: dict[str, float]) -> None:
    with pytest.raises(ServiceError, match="PF730"):
        size(**wrong)


@given(st.integers(5, 200), st.floats(0.5, 20.0), st.floats(20, 5000))
def test_the_gain_that_is_seen_in_some_days_is_the_inverse(
    days: int, spread: float, per_day: float
) -> None:
    gain = gain_seen_in(days, spread=spread, requests_per_day=per_day)
    found = size_of(gain=gain, spread=spread, requests_per_day=per_day)
    assert found.days == days


def test_time_that_is_shorter_than_labels_take_is_none() -> None:
    with pytest.raises(ServiceError, match="PF730"):
        gain_seen_in(5, spread=1.0, requests_per_day=10.0, label_days=5.0)


def test_as_plain_values() -> None:
    plain = size().as_dict()
    assert plain["power"] == POWER
    assert plain["weeks"] == pytest.approx(plain["days"] / 7)
