from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.adapt.tiny_backbones import encoder_folder, messages

from payoff.adapt.recipes.fine_tune import FineTune
from payoff.adapt.recipes.frozen_head import FrozenHead
from payoff.adapt.recipes.linear import HeadAttempt, LinearHead, fit_logistic
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.recipes.static_head import StaticHead
from payoff.core.errors import MachineError
from payoff.core.files import disk_errors

Make = Callable[..., Any]


def test_a_key_is_a_folder_name_and_differs_where_the_candidate_does() -> None:
    backbones = ["minilm-l6", "a/b", "a_b", "a b", "模型", "型模", "/x" * 150]
    keys = [Candidate("fine-tune", b, (("depth", 3),)).key for b in backbones]
    assert keys[0] == "fine-tune_minilm-l6_depth=3"
    assert len(set(keys)) == len(keys)
    assert all(len(key.encode()) < 150 and "/" not in key for key in keys)


def test_settings_are_looked_up_by_name() -> None:
    candidate = Candidate("r", "", (("C", 3.0), ("depth", 2)))
    assert candidate["depth"] == 2
    assert candidate.name == "r C=3.0 depth=2"
    with pytest.raises(KeyError):
        candidate["epochs"]


def test_recipes_take_only_backbones_of_their_family(
    make_bench: Make, bert_folder: Path, table_folder: Path
) -> None:
    texts, targets = messages([6, 6])
    bench = make_bench(texts, targets, [bert_folder, table_folder])
    assert {c.backbone for c in FrozenHead().candidates(bench)} == {str(bert_folder)}
    assert {c.backbone for c in FineTune().candidates(bench)} == {str(bert_folder)}
    assert {c.backbone for c in StaticHead().candidates(bench)} == {str(table_folder)}


def test_half_of_one_layer_is_no_candidate_of_its_own(
    make_bench: Make, tmp_path: Path, corpus: list[str]
) -> None:
    folder = encoder_folder(tmp_path / "one-layer", corpus, layers=1)
    texts, targets = messages([6, 6])
    candidates = FineTune().candidates(make_bench(texts, targets, [folder]))
    assert [(c["depth"], c["epochs"]) for c in candidates] == [(0, 20.0), (0, 10.0)]


def test_encoding_is_counted_once_and_fine_tuning_by_its_share(
    make_bench: Make, bert_folder: Path
) -> None:
    texts, targets = messages([20, 20])
    bench = make_bench(texts, targets, [bert_folder])
    opened = bench.opened(str(bert_folder))
    candidate = FrozenHead().candidates(bench)[0]
    before = FrozenHead().seconds(candidate, bench)
    opened.trunk.pooled()
    assert FrozenHead().seconds(candidate, bench) < before
    half, whole, short = FineTune().candidates(bench)
    forward = opened.forward_seconds() * len(bench.train) / 40
    assert FineTune().seconds(whole, bench) == pytest.approx(forward * (1 + 3.2 * 20))
    assert FineTune().seconds(half, bench) == pytest.approx(forward * (1 + 0.5 * 3.2 * 20))
    assert FineTune().seconds(short, bench) == pytest.approx(forward * (1 + 0.5 * 3.2 * 10))


def test_two_classes_and_one_column_are_the_same_model() -> None:
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(40, 5)).astype(np.float32)
    targets = (vectors[:, 0] > 0).astype(np.int64)
    head = fit_logistic(vectors, targets, n_labels=2, strength=2.0)
    logits = head(vectors)
    own = LogisticRegression(C=2.0, max_iter=1000).fit(vectors, targets).predict_proba(vectors)
    ours = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(ours, own, atol=1e-5)


def test_a_head_is_fitted_once_and_read_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(30, 4)).astype(np.float32)
    targets = np.arange(30) % 3
    attempt = HeadAttempt(vectors, targets, np.arange(20), 3, 1.0)
    attempt.advance(0.3)
    head = attempt.head
    attempt.advance(1.0)
    assert attempt.head is head
    attempt.save(tmp_path)
    read = LinearHead.restore(tmp_path)
    assert head is not None
    np.testing.assert_array_equal(read.weight, head.weight)
    np.testing.assert_array_equal(read.bias, head.bias)


def test_a_disk_that_fills_up_while_an_attempt_is_saved_is_told(
    make_bench: Make, bert_folder: Path, tmp_path: Path
) -> None:
    import resource

    texts, targets = messages([6, 6])
    bench = make_bench(texts, targets, [bert_folder])
    attempt = FineTune().start(FineTune().candidates(bench)[0], bench)
    attempt.advance(0.1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(MachineError, match="PF801"), disk_errors(tmp_path):
            attempt.save(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
