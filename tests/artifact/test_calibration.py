from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax

from payoff.artifact.calibration import Calibration, Curve
from payoff.core.errors import ArtifactError


@given(
    st.lists(st.lists(st.floats(-1e4, 1e4), min_size=3, max_size=3), min_size=1, max_size=5),
    st.floats(0.05, 20),
)
def test_is_a_softmax(logits: list[list[float]], temperature: float) -> None:
    found = Calibration(temperature).apply(np.array(logits))
    assert np.allclose(found, softmax(np.array(logits) / temperature, axis=1))
    assert np.allclose(found.sum(axis=1), 1)


def test_leaves_its_input_alone_and_takes_no_rows() -> None:
    logits = np.array([[1.0, 2.0]])
    Calibration().apply(logits)
    assert logits.tolist() == [[1.0, 2.0]]
    assert Calibration().apply(np.empty((0, 4), np.float32)).shape == (0, 4)


def test_round_trip() -> None:
    assert Calibration.from_json(Calibration(1.25).to_json()) == Calibration(1.25)


@pytest.mark.parametrize(
    "content",
    [
        None,
        {},
        {"method": "temperature", "temperature": "1"},
        {"method": "temperature", "temperature": True},
        {"method": "temperature", "temperature": 0},
        {"method": "temperature", "temperature": float("nan")},
        {"method": "isotonic", "temperature": 1.0},
        {"method": "platt", "temperature": 1.0},
        {"method": ["temperature"], "temperature": 1.0},
        {"method": "vector", "temperature": 1.0, "scales": [1.0], "biases": [0.0, 0.0]},
        {"method": "vector", "temperature": 1.0, "scales": [float("inf")], "biases": [0.0]},
        {"method": "vector", "temperature": 1.0, "scales": ["1"], "biases": [0.0]},
        {"method": "vector", "temperature": 1.0, "scales": 1.0, "biases": [0.0]},
        {"method": "vector", "temperature": 1.0, "scales": [], "biases": []},
        {"method": "isotonic", "temperature": 1.0, "curves": [[[0.0, 1.0], [0.0]]]},
        {"method": "isotonic", "temperature": 1.0, "curves": [[[0.0], [0.0]]]},
        {"method": "isotonic", "temperature": 1.0, "curves": [[[0.0, 0.5], [0.0, 1.0]]]},
        {"method": "isotonic", "temperature": 1.0, "curves": [[[0.0, 1.0], [1.0, 0.0]]]},
        {"method": "isotonic", "temperature": 1.0, "curves": [[[0.0, 1.0], [0.0, 1.5]]]},
        {"method": "isotonic", "temperature": 1.0, "curves": [[[0, 0.5, 0.5, 1], [0, 0, 1, 1]]]},
        {"method": "isotonic", "temperature": 1.0, "curves": [0.5]},
        {"method": "venn-abers", "temperature": 1.0, "curves": [[0.0, 1.0]]},
    ],
)
def test_anything_else_is_refused(content: object) -> None:
    with pytest.raises(ArtifactError, match="PF504"):
        Calibration.from_json(content)


def test_vector_by_hand() -> None:
    one = Calibration(2.0, "vector", scales=(1.0, 0.5), biases=(0.0, 1.0))
    logits = np.array([[2.0, -1.0], [0.0, 3.0]])
    logs = log_softmax(logits / 2.0, axis=1)
    expected = softmax(logs * [1.0, 0.5] + [0.0, 1.0], axis=1)
    np.testing.assert_allclose(one.apply(logits), expected)
    np.testing.assert_allclose(one.apply(logits + 100.0), expected)
    assert one.apply(np.empty((0, 2))).shape == (0, 2)


@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(1, 5))
def test_curves_read_off_one_by_one(seed: int, k: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    curves = tuple(drawn_curve(rng) for _ in range(k))
    logits = rng.normal(0, 5, (n, k))
    found = Calibration(1.5, "venn-abers", curves=curves).apply(logits)
    p = softmax(logits / 1.5, axis=1)
    heights = np.column_stack([np.interp(p[:, i], *curve) for i, curve in enumerate(curves)])
    total = heights.sum(axis=1, keepdims=True)
    expected = np.where(total > 0, heights / np.where(total > 0, total, 1), p)
    np.testing.assert_allclose(found, expected, atol=1e-9)
    np.testing.assert_allclose(found.sum(axis=1), 1)


def drawn_curve(rng: np.random.Generator) -> Curve:
    inside = np.unique(rng.random(4).round(6))
    knots = (0.0, *inside.tolist(), 1.0)
    return knots, tuple(np.sort(rng.random(len(knots))).tolist())


def test_curves_that_tell_nothing_leave_the_probabilities() -> None:
    nothing = ((0.0, 1.0), (0.0, 0.0))
    one = Calibration(1.0, "isotonic", curves=(nothing, nothing))
    np.testing.assert_allclose(one.apply([[1.0, 0.0]]), softmax([[1.0, 0.0]], axis=1))


def test_every_method_comes_back_from_json_text() -> None:
    curve = ((0.0, 0.25, 1.0), (0.0, 0.5, 0.5))
    for one in (
        Calibration(0.7),
        Calibration(1.1, "vector", scales=(1.0, 0.9), biases=(0.1, -0.1)),
        Calibration(1.0, "isotonic", curves=(curve, curve)),
        Calibration(1.0, "venn-abers", curves=(curve, curve)),
    ):
        again = Calibration.from_json(json.loads(json.dumps(one.to_json())))
        assert again == one
        assert hash(again) == hash(one)


def test_a_file_of_the_first_version_has_no_other_keys() -> None:
    assert Calibration(1.25).to_json() == {"method": "temperature", "temperature": 1.25}


def test_numbers_for_other_labels_are_refused() -> None:
    curve = ((0.0, 1.0), (0.0, 1.0))
    for one in (
        Calibration(1.0, "vector", scales=(1.0,), biases=(0.0,)),
        Calibration(1.0, "isotonic", curves=(curve,)),
    ):
        with pytest.raises(ArtifactError, match=r"PF504.*1 labels"):
            one.apply([[1.0, 2.0]])


def test_parts_of_another_method_are_refused() -> None:
    with pytest.raises(ArtifactError, match=r"PF504.*'scales'"):
        Calibration(1.0, scales=(1.0,))
