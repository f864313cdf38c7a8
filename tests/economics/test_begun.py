"""Decisions that are begun: taken apart, put together again, and decided by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from payoff.economics.begun import Begun
from payoff.economics.cascades.cascade_policy import ANSWERED, Answered
from payoff.economics.policy import Policy

VALUES = np.array([[3.0, -7.0, -1.0], [-7.0, 3.0, -1.0]])
POLICY = Policy(("bad", "good"), VALUES, segment_values={"clinics": 10 * VALUES})


def begun(n: int, *, segments: bool) -> Begun:
    said = np.linspace(0.05, 0.95, n)
    return Begun(
        [f"text {number}" for number in range(n)],
        np.array([["", "clinics"][number % 2] for number in range(n)]) if segments else None,
        Answered(np.stack([said, 1 - said], axis=1), np.arange(n) % 2, np.arange(n) / 8),
        np.where(np.arange(n) % 3 == 0, 1, ANSWERED),
    )


@given(order=st.permutations(range(6)), segments=st.booleans())
def test_parts_put_together_are_the_whole(order: list[int], segments: bool) -> None:
    whole = begun(6, segments=segments)
    again = Begun.joined([whole.rows([place]) for place in order]).rows(
        [order.index(place) for place in range(6)]
    )
    assert list(again.texts) == list(whole.texts)
    assert (again.segments is None) == (not segments)
    if again.segments is not None and whole.segments is not None:
        assert again.segments.tolist() == whole.segments.tolist()
    for one, other in (
        (again.answered.probabilities, whole.answered.probabilities),
        (again.answered.tiers, whole.answered.tiers),
        (again.answered.costs, whole.answered.costs),
        (again.wanted, whole.wanted),
    ):
        assert np.array_equal(one, other)
    assert again.is_open.tolist() == [True, False, False, True, False, False]


def test_decisions_restated_by_hand() -> None:
    decisions, said = begun(2, segments=True).decisions(POLICY, "USD", ("small", "large"))
    assert said.tolist() == [pytest.approx([0.05, 0.95]), pytest.approx([0.95, 0.05])]
    assert [one.action for one in decisions] == ["good", "bad"]
    assert [one.tier for one in decisions] == ["small", "large"]
    assert [float(one.worth) for one in decisions] == pytest.approx([2.5, 25.0])
    assert [one.segment for one in decisions] == ["", "clinics"]
    assert decisions[1].cost is not None
    assert float(decisions[1].cost) == 0.125
    alone, _ = begun(1, segments=False).decisions(POLICY, "USD")
    assert (alone[0].tier, alone[0].cost, alone[0].segment) == ("", None, "")
