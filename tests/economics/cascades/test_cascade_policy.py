from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from payoff.core.errors import EconomicsError
from payoff.economics.cascades.blend import ALONE, Blend
from payoff.economics.cascades.cascade_gain import Gain
from payoff.economics.cascades.cascade_outcome import CascadeOutcome
from payoff.economics.cascades.cascade_policy import ANSWERED, Answered, CascadePolicy
from payoff.economics.policy import Policy

POLICY = Policy(("a", "b"), np.array([[3.0, -7.0, -4.0], [-7.0, 3.0, -4.0]]))
# Regret of (p, 1 − p) with p the larger one: 10 (1 − p) where it acts, 7 where it hands over.
SAID = np.array(
    [
        [[0.95, 0.05], [0.7, 0.3], [0.7, 0.3], [0.6, 0.4]],
        [[0.5, 0.5], [0.1, 0.9], [0.6, 0.4], [0.55, 0.45]],
        [[0.5, 0.5], [0.5, 0.5], [0.0, 1.0], [1.0, 0.0]],
    ]
)


def above(regret: float) -> Gain:
    """Goes on where the regret is above a bound."""
    ends = np.array([-10.0, 10.0])
    return Gain(np.eye(5)[0], np.zeros(2), -regret, ends, ends, "linear")


CASCADE = CascadePolicy(("words", "static", "encoder"), (0.01, 0.1, 0.5), (above(1.0), above(2.0)))


