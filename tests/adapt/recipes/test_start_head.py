from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.adapt.tiny_backbones import messages

from payoff.adapt.recipes import recipe_named
from payoff.adapt.recipes.linear import LinearHead, fit_logistic
from payoff.adapt.recipes.named_fit import fit_named, usual_names
from payoff.adapt.recipes.start_head import start_head
from payoff.adapt.recipes.zero_shot import label_vectors
from payoff.adapt.tasks import task_named
from payoff.adapt.workbench import Workbench

Make = Callable[..., Workbench]


@pytest.fixture
def make(make_bench: Callable[..., Any], bert_folder: Path) -> Make:
    def bench(each: int) -> Workbench:
        texts, targets = messages([each] * 3)
        made: Workbench = make_bench(texts, targets, [bert_folder], n_train=len(texts))
        return made

    return bench


def same(one: LinearHead, other: LinearHead) -> bool:
    return bool((one.weight == other.weight).all() and (one.bias == other.bias).all())


def heads(bench: Workbench) -> tuple[LinearHead, LinearHead, LinearHead]:
    """Where trainings start; on rows and names; on rows alone."""
    (backbone,) = bench.backbones
    vectors, targets = bench.opened(backbone).trunk.pooled()[bench.train], bench.train_targets
    return (
        start_head(bench, backbone, bench.train),
        fit_named(vectors, targets, label_vectors(bench, backbone), strength=10.0, names=1.0),
        fit_logistic(vectors, targets, n_labels=3, strength=10.0),
    )


def test_with_a_row_a_label_the_names_are_rows_too(make: Make) -> None:
    found, with_names, _ = heads(make(1))
    assert same(found, with_names)


def test_with_many_rows_names_take_no_part(make: Make) -> None:
    found, _, plain = heads(make(6))
    assert same(found, plain)


def test_grades_have_no_names_to_learn(make: Make) -> None:
    found, _, plain = heads(replace(make(2), task=task_named("ordinal")))
    assert same(found, plain)


def test_it_is_fitted_once_for_the_same_rows(make: Make) -> None:
    bench = make(2)
    (backbone,) = bench.backbones
    first = start_head(bench, backbone, bench.train)
    assert start_head(bench, backbone, bench.train.copy()) is first
    assert start_head(bench, backbone, bench.train[1:]) is not first


@pytest.mark.parametrize("recipe", ["fine-tune", "lora", "prompt-tuning"])
def test_trainings_start_there(recipe: str, make: Make) -> None:
    bench = make(1)
    made = recipe_named(recipe)
    attempt: Any = made.start(made.standard(bench)[0], bench)
    head = attempt.training.classifier.head
    with_names = heads(bench)[1]
    np.testing.assert_array_equal(head.weight.detach().numpy(), with_names.weight)
    np.testing.assert_array_equal(head.bias.detach().numpy(), with_names.bias)


def test_augmented_texts_are_learnt_beside_the_names(make: Make) -> None:
    bench = make(1)  # too few rows to judge an augmenter by
    made = recipe_named("augmented")
    attempt: Any = made.start(made.standard(bench)[0], bench)
    attempt.advance(1.0)
    assert same(attempt.head, heads(bench)[1])


def test_self_training_begins_with_the_names(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("payoff.adapt.recipes.named_fit.helpful_names", lambda *_, **__: 1.0)
    bench = replace(make(3), unlabelled=tuple(messages([5] * 3, seed=9)[0]))
    (backbone,) = bench.backbones
    made = recipe_named("self-training")
    attempt: Any = made.start(made.standard(bench)[0].having("rounds", 0), bench)
    attempt.advance(1.0)
    vectors, targets = bench.opened(backbone).trunk.pooled()[bench.train], bench.train_targets
    named, classes = usual_names(bench, backbone, strength=10.0)
    rows, truth = np.concatenate([vectors, named]), np.concatenate([targets, classes])
    assert len(named) == 3
    assert same(attempt.head, fit_logistic(rows, truth, n_labels=3, strength=10.0))
    assert usual_names(make(6), backbone, strength=10.0)[0].shape == (0, vectors.shape[1])
