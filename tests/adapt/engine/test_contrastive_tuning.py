from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from payoff.adapt.engine.classifier import Classifier, classifier_vectors
from payoff.adapt.engine.contrastive_tuning import (
    Contrast,
    ContrastiveTuning,
    balanced,
)
from payoff.adapt.engine.encoder import Encoder
from payoff.adapt.engine.finetuning import Schedule
from payoff.adapt.engine.trunk import Trunk
from payoff.core.progress import Silent

MakeTrunk = Callable[[], Trunk]
Make = Callable[..., ContrastiveTuning]
TRAIN = np.arange(50)


@pytest.fixture
def make(make_trunk: MakeTrunk, encoder: Encoder, some_targets: np.ndarray) -> Make:
    def tuning(
        *, steps: int = 10, seed: int = 0, rate: float = 2e-4, max_tokens: int = 4096
    ) -> ContrastiveTuning:
        classifier = Classifier(encoder, 1, np.ones((3, 32)), np.zeros(3))
        return ContrastiveTuning(
            classifier,
            make_trunk(),
            some_targets,
            rows=TRAIN,
            schedule=Schedule(
                1,
                epochs=steps,
                batch_texts=12,
                learning_rate=rate,
                seed=seed,
                max_tokens=max_tokens,
            ),
            objective=Contrast(),
            progress=Silent(),
        )

    return tuning


def weights(tuning: ContrastiveTuning) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in tuning.classifier.state_dict().items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    assert one.keys() == other.keys()
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("share", [0.1, 0.34, 0.9])
def test_going_on_from_a_file_gives_the_very_same_weights(make: Make, share: float) -> None:
    whole = make()
    whole.advance(1.0)
    first = make()
    first.advance(share)
    assert 0 < first.step < first.n_steps
    file = io.BytesIO()
    torch.save(first.state(), file)
    file.seek(0)
    second = make()
    second.resume(torch.load(file, weights_only=True))
    second.advance(1.0)
    assert second.step == whole.step == whole.n_steps == 10
    assert same(weights(whole), weights(second))


def test_texts_are_compared_across_the_parts_of_a_step(make: Make) -> None:
    whole, parts = make(), make(max_tokens=60)
    for tuning in (whole, parts):
        tuning.advance(0.3)
    for name, value in weights(whole).items():
        limit = 1e-3 if name.endswith("qkv.bias") else 1e-5  # steps that rounding alone decides
        assert float((value - weights(parts)[name]).abs().max()) < limit, name
    assert parts.largest_batch().n_tokens <= 60 < whole.largest_batch().n_tokens
    assert parts.training_bytes() < whole.training_bytes()


def test_the_seed_decides_the_batches(make: Make) -> None:
    tunings = [make(seed=seed) for seed in (0, 0, 1)]
    for tuning in tunings:
        tuning.advance(1.0)
    assert same(weights(tunings[0]), weights(tunings[1]))
    assert not same(weights(tunings[0]), weights(tunings[2]))


def test_each_step_has_a_batch_of_its_own_from_the_training_rows(
    make: Make, some_targets: np.ndarray
) -> None:
    tuning = make()
    batches = [tuning._batches(step)[0] for step in range(10)]
    assert all(set(batch) <= set(TRAIN) for batch in batches)
    assert len({tuple(sorted(batch)) for batch in batches}) == 10
    for batch in batches:
        assert np.bincount(some_targets[batch]).tolist() == [4, 4, 4]


def test_texts_of_a_class_come_together_and_the_head_stays(
    make: Make, some_targets: np.ndarray
) -> None:
    def apart(tuning: ContrastiveTuning) -> float:
        vectors = classifier_vectors(tuning.classifier, tuning.trunk, TRAIN)
        similarity = vectors @ vectors.T
        same_class = some_targets[TRAIN][:, None] == some_targets[TRAIN]
        return float(similarity[same_class].mean() - similarity[~same_class].mean())

    tuning = make(steps=150, rate=3e-3)
    before, start = apart(tuning), weights(tuning)
    tuning.advance(1.0)
    assert apart(tuning) > before + 0.2
    assert torch.equal(weights(tuning)["head.weight"], start["head.weight"])
    assert torch.equal(weights(tuning)["head.bias"], start["head.bias"])


def test_vectors_before_training_are_those_of_the_trunk(make: Make) -> None:
    tuning = make()
    rows = np.array([59, 2, 31, 0, 7])
    found = classifier_vectors(tuning.classifier, tuning.trunk, rows)
    np.testing.assert_allclose(found, tuning.trunk.pooled()[rows], atol=1e-4)  # kept in 16 bits
    assert classifier_vectors(tuning.classifier, tuning.trunk, rows[:0]).shape == (0, 32)


@given(
    st.lists(st.integers(0, 8), min_size=1, max_size=80),
    st.integers(2, 40),
    st.integers(2, 6),
    st.integers(0, 3),
)
def test_batches_are_balanced(
    classes: list[int], n_texts: int, texts_a_class: int, seed: int
) -> None:
    targets = np.array(classes)
    chosen = balanced(targets, n_texts, texts_a_class, np.random.default_rng(seed))
    assert len(set(chosen)) == len(chosen) > 0
    assert len(chosen) <= max(n_texts, 4)
    there = np.bincount(targets, minlength=9)
    counts = np.bincount(targets[chosen], minlength=9)
    most = counts.max()
    short = (counts > 0) & (counts < most)
    assert (counts[short] == there[short]).all(), "fewer only where there are no more"
    if there[there > 0].min() > 1 and len(set(classes)) > 1:
        assert (counts > 1).sum() > 1, "pairs of one class, and a class to be apart from"
