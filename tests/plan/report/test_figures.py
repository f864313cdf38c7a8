"""Figures are said as they are; what was not measured is said to be so."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payoff.plan.report import figures as f

SAYERS = [
    f.amount, f.percent, f.number, f.quantity, f.milliseconds, f.size, f.duration,
    lambda value: f.money(value, "USD"),
    lambda value: f.interval({"low": value, "high": value}),
]  # fmt: skip


@pytest.mark.parametrize("say", SAYERS)
@pytest.mark.parametrize("value", [None, math.nan, math.inf, "7", True, [], {}])
def test_what_is_no_number_was_not_measured(say: Any, value: Any) -> None:
    assert say(value) == "not measured"


@pytest.mark.parametrize("say", SAYERS)
@given(value=st.floats(-1e15, 1e15))
def test_every_number_is_said(say: Any, value: float) -> None:
    text = say(value)
    assert text
    assert "not measured" not in text
    assert "-" not in text
    assert "e+" not in text


@given(value=st.floats(1e-9, 1e12))
def test_an_amount_is_never_said_to_be_nothing_when_it_is_something(value: float) -> None:
    assert any(digit in f.amount(value) for digit in "123456789")
    assert any(digit in f.compact(value) for digit in "123456789")
    assert f.amount(-value) == f"−{f.amount(value)}"


@given(value=st.floats(1, 9e11))
def test_compact_keeps_two_digits(value: float) -> None:
    text = f.compact(value)
    unit = {"k": 1e3, "M": 1e6, "G": 1e9}.get(text[-1], 1.0)
    assert float(text.rstrip("kMG")) * unit == pytest.approx(value, rel=0.05)


def test_edges_between_units() -> None:
    assert [f.compact(v) for v in (999.4, 999.6, 99_949, 99_951, 999_900)] == [
        "999", "1k", "99.9k", "100k", "1M",
    ]  # fmt: skip
    assert [f.amount(v) for v in (0.0, -0.0, 0.1, 99.99, 100.4)] == [
        "0", "0", "0.10", "99.99", "100",
    ]  # fmt: skip
    assert f.duration(59.96) == "60 s"
    assert f.duration(3599.6) == "1 h"
    assert f.duration(0) == "0.0 s".replace(".0", "")


def test_shares_are_never_rounded_to_none_or_all_of_it() -> None:
    assert f.percent(0.0) == "0\u202f%"
    assert f.percent(0.0004) == "under 0.1\u202f%"
    assert f.percent(0.9999) == "over 99.9\u202f%"
    assert f.percent(1.0) == "100\u202f%"
    assert f.percent(-0.031) == "−3.1\u202f%"


def test_pick_walks_only_through_mappings() -> None:
    assert f.pick({"a": [1]}, "a", "b") is None
    assert f.pick(None, "a") is None
    assert f.entries({"a": "text"}, "a") == []
    assert f.words("  ") == "not measured"
