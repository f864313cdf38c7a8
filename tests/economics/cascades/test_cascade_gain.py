from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression
from tests.economics.tiers import policy_of

from payoff.core.errors import EconomicsError
from payoff.economics.cascades.cascade_gain import FORMS, Gain, Knowledge, fit_gain
from payoff.economics.policy import Policy

amounts = st.floats(-50, 50, allow_nan=False)


def known_of(regret: Any, predicted: Any = None) -> Knowledge:
    """Knowledge of which only the regret differs."""
    features = np.zeros((len(regret), 5))
    features[:, 0] = regret
    return Knowledge(features, np.zeros(len(regret), np.int64) if predicted is None else predicted)


def test_knowledge_restated_by_hand() -> None:
    policy = Policy(("a", "b"), np.array([[3.0, -7.0, -4.0], [-7.0, 5.0, -4.0]]))
    known = Knowledge.of(policy, np.array([[0.8, 0.2], [0.5, 0.5]]))
    worth = 0.8 * 3 - 0.2 * 7  # acting as a
    perfect = 0.8 * 3 + 0.2 * 5
    entropy = -(0.8 * np.log(0.8) + 0.2 * np.log(0.2))
    assert known.features[0] == pytest.approx([perfect - worth, 0.8, 0.6, entropy, worth])
    assert known.features[1] == pytest.approx([4 + 1, 0.5, 0.0, np.log(2), -1])
    assert known.predicted.tolist() == [0, 0]
    assert len(known) == 2
    assert known.take(np.array([1])).features[0, 1] == 0.5


def test_a_certain_model_regrets_nothing_and_a_shift_counts() -> None:
    policy = policy_of(3)
    certain = Knowledge.of(policy, np.eye(3)).features
    assert certain[:, 0] == pytest.approx(0.0)
    assert certain[:, 3] == pytest.approx(0.0)
    shifted = Policy(policy.labels, policy.values, np.array([9.0, 1.0, 1.0]))
    assert Knowledge.of(shifted, np.array([[0.2, 0.4, 0.4]])).predicted.tolist() == [0]


def test_penalties_change_what_is_done_and_not_who_is_asked() -> None:
    policy = policy_of(3)
    p = np.random.default_rng(0).dirichlet(np.ones(3), 50)
    careful = policy.penalised(np.full((3, 4), 5.0) * (np.arange(4) < 3))
    assert (careful.decide(p).actions != policy.decide(p).actions).any()
    told, plain = Knowledge.of(careful, p), Knowledge.of(policy, p)
    assert np.array_equal(told.features, plain.features)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), amounts, st.floats(0.1, 5)), min_size=1, max_size=60))
def test_isotonic_is_what_scikit_learn_finds(rows: list[tuple[int, float, float]]) -> None:
    x, y, w = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    gain = fit_gain("isotonic", known_of(x), y, 2, row_weights=w)
    expected = IsotonicRegression().fit(x, y, sample_weight=w).predict(x)
    assert gain.of(known_of(x)) == pytest.approx(expected, abs=1e-6)
    assert (np.diff(gain.levels) >= -1e-9).all()


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 20), amounts), min_size=2, max_size=30), st.floats(-99, 99))
def test_no_request_is_expected_to_gain_more_than_any_did(
    form: str, rows: list[tuple[float, float]], far: float
) -> None:
    x, y = (np.array(column) for column in zip(*rows, strict=True))
    gain = fit_gain(form, known_of(x), y, 3, row_weights=np.ones(len(y)))
    told = gain.of(known_of(np.array([far])))
    assert y.min() - 1e-9 <= told[0] <= y.max() + 1e-9


