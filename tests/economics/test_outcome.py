"""Outcome and actions: what decisions turn out to be worth."""

from __future__ import annotations

import numpy as np
import pytest

from payoff.core.errors import EconomicsError
from payoff.economics.actions import Actions
from payoff.economics.outcome import Outcome, realised
from payoff.economics.payoff import Payoff
from payoff.economics.person import Person

WORTH = Payoff(10, -20, currency="USD", person=Person(6, 10, 0.1))
LABELS = ("a", "b", "c")


def test_realised_values_by_hand() -> None:
    values = np.arange(12.0).reshape(3, 4)
    assert realised(values, np.array([2, 0, 1]), np.array([3, 1, 1])).tolist() == [11, 1, 5]


@pytest.mark.parametrize(
    ("truth", "actions"),
    [([0, 3], [0, 0]), ([0, -1], [0, 0]), ([0], [4]), ([0, 1], [0]), ([0.0], [0]), ([[0]], [[0]])],
)
def test_indices_that_do_not_fit_are_refused(truth: list[int], actions: list[int]) -> None:
    with pytest.raises(EconomicsError, match="PF614"):
        realised(np.zeros((3, 4)), np.array(truth), np.array(actions))


def test_outcome_of_actions_is_before_wages() -> None:
    done = Outcome.of_actions(WORTH, LABELS, np.array([0, 1, 2]), np.array([0, 0, 3]))
    np.testing.assert_allclose(done.gross_values, [10, -20, 7])  # 0.9 * 10 - 0.1 * 20
    np.testing.assert_allclose(done.right_values, [10, 0, 0])
    assert done.handed_over.tolist() == [False, False, True]


def test_outcome_of_a_stated_accuracy_by_hand() -> None:
    done = Outcome.of_accuracy(WORTH, LABELS, np.array([0, 2]), 0.75)
    np.testing.assert_allclose(done.gross_values, 0.75 * 10 - 0.25 * 20)
    np.testing.assert_allclose(done.right_values, 7.5)
    assert not done.handed_over.any()
    alone = Outcome.of_accuracy(Payoff(2, -1, 0, currency="USD"), ("a",), np.array([0]), 0.5)
    assert alone.gross_values.tolist() == [2.0]
    with pytest.raises(EconomicsError, match="PF614 accuracy"):
        Outcome.of_accuracy(WORTH, LABELS, np.array([0]), 1.2)


def test_actions_have_names_and_a_length() -> None:
    done = Actions(np.array([0, 2]), np.array([1.0, 2.0]))
    assert (done.names(("a", "b")), len(done)) == (["a", "handoff"], 2)
