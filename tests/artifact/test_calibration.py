from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from payoff.artifact.calibration import Calibration
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
    ],
)
def test_anything_else_is_refused(content: object) -> None:
    with pytest.raises(ArtifactError, match="PF504"):
        Calibration.from_json(content)
