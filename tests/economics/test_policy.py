"""Policy: the best action by hand, by properties, and by its thresholds."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from payoff.core.errors import EconomicsError, PayoffError
from payoff.economics.class_value import ClassValue
from payoff.economics.label_mix import label_mix
from payoff.economics.payoff import Payoff
from payoff.economics.policy import Policy

Array = NDArray[np.float64]
LABELS = ("a", "b", "c")
WORTH = Payoff(correct=3.20, wrong=-7.50, handoff=-4.10, currency="USD")


@st.composite
def probabilities(draw: st.DrawFn, k: int = 3) -> Array:
    raw: Array = draw(hnp.arrays(float, (draw(st.integers(1, 6)), k), elements=st.floats(0.001, 1)))
    shares: Array = raw / raw.sum(axis=1, keepdims=True)
    return shares


matrices = hnp.arrays(float, (3, 4), elements=st.floats(-100, 100, width=32))


def test_decision_by_hand() -> None:
    policy = Policy.from_payoff(WORTH, ("a", "b"))
    done = policy.decide(np.array([[0.9, 0.1], [0.1, 0.9]]))
    assert done.actions.tolist() == [0, 1]
    assert done.values == pytest.approx([0.9 * 3.2 - 0.1 * 7.5] * 2)


def test_hands_over_below_the_threshold() -> None:
    policy = Policy.from_payoff(WORTH, LABELS)
    assert policy.thresholds()["a"] == pytest.approx(3.4 / 10.7)
    strict = Policy.from_payoff(Payoff(1, -9, 0, currency="USD"), LABELS)
    assert strict.thresholds()["b"] == pytest.approx(0.9)
    assert strict.decide(np.array([[0.05, 0.899, 0.051]])).actions[0] == 3
    assert strict.decide(np.array([[0.05, 0.901, 0.049]])).actions[0] == 1


def test_thresholds_with_a_costly_class_by_hand() -> None:
    worth = Payoff(2, -4, -1, currency="USD", classes={"c": ClassValue(wrong=-100)})
    told = Policy.from_payoff(worth, LABELS).thresholds()
    # acting as a gains 3 if right and, else, the mean of b: -4 - -1 = -3 and c: -100 - -1 = -99
    assert told["a"] == pytest.approx(51 / (51 + 3))
    assert told["c"] == pytest.approx(3 / (3 + 3))


def test_thresholds_of_strange_payoffs() -> None:
    always = Policy.from_payoff(Payoff(1, 0, -1, currency="USD"), LABELS)
    never = Policy.from_payoff(Payoff(1, 0, 2, currency="USD"), LABELS)
    assert set(always.thresholds().values()) == {0.0}
    assert set(never.thresholds().values()) == {None}
    assert Policy.from_payoff(Payoff(1, 0, 0, currency="USD"), ("only",)).thresholds() == {
        "only": 0
    }


def test_ties_go_to_the_lowest_index_and_handing_over_comes_last() -> None:
    policy = Policy(("a", "b"), np.array([[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]))
    assert policy.decide(np.array([[0.5, 0.5]])).actions[0] == 0
    # 0.1 + 0.2 != 0.3 in floats: a difference of one rounding is a tie
    policy = Policy(("a", "b"), np.array([[0.3, 0.1 + 0.2, 0.0], [0.3, 0.1 + 0.2, 0.0]]))
    assert policy.decide(np.array([[0.5, 0.5]])).actions[0] == 0


@given(p=probabilities(), values=matrices)
@settings(deadline=None)
def test_no_fixed_action_and_no_arg_max_is_expected_to_be_worth_more(
    p: Array, values: Array
) -> None:
    policy = Policy(LABELS, values)
    chosen = policy.decide(p).values
    slack = 1e-8 * (1 + np.abs(values).max())
    assert np.all(chosen[:, None] >= p @ values - slack)
    assert np.all(chosen >= policy.argmax(p).values - slack)


@given(p=probabilities(), values=matrices, factor=st.sampled_from([0.25, 4.0]))
@settings(deadline=None)
def test_another_currency_changes_no_action(p: Array, values: Array, factor: float) -> None:
    one, other = Policy(LABELS, values).decide(p), Policy(LABELS, values * factor).decide(p)
    np.testing.assert_array_equal(one.actions, other.actions)
    np.testing.assert_allclose(other.values, one.values * factor)


@given(p=probabilities(), order=st.permutations(range(3)))
@settings(max_examples=50, deadline=None)
def test_relabelling_changes_no_value(p: Array, order: list[int]) -> None:
    worth = Payoff(3, -7, -1, currency="USD", classes={"b": ClassValue(correct=9, wrong=-80)})
    one = Policy.from_payoff(worth, LABELS).decide(p)
    other = Policy.from_payoff(worth, [LABELS[i] for i in order]).decide(p[:, order])
    np.testing.assert_allclose(one.values, other.values)


@given(p=probabilities())
@settings(deadline=None)
def test_one_by_one_is_the_same_as_together(p: Array) -> None:
    policy = Policy.from_payoff(WORTH, LABELS)
    together = policy.decide(p).actions
    assert [int(policy.decide(row[None]).actions[0]) for row in p] == together.tolist()


def test_prior_shift_by_hand() -> None:
    policy = Policy.from_payoff(
        WORTH, ("a", "b"), expected_mix={"a": 0.9, "b": 0.1}, training_mix=[50, 50]
    )
    p = np.array([[0.4, 0.6]])
    # 0.4 * 1.8 = 0.72 against 0.6 * 0.2 = 0.12
    np.testing.assert_allclose(policy.shifted(p), [[0.72 / 0.84, 0.12 / 0.84]])
    assert policy.argmax(p).actions[0] == 0
    assert Policy.from_payoff(WORTH, ("a", "b")).argmax(p).actions[0] == 1


@given(p=probabilities())
@settings(deadline=None)
def test_the_same_mix_shifts_nothing(p: Array) -> None:
    mix = {"a": 0.2, "b": 0.3, "c": 0.5}
    policy = Policy.from_payoff(WORTH, LABELS, expected_mix=mix, training_mix=mix)
    np.testing.assert_allclose(policy.shifted(p), p)


def test_shifting_makes_a_calibrated_model_calibrated_again() -> None:
    """Data drawn under another mix: only the shifted probabilities match the frequencies."""
    rng = np.random.default_rng(0)
    train, new = np.array([0.5, 0.5]), np.array([0.9, 0.1])
    truth = rng.choice(2, size=40_000, p=new)
    x = rng.normal(truth * 1.5, 1.0)
    likelihood = np.stack([np.exp(-(x**2) / 2), np.exp(-((x - 1.5) ** 2) / 2)], axis=1)
    p = likelihood * train / (likelihood * train).sum(axis=1, keepdims=True)
    policy = Policy.from_payoff(WORTH, ("a", "b"), expected_mix=new, training_mix=train)
    assert abs(policy.shifted(p)[:, 1].mean() - truth.mean()) < 0.005
    assert abs(p[:, 1].mean() - truth.mean()) > 0.1


@pytest.mark.parametrize(
    ("mix", "part"),
    [
        ({"a": 1}, "'b' is missing"),
        ({"a": 1, "b": 1, "bb": 1}, "'bb' is unknown"),
        ([1.0, 0.0], "share of 'b' is 0"),
        ([1.0, np.nan], "share of 'b'"),
        ([1.0], "shape"),
    ],
)
def test_mixes_that_are_none(mix: object, part: str) -> None:
    with pytest.raises(PayoffError, match=f"PF612.*{part}"):
        label_mix(mix, ("a", "b"), "expected mix")  # type: ignore[arg-type]


def test_an_expected_mix_needs_the_training_mix() -> None:
    with pytest.raises(EconomicsError, match="PF612 training mix"):
        Policy.from_payoff(WORTH, ("a", "b"), expected_mix=[1, 2])


@pytest.mark.parametrize(
    "p",
    [
        np.array([0.5, 0.5]),
        np.array([[0.2, 0.8]]),
        np.array([[0.5, 0.5, 0.5]]),
        np.array([[1.5, -0.5, 0.0]]),
        np.array([[np.nan, 0.5, 0.5]]),
        np.array([[np.inf, 0.0, 0.0]]),
    ],
)
def test_what_are_no_probabilities_is_refused(p: Array) -> None:
    with pytest.raises(EconomicsError, match="PF611"):
        Policy.from_payoff(WORTH, LABELS).decide(p)


def test_the_bad_row_is_named_and_rounding_is_allowed() -> None:
    policy = Policy.from_payoff(WORTH, LABELS)
    with pytest.raises(EconomicsError, match="row 1"):
        policy.decide(np.array([[1.0, 0, 0], [0.9, 0, 0]]))
    assert len(policy.decide(np.array([[0.30003, 0.3, 0.4]], dtype=np.float32))) == 1
    assert len(policy.decide(np.empty((0, 3)))) == 0


@given(values=matrices, shift=st.none() | st.just([0.1, 1 / 3, 7.0]))
@settings(deadline=None)
def test_json_gives_back_the_very_same_policy(values: Array, shift: list[float] | None) -> None:
    policy = Policy(LABELS, values, None if shift is None else np.array(shift))
    again = Policy.from_dict(json.loads(json.dumps(policy.to_dict())))
    assert again.labels == policy.labels
    np.testing.assert_array_equal(again.values, policy.values)
    assert again.to_dict() == policy.to_dict()


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"labels": ["a"], "values": [["x", 1]], "prior_shift": None},
        {"labels": ["a"], "values": [[1.0]], "prior_shift": None},
        {"labels": ["a"], "values": [[1.0, float("nan")]], "prior_shift": None},
        {"labels": ["a"], "values": [[1.0, 2.0]], "prior_shift": [0.0]},
        {"labels": 3, "values": [[1.0, 2.0]], "prior_shift": None},
        {"labels": ["a"], "values": [[1.0, 2.0]], "prior_shift": None, "format": 4},
        {"labels": ["a"], "values": [[1.0, 2.0]], "prior_shift": None, "penalties": [[1.0]]},
    ],
)
def test_what_is_no_policy_is_refused(document: dict[str, object]) -> None:
    with pytest.raises(EconomicsError, match="PF613"):
        Policy.from_dict(document)


@given(p=probabilities(), values=matrices, penalties=matrices)
@settings(deadline=None)
def test_penalties_choose_and_values_count(p: Array, values: Array, penalties: Array) -> None:
    policy = Policy(LABELS, values, penalties=penalties)
    done, plain = policy.decide(p), Policy(LABELS, values)
    chosen = np.take_along_axis(p @ (values - penalties), done.actions[:, None], axis=1)[:, 0]
    best = (p @ (values - penalties)).max(axis=1)
    assert np.all(chosen >= best - 1e-6 * (1 + np.abs(values).max()))
    worth = plain.expected_values(p)[np.arange(len(p)), done.actions]
    np.testing.assert_allclose(done.values, worth)
    assert np.all(done.values <= plain.decide(p).values + 1e-9 * (1 + np.abs(values).max()))


def test_penalties_add_up_and_go_through_a_file() -> None:
    policy = Policy.from_payoff(WORTH, LABELS)
    extra = np.arange(12.0).reshape(3, 4)
    twice = policy.penalised(extra).penalised(extra)
    assert twice.penalties is not None
    np.testing.assert_array_equal(twice.penalties, 2 * extra)
    document = json.loads(json.dumps(twice.to_dict()))
    assert document["format"] == 2, "a payoff that knows no penalties must not serve without them"
    again = Policy.from_dict(document)
    assert again.penalties is not None
    np.testing.assert_array_equal(again.penalties, twice.penalties)
    assert "penalties" not in policy.to_dict()
    assert policy.to_dict()["format"] == 1


@pytest.mark.parametrize("penalties", [np.zeros((3, 3)), np.full((3, 4), np.nan)])
def test_penalties_that_do_not_fit(penalties: Array) -> None:
    with pytest.raises(EconomicsError, match="PF613 policy penalties"):
        Policy.from_payoff(WORTH, LABELS).penalised(penalties)
