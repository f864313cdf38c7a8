from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from payoff.learn.experiments.assignment import (
    CONTROL,
    TREATMENT,
    arm_of,
    bucket_of,
    decided_id,
    shadow_id,
)
from payoff.learn.experiments.course import EXAMPLE, Course, Stage
from payoff.learn.experiments.experiment import RAMP


def at(share: float, course: Course = EXAMPLE) -> Course:
    return replace(course, stages=(Stage("2026-01-01T00:00:00.000000Z", share),))


@given(st.text(max_size=40), st.text(max_size=40))
def test_ramping_never_moves_a_customer_back(customer: str, request: str) -> None:
    arms = [arm_of(at(share), customer, request) for share in RAMP[:-1]]
    first = arms.index(TREATMENT) if TREATMENT in arms else len(arms)
    assert arms == [CONTROL] * first + [TREATMENT] * (len(arms) - first)


@given(st.text(min_size=1, max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_a_customer_has_one_arm_whatever_it_asks(customer: str, one: str, other: str) -> None:
    assert arm_of(at(0.5), customer, one) == arm_of(at(0.5), customer, other)


@pytest.mark.parametrize("share", [0.01, 0.05, 0.25, 0.5])
def test_shares_are_kept(share: float) -> None:
    n = 20_000
    treated = sum(arm_of(at(share), f"c{i}", "") == TREATMENT for i in range(n))
    assert abs(treated - n * share) < 4 * np.sqrt(n * share * (1 - share))


def test_requests_without_a_customer_are_assigned_one_by_one() -> None:
    arms = {arm_of(at(0.5), "", f"r-{i}") for i in range(50)}
    assert arms == {CONTROL, TREATMENT}


def test_a_request_id_does_not_fall_where_a_customer_of_that_name_does() -> None:
    differing = [
        n for n in range(200) if arm_of(at(0.5), f"{n}", "") != arm_of(at(0.5), "", f"{n}")
    ]
    assert 60 < len(differing) < 140


def test_buckets_are_even_and_differ_between_experiments_and_salts() -> None:
    ours = np.array([bucket_of("a", "", f"c{i}") for i in range(5000)])
    other = np.array([bucket_of("b", "", f"c{i}") for i in range(5000)])
    salted = np.array([bucket_of("a", "s", f"c{i}") for i in range(5000)])
    assert np.abs(np.histogram(ours, 10, (0, 1))[0] - 500).max() < 100
    for one in (other, salted):
        assert abs(np.corrcoef(ours, one)[0, 1]) < 0.06
    assert ours.min() >= 0
    assert ours.max() < 1


def test_the_bucket_of_a_customer_is_the_same_for_ever() -> None:
    assert bucket_of("new-head", "", "c1") == 0.7494512920977499


def test_in_the_shadow_and_after_the_end() -> None:
    assert {arm_of(at(0.0), f"c{i}", "") for i in range(50)} == {CONTROL}
    stopped = replace(EXAMPLE, over="stopped", over_utc="2026-01-05T00:00:00.000000Z")
    assert {arm_of(stopped, f"c{i}", "") for i in range(50)} == {CONTROL}
    promoted = replace(stopped, over="promoted")
    assert {arm_of(promoted, f"c{i}", "") for i in range(50)} == {TREATMENT}


def test_a_shadow_has_an_id_of_its_own_and_leads_back() -> None:
    assert shadow_id("r") != "r"
    assert decided_id(shadow_id("r")) == "r"
