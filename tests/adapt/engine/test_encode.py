from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.adapt.tiny_backbones import encoder_folder, messages

from payoff.adapt.engine.encode import encode
from payoff.adapt.engine.trunk import BATCH_TOKENS

Make = Callable[..., Any]


def test_it_gives_what_the_trunk_gives_in_the_order_asked_for(
    make_bench: Make, mpnet_folder: Path
) -> None:
    texts, targets = messages([12, 12])
    texts[3] = texts[3] * 3  # a long one among short ones
    opened = make_bench(texts, targets, [mpnet_folder]).opened(str(mpnet_folder))
    pooled = opened.trunk.pooled()
    rows = [3, 20, 0, 3]
    found = encode(opened, [texts[row] for row in rows])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, pooled[rows], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-5)
    assert opened.trunk.n_passes == 1


def test_the_prefix_is_put_before_each_text(make_bench: Make, bert_folder: Path) -> None:
    texts, targets = messages([5, 5])
    bench = make_bench(texts, targets, [bert_folder])
    opened = bench.opened(str(bert_folder))
    by_hand = encode(opened, [f"hello: {text}" for text in texts])
    opened.backbone = replace(opened.backbone, prefix="hello: ")
    np.testing.assert_array_equal(encode(opened, texts), by_hand)
    np.testing.assert_allclose(opened.trunk.pooled(), by_hand, atol=1e-6)


def test_tokens_of_the_workbench_are_cut_into_pieces_as_before(
    make_bench: Make, bert_folder: Path
) -> None:
    texts, targets = messages([100, 100])
    texts[0] = " ".join(texts)
    make = lambda: make_bench(texts, targets, [bert_folder]).opened(str(bert_folder))  # noqa: E731
    plain, after = make(), make()
    assert plain.max_tokens < plain.window
    encode(after, [texts[0]])
    np.testing.assert_array_equal(after.tokens.lengths, plain.tokens.lengths)
    encode(after, [texts[0]])
    assert after.tokens.lengths[0] > after.max_tokens
    assert np.diff(after.tokens.piece_offsets).max() <= after.max_tokens


def test_no_text_and_a_text_longer_than_the_window(make_bench: Make, bert_folder: Path) -> None:
    texts, targets = messages([5, 5])
    opened = make_bench(texts, targets, [bert_folder]).opened(str(bert_folder))
    assert encode(opened, []).shape == (0, 32)
    long = " ".join(texts * 10)
    together = encode(opened, [long, "", texts[0]])
    assert np.isfinite(together).all()
    assert 0 < np.linalg.norm(together[0]) < 1, "the mean of several vectors of length 1"
    end = texts[0] + " " + texts[1]
    long = " ".join(texts * 2)
    other = encode(opened, [long, f"{long} {end}"])
    assert np.abs(other[0] - other[1]).max() > 1e-4, "the end is not cut"


def test_pooling_is_the_backbones_own(make_bench: Make, tmp_path: Path, corpus: list[str]) -> None:
    texts, targets = messages([5, 5])
    folder = encoder_folder(tmp_path / "tiny", corpus)
    opened = make_bench(texts, targets, [folder]).opened(str(folder))
    mean = encode(opened, texts)
    opened.encoder.pooling = "cls"
    assert np.abs(encode(opened, texts) - mean).max() > 1e-3


def test_what_is_run_at_once_is_bounded_in_tokens(
    make_bench: Make, bert_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts, targets = messages([60, 60])
    texts = [text * (1 + 4 * (i % 2)) for i, text in enumerate(texts)]
    opened = make_bench(texts, targets, [bert_folder]).opened(str(bert_folder))
    sizes: list[int] = []
    own = type(opened.encoder).run

    def noted(encoder: Any, hidden: Any, batch: Any, **how: Any) -> Any:
        sizes.append(len(hidden))
        assert batch.padding_share == 0.0
        assert len(hidden) == batch.n_tokens
        return own(encoder, hidden, batch, **how)

    monkeypatch.setattr(type(opened.encoder), "run", noted)
    encode(opened, texts)
    assert sum(sizes) == opened.tokens.lengths.sum() > BATCH_TOKENS
    assert max(sizes) <= BATCH_TOKENS
    assert len(sizes) == np.ceil(sum(sizes) / BATCH_TOKENS), "and the batches are full"