def test_linear_finds_a_line_and_by_class_an_offset() -> None:
    rng = np.random.default_rng(0)
    x, predicted = rng.uniform(0, 9, 4000), rng.integers(0, 3, 4000)
    line = 0.5 * x - 1.0
    weights = np.ones(4000)
    linear = fit_gain("linear", known_of(x), line, 3, row_weights=weights)
    assert linear.of(known_of(np.array([2.0, 6.0]))) == pytest.approx([0.0, 2.0], abs=0.01)
    bent = line + np.array([0.0, 3.0, 0.0])[predicted]
    by_class = fit_gain("by class", known_of(x, predicted), bent, 3, row_weights=weights)
    told = by_class.of(known_of(np.array([4.0, 4.0]), np.array([0, 1])))
    assert told == pytest.approx([1.0, 4.0], abs=0.05)
    plain = fit_gain("linear", known_of(x, predicted), bent, 3, row_weights=weights)
    assert plain.of(known_of(np.array([4.0]))) == pytest.approx([2.0], abs=0.1)


def test_classes_solved_one_by_one_are_those_of_all_equations_together() -> None:
    """Ridge on standardised features and a column for each class, written out."""
    rng = np.random.default_rng(2)
    known = Knowledge(rng.normal(3, 2, size=(200, 5)), rng.integers(0, 7, 200))
    gained, w = rng.normal(size=200), rng.uniform(0.3, 3.0, 200)
    centre = np.average(known.features, axis=0, weights=w)
    spread = np.sqrt(np.average((known.features - centre) ** 2, axis=0, weights=w))
    design = np.hstack([(known.features - centre) / spread, np.eye(8)[known.predicted]])
    left = design.T @ np.diag(w) @ design + np.diag([1.0] * 5 + [10.0] * 8)
    mean = np.average(gained, weights=w)
    solved = np.linalg.solve(left, design.T @ (w * (gained - mean)))
    gain = fit_gain("by class", known, gained, 8, row_weights=w)
    assert gain.weights == pytest.approx(solved[:5] / spread, rel=1e-9)
    assert gain.offsets == pytest.approx(solved[5:], rel=1e-9, abs=1e-12)
    assert gain.intercept == pytest.approx(mean - centre @ gain.weights)


def test_few_rows_of_a_class_are_believed_by_half() -> None:
    predicted = np.repeat([0, 1], [1000, 10])
    gained = np.where(predicted == 1, 4.0, 0.0)
    flat = known_of(np.ones(1010), predicted)
    gain = fit_gain("by class", flat, gained, 2, row_weights=np.ones(1010))
    assert gain.offsets[1] == pytest.approx((4.0 - gained.mean()) / 2)  # 10 rows against 10


def test_a_weight_counts_like_as_many_rows() -> None:
    x, y, w = np.array([1.0, 2.0, 3.0]), np.array([2.0, 0.0, 3.0]), np.array([1, 3, 2])
    weighed = fit_gain("isotonic", known_of(x), y, 2, row_weights=w / w.mean())
    repeated = fit_gain(
        "isotonic", known_of(np.repeat(x, w)), np.repeat(y, w), 2, row_weights=np.ones(w.sum())
    )
    assert weighed.of(known_of(x)) == pytest.approx(repeated.of(known_of(x)))


def test_numbers_survive_json() -> None:
    rng = np.random.default_rng(1)
    known = Knowledge(rng.normal(size=(50, 5)), rng.integers(0, 4, 50))
    for form in FORMS:
        gain = fit_gain(form, known, rng.normal(size=50), 4, row_weights=np.ones(50))
        again = Gain.from_dict(json.loads(json.dumps(gain.to_dict())))
        assert np.array_equal(again.of(known), gain.of(known))
        assert again.form == form


@pytest.mark.parametrize(
    "change",
    [
        {"weights": [1.0]},
        {"knots": [2.0, 1.0], "levels": [0.0, 0.0]},
        {"levels": [0.0, 1.0, 2.0]},
        {"knots": [], "levels": []},
        {"intercept": "much"},
        {"intercept": float("nan")},
        {"levels": [float("inf")]},
        {"offsets": [[1.0]]},
        {"weights": None},
    ],
)
def test_what_is_no_gain_is_refused(change: dict[str, Any]) -> None:
    good = fit_gain("isotonic", known_of([1.0]), np.ones(1), 2, row_weights=np.ones(1)).to_dict()
    with pytest.raises(EconomicsError, match=r"PF613 policy \[cascade\]"):
        Gain.from_dict(good | change)
    with pytest.raises(EconomicsError, match="PF613"):
        Gain.from_dict({})
