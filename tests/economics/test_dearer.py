"""Dearer mistakes and dearer people: cell by cell, in whatever form the payoff was stated."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from payoff.economics.class_value import ClassValue
from payoff.economics.dearer import dearer_mistakes, dearer_people
from payoff.economics.payoff import Payoff
from payoff.economics.person import Person

LABELS = ("a", "b", "c")
STATED = Payoff(
    3.0, -7.0, -2.0, currency="EUR",
    classes={"b": ClassValue(wrong=-40.0, handoff=1.5), "c": ClassValue(correct=-1.0)},
    pairs=[("a", "b", 0.5), ("b", "c", -90.0), ("c", "handoff", -6.0)],
)  # fmt: skip
CELLS = STATED.matrix(LABELS)
AS_MATRIX = Payoff(
    0.0, 0.0, currency="EUR",
    matrix_values={
        truth: dict(zip((*LABELS, "handoff"), CELLS[row].tolist(), strict=True))
        for row, truth in enumerate(LABELS)
    },
)  # fmt: skip
WRONG = np.concatenate([~np.eye(3, dtype=bool), np.zeros((3, 1), bool)], axis=1)
HANDED = np.array([[False, False, False, True]] * 3)


@pytest.mark.parametrize("stated", [STATED, AS_MATRIX])
@given(factor=st.floats(0.1, 50.0))
def test_only_losses_of_that_kind_are_scaled(stated: Payoff, factor: float) -> None:
    for change, kind in ((dearer_mistakes, WRONG), (dearer_people, HANDED)):
        expected = np.where(kind & (CELLS < 0), CELLS * factor, CELLS)
        np.testing.assert_allclose(change(stated, factor).matrix(LABELS), expected)
    np.testing.assert_array_equal(stated.matrix(LABELS), CELLS)


def test_what_people_get_wrong_is_dearer_too() -> None:
    worth = Payoff(3.0, -7.0, currency="EUR", person=Person(4, 30, 0.1, delay_cost=0.5))
    then = dearer_mistakes(worth, 2.0).of(truth="a", action="handoff").amount
    assert float(then) == pytest.approx(0.9 * 3 - 0.1 * 14 - 0.5 - 4 / 60 * 30)
    paid = dearer_people(worth, 1.25).of(truth="a", action="handoff").amount
    assert float(paid) == pytest.approx(0.9 * 3 - 0.1 * 7 - 0.5 - 4 / 60 * 37.5)
