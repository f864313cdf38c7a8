"""Traffic: the stated range is met exactly, and what is not stated is said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payoff.core.errors import PayoffError, Problems
from payoff.economics.traffic import Traffic


@given(
    likely=st.floats(1, 1e7),
    below=st.floats(0.01, 1.0),
    above=st.floats(1.0, 50.0),
)
@settings(deadline=None)
def test_quantiles_are_low_likely_and_high(likely: float, below: float, above: float) -> None:
    traffic = Traffic(likely, likely * below, likely * above)
    assert traffic.quantile(0.05) == pytest.approx(likely * below, rel=1e-6)
    assert traffic.quantile(0.5) == pytest.approx(likely, rel=1e-6)
    assert traffic.quantile(0.95) == pytest.approx(likely * above, rel=1e-6)


def test_draws_fill_the_range_as_stated() -> None:
    drawn = Traffic(1000, 500, 4000).draws(7, 40_000, 1)[:, 0]
    shares = [np.mean(drawn < bound) for bound in (500, 1000, 4000)]
    assert shares == pytest.approx([0.05, 0.5, 0.95], abs=0.006)
    assert drawn.min() > 0


def test_growth_and_seeds() -> None:
    traffic = Traffic(100, 80, 130, growth_per_month=-0.5)
    short, long = traffic.draws(3, 5, 2), traffic.draws(3, 5, 4)
    np.testing.assert_array_equal(short, long[:, :2])
    np.testing.assert_allclose(long[:, 1:], long[:, :-1] / 2)
    assert not np.array_equal(short, traffic.draws(4, 5, 2))


def test_what_is_assumed_is_said() -> None:
    assert Traffic(1000).range_per_month == (800.0, 1250.0)
    assert Traffic(1000, low=900).assumed == ("high",)
    assert Traffic(1000, 900, 1100).assumed == ()


def test_peak_is_the_average_second_times_the_factor() -> None:
    assert Traffic(1, peak_factor=3).peak_per_s(2_628_000) == pytest.approx(3.0)


def test_all_wrong_figures_are_told_at_once() -> None:
    with pytest.raises(Problems) as caught:
        Traffic(0, -1, 0, growth_per_month=-1, peak_factor=0.5, characters_per_text=0)
    assert len(caught.value.problems) == 6
    assert {problem.code for problem in caught.value.problems} == {"PF203"}


@pytest.mark.parametrize("growth", [-1, 3, 1e200])
def test_growth_is_a_share(growth: float) -> None:
    with pytest.raises(PayoffError, match=r"above -1, at most 1.*0\.03 is three percent") as caught:
        Traffic(100, growth_per_month=growth)
    assert caught.value.code == "PF203"


@pytest.mark.parametrize("ends", [{"low": 101}, {"high": 99}])
def test_likely_must_lie_between_low_and_high(ends: dict[str, Any]) -> None:
    with pytest.raises(PayoffError, match="PF203"):
        Traffic(100, **ends)


def test_table_round_trip_and_its_errors() -> None:
    traffic = Traffic(100, 80, 130, growth_per_month=0.02, peak_factor=6, characters_per_text=90)
    assert Traffic.from_dict(traffic.as_dict()) == traffic
    with pytest.raises(Problems) as caught:
        Traffic.from_dict({"per_mnth": 10})
    assert [problem.code for problem in caught.value.problems] == ["PF202", "PF203"]


def test_the_hours_say_the_peak() -> None:
    day = (4.0,) + 23 * (1.0,)
    traffic = Traffic(1000, by_hour=day)
    assert traffic.peak_factor == pytest.approx(4 / (27 / 24))
    assert Traffic.from_dict(traffic.as_dict()) == traffic
    assert Traffic.from_dict({"per_month": 1000, "by_hour": list(day)}) == traffic


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"by_hour": [1.0, 2.0]}, "has 2 numbers"),
        ({"by_hour": 24 * [0.0]}, "is 0 in every hour"),
        ({"by_hour": [-1.0] + 23 * [1.0]}, "'by_hour' is -1"),
        ({"by_hour": 24 * [1.0], "peak_factor": 3.0}, "'peak_factor' is 3 and by_hour says 1"),
        ({"at_once": 0.5}, "'at_once' is 0.5"),
    ],
)
def test_wrong_hours_and_groups(more: dict[str, Any], told: str) -> None:
    with pytest.raises(PayoffError, match=f"PF203.*{told}"):
        Traffic.from_dict({"per_month": 1000, **more})
