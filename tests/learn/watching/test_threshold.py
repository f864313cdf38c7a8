from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.learn.watching.requests_of import requests_of

from payoff.learn.watching.threshold import Threshold


@given(st.integers(0, 10**6), st.floats(-4, 3))
def test_the_count_comes_to_what_it_was_made_for(seed: int, worth: float) -> None:
    window = requests_of(80, seed)
    threshold = Threshold.of(window, worth)
    assert threshold.worth(window).mean() == pytest.approx(worth)


def test_counts_right_above_and_wrong_below_and_leaves_handovers() -> None:
    window = requests_of(400, 1)
    threshold = Threshold.of(window, float(window.realised.mean()))
    counted = threshold.worth(window) - threshold.offset
    handed = window.actions == 4
    assert handed.any()
    assert np.allclose(counted[handed], -1.4)
    sure = window.sureness > threshold.sureness
    assert np.allclose(counted[~handed & sure], 3.2)
    assert np.allclose(counted[~handed & ~sure], -7.5)
    assert abs(threshold.offset) < 10.7 / 400


def test_reacts_more_strongly_than_the_mean_of_probabilities() -> None:
    before = requests_of(4000, 2, sharpness=6.0)
    threshold = Threshold.of(before, float(before.expected.mean()))
    later = requests_of(4000, 3, sharpness=4.0)
    fall = before.expected.mean() - later.expected.mean()
    assert fall > 0.1
    assert before.expected.mean() - threshold.worth(later).mean() > fall


def test_no_request_has_no_threshold() -> None:
    empty = requests_of(5, 0).rows(np.zeros(5, dtype=bool))
    assert Threshold.of(empty, 1.0) == Threshold(0.0, 0.0)