def test_three_tiers_restated_by_hand() -> None:
    asked: list[tuple[int, list[int]]] = []

    def ask(tier: int, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        asked.append((tier, rows.tolist()))
        return np.asarray(SAID[tier][rows])

    done = CASCADE.answer(POLICY, 4, ask)
    assert asked == [(0, [0, 1, 2, 3]), (1, [1, 2, 3]), (2, [2, 3])]
    assert done.tiers.tolist() == [0, 1, 2, 2]
    assert done.costs == pytest.approx([0.01, 0.11, 0.61, 0.61])
    assert done.probabilities.tolist() == [[0.95, 0.05], [0.1, 0.9], [0.0, 1.0], [1.0, 0.0]]
    outcome = CascadeOutcome.of(POLICY, done, np.array([0, 0, 1, 0]))
    assert outcome.actions.tolist() == [0, 1, 1, 0]
    assert outcome.worths.tolist() == [3.0, -7.0, 3.0, 3.0]
    assert outcome.nets == pytest.approx([2.99, -7.11, 2.39, 2.39])
    assert outcome.worth == pytest.approx(0.5)
    assert outcome.cost == pytest.approx(1.34 / 4)
    assert outcome.value == pytest.approx(0.5 - 1.34 / 4)
    assert outcome.shares(3) == pytest.approx((0.25, 0.25, 0.5))
    weighed = CascadeOutcome.of(
        POLICY, done, np.array([0, 0, 1, 0]), row_weights=np.array([4.0, 0, 0, 0])
    )
    assert weighed.value == pytest.approx(2.99)
    assert weighed.shares(3) == pytest.approx((1.0, 0.0, 0.0))


def test_who_is_sure_is_not_asked_about_again() -> None:
    done = CASCADE.answer(POLICY, 2, lambda tier, rows: np.eye(2)[rows])
    assert done.tiers.tolist() == [0, 0]
    nobody = CASCADE.answer(POLICY, 0, lambda tier, rows: np.empty((0, 2)))
    assert nobody.probabilities.shape == (0, 2)


@given(
    said=arrays(np.float64, (3, 5), elements=st.floats(0.01, 0.99)),
    before=st.integers(0, 3),
    order=st.permutations(range(5)),
    unreachable=st.booleans(),
)
def test_left_before_any_tier_and_taken_up_row_by_row_it_is_the_same(
    said: NDArray[np.float64], before: int, order: list[int], unreachable: bool
) -> None:
    both = np.stack([said, 1 - said], axis=2)

    def ask(tier: int, rows: NDArray[np.int64]) -> NDArray[np.float64] | None:
        return None if unreachable and tier == 1 else both[tier][rows]

    whole = CASCADE.answer(POLICY, 5, ask)
    nothing, first = Answered.nothing(5, 2), np.zeros(5, np.int64)
    left, wanted = CASCADE.go_on(POLICY, nothing, first, ask=ask, before=before)
    assert set(wanted.tolist()) <= {before, ANSWERED}
    for row in order:
        own = Answered(left.probabilities[[row]], left.tiers[[row]], left.costs[[row]])
        done, rest = CASCADE.go_on(
            POLICY, own, wanted[[row]], ask=lambda tier, rows, row=row: ask(tier, rows + row)
        )
        assert rest.tolist() == [ANSWERED]
        assert done.tiers[0] == whole.tiers[row]
        assert done.costs[0] == whole.costs[row]
        assert done.probabilities[0].tolist() == whole.probabilities[row].tolist()


def test_a_tier_is_joined_with_what_was_said_before_it() -> None:
    blends = (Blend(1.0, 1.0), Blend(0.5, 2.0))
    joined = replace(CASCADE, gains=(above(-1.0), above(-1.0)), blends=blends)
    done = joined.answer(POLICY, 4, lambda tier, rows: SAID[tier][rows])
    assert done.tiers.tolist() == [2, 2, 2, 2]
    second = SAID[0] * SAID[1]
    third = second**0.5 * np.maximum(SAID[2], 1e-9) ** 2
    third /= third.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(done.probabilities, third, atol=1e-12)


def test_a_document_of_before_blends_joins_nothing() -> None:
    document = CASCADE.to_dict()
    del document["blends"]
    assert CascadePolicy.from_dict(document).blends == (ALONE, ALONE)


def test_a_tier_that_answers_nonsense_is_named() -> None:
    with pytest.raises(EconomicsError, match="PF611"):
        CASCADE.answer(POLICY, 2, lambda tier, rows: np.full((len(rows), 2), 0.9))
    joined = replace(CASCADE, gains=(above(-1.0), above(-1.0)), blends=(Blend(1.0, 1.0), ALONE))
    with pytest.raises(EconomicsError, match="PF611"):
        joined.answer(POLICY, 2, lambda tier, rows: np.full((len(rows), 2), 0.5 + 0.4 * tier))


def test_it_survives_json() -> None:
    again = CascadePolicy.from_dict(json.loads(json.dumps(CASCADE.to_dict())))
    assert again.to_dict() == CASCADE.to_dict()
    assert again.tiers == CASCADE.tiers


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"costs": [1.0]}, "PF613"),
        ({"tiers": ["words"]}, "PF613"),
        ({"tiers": [], "costs": [], "gains": []}, "PF613"),
        ({"gains": 3}, "PF613"),
        ({"blends": []}, "PF613"),
        ({"blends": 3}, "PF613"),
        ({"blends": [[0.5], [0.5, 1.0]]}, "PF613"),
        ({"blends": [[0.5, "much"], [0.5, 1.0]]}, "PF613"),
        ({"blends": [[0.5, -1.0], [0.5, 1.0]]}, "PF613"),
        ({"gains": [{}, {}]}, "PF613"),
        ({"gains": [above(1.0).to_dict() | {"weights": [1e308, 0, 0, 0, 0]}] * 2}, "PF613"),
        ({"costs": [0.1, "free", 0.2]}, "PF613"),
        ({"costs": [0.1, -1.0, 0.2]}, "PF604"),
        ({"costs": [0.1, float("nan"), 0.2]}, "PF604"),
    ],
)
def test_what_is_no_cascade_is_refused(change: dict[str, Any], code: str) -> None:
    with pytest.raises(EconomicsError, match=code):
        CascadePolicy.from_dict(CASCADE.to_dict() | change)
