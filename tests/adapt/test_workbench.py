from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.adapt.tiny_backbones import encoder_folder, messages

from payoff.adapt.backbones.static_table import load_static_table
from payoff.core.errors import BackboneError
from payoff.core.progress import Silent

Make = Callable[..., Any]


def test_a_backbone_is_opened_once_and_shared_by_all_rows(
    make_bench: Make, bert_folder: Path
) -> None:
    texts, targets = messages([9, 9])
    bench = make_bench(texts, targets, [bert_folder])
    opened = bench.opened(str(bert_folder))
    assert bench.opened(str(bert_folder)) is opened
    pooled = opened.trunk.pooled()
    everything = bench.on_all_rows()
    assert everything.opened(str(bert_folder)).trunk.pooled() is pooled
    assert opened.trunk.n_passes == 1
    assert everything.train.tolist() == list(range(18))
    assert len(everything.validation) == 0
    assert np.array_equal(everything.train_targets, targets)
    assert np.array_equal(bench.train_targets, targets[:12])


def test_two_folders_of_one_name_do_not_share_activations(
    make_bench: Make, tmp_path: Path, corpus: list[str]
) -> None:
    folders = [
        encoder_folder(tmp_path / place / "model", corpus, seed=seed)
        for seed, place in enumerate(("one", "two"))
    ]
    texts, targets = messages([6, 6])
    bench = make_bench(texts, targets, folders)
    first, second = (bench.opened(str(folder)).trunk.pooled() for folder in folders)
    assert np.abs(first - second).max() > 0.01


def test_static_vectors_are_normalised_means(make_bench: Make, table_folder: Path) -> None:
    texts, targets = messages([5, 5])
    texts[3] = ""
    opened = make_bench(texts, targets, [table_folder]).opened(str(table_folder))
    table = load_static_table(table_folder).astype(np.float64)
    for row, vector in enumerate(opened.static):
        mean = table[opened.tokens.of(row)].mean(axis=0)
        np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=1e-5)


def test_seconds_of_a_pass_are_measured_once(make_bench: Make, bert_folder: Path) -> None:
    texts, targets = messages([6, 6])
    opened = make_bench(texts, targets, [bert_folder]).opened(str(bert_folder))
    estimate = opened.forward_seconds()
    assert estimate > 0
    assert opened.trunk.n_passes == 0
    assert opened.forward_seconds() == estimate
    opened.trunk.pooled()
    assert opened.forward_seconds() == opened.trunk.forward_seconds


def test_an_unknown_backbone_is_told(make_bench: Make) -> None:
    texts, targets = messages([3, 3])
    with pytest.raises(BackboneError, match="PF301"):
        make_bench(texts, targets, []).opened("minilm-l66")


class _Heard(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, message: str) -> None:
        self.said.append(message)


def test_texts_beyond_all_pieces_are_told_once(make_bench: Make, bert_folder: Path) -> None:
    texts, targets = messages([30, 30])
    texts[7] = " ".join(texts * 3)
    bench = replace(make_bench(texts, targets, [bert_folder]), progress=_Heard())
    opened = bench.opened(str(bert_folder))
    assert (opened.max_tokens, opened.max_pieces, opened.window) == (64, 8, 64)
    opened.trunk.pooled()
    bench.on_all_rows().opened(str(bert_folder)).trunk.pooled()
    assert bench.progress.said == [
        f"1 of 60 texts are longer than 512 tokens of {bert_folder}: what is beyond is not read."
    ]
    short = make_bench(texts[:7], targets[:7], [bert_folder]).opened(str(bert_folder))
    assert short.tokens.pieces is None


def test_static_vectors_take_a_long_text_as_one(make_bench: Make, table_folder: Path) -> None:
    texts, targets = messages([5, 5])
    texts[3] = " ".join(texts * 20)
    opened = make_bench(texts, targets, [table_folder]).opened(str(table_folder))
    assert (opened.max_pieces, opened.tokens.pieces) == (1, None)
    assert opened.max_tokens >= opened.tokens.lengths[3] > 500
    table = load_static_table(table_folder).astype(np.float64)
    mean = table[opened.tokens.of(3)].mean(axis=0)
    np.testing.assert_allclose(opened.static[3], mean / np.linalg.norm(mean), atol=1e-5)
