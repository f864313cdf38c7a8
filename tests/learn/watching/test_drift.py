from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.learn.watching.requests_of import LABELS, requests_of

from payoff.learn.watching.drift import explained
from payoff.learn.watching.expected_loss import expected_loss
from payoff.learn.watching.feature import MEANING
from payoff.learn.watching.reference import Reference
from payoff.learn.watching.window import Window

REFERENCE = Reference.of(requests_of(2000, 77), LABELS, forecast=2.0)


@given(st.integers(0, 10**6), st.floats(1, 8), st.booleans())
@settings(deadline=None, max_examples=30)
def test_parts_add_up_to_the_loss(seed: int, sharpness: float, known: bool) -> None:
    window = requests_of(300, seed, sharpness=sharpness, known=known)
    window = replace(window, costs=np.full(300, 0.1))
    loss = expected_loss(window, REFERENCE)
    drift = explained(window, REFERENCE, loss)
    total = sum(part.loss for part in drift.parts)
    assert total * loss.per_day == pytest.approx(loss.a_day)
    assert [part.loss for part in drift.parts] == sorted(
        (part.loss for part in drift.parts), reverse=True
    )


def test_texts_that_the_model_is_less_sure_of_are_strange() -> None:
    window = requests_of(2000, 5, sharpness=2.0, known=False)
    drift = explained(window, REFERENCE, expected_loss(window, REFERENCE))
    assert drift.main.cause == "strange"
    assert drift.marks[0].loss > 0.3


def test_labels_that_contradict_are_another_meaning() -> None:
    window = requests_of(2000, 6)
    assert window.truth is not None
    window = replace(window, truth=(window.truth + 1) % 4)
    drift = explained(window, REFERENCE, expected_loss(window, REFERENCE))
    assert drift.main.cause == "meaning"
    assert "2000 labels" in drift.main.detail


def test_embeddings_explain_where_they_are_given() -> None:
    def with_vectors(seed: int, shift: float) -> Window:
        window = requests_of(1000, seed, known=False)
        rng = np.random.default_rng(seed)
        vectors = rng.normal(size=(1000, 4)) + shift * (window.expected < 2)[:, None]
        return replace(window, vectors=vectors.astype(np.float32))

    reference = Reference.of(with_vectors(0, 0.0), LABELS)
    still = with_vectors(1, 0.0)
    drift = explained(still, reference, expected_loss(still, reference))
    assert drift.mark(MEANING) is None
    moved = with_vectors(1, 3.0)
    drift = explained(moved, reference, expected_loss(moved, reference))
    mark = drift.mark(MEANING)
    assert mark is not None
    assert mark.moved > 0.1
