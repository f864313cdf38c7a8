from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from payoff.adapt.backbones.tokenizer import load_tokenizer
from payoff.adapt.engine.tokens import Tokens, tokenise


def test_texts_are_cut_and_prefixed_and_kept_in_order(bert_folder: Path) -> None:
    tokenizer = load_tokenizer(bert_folder)
    texts = ["hello", "please tell me about it now", "hello"]
    tokens = tokenise(texts, tokenizer, max_tokens=5)
    assert len(tokens) == 3
    assert tokens.lengths.tolist() == [3, 5, 3]
    assert [tokens.of(row)[0] for row in range(3)] == [2, 2, 2]
    assert tokens.of(1)[-1] == 3, "the last special token stays"
    assert np.array_equal(tokens.of(0), tokens.of(2))
    prefixed = tokenise(["hello"], tokenizer, max_tokens=9, prefix="please ")
    whole = tokenise(["please hello"], tokenizer, max_tokens=9)
    assert np.array_equal(prefixed.ids, whole.ids)


def test_no_texts_are_no_tokens(bert_folder: Path) -> None:
    tokens = tokenise([], load_tokenizer(bert_folder), max_tokens=5)
    assert (len(tokens), len(tokens.ids)) == (0, 0)


def test_a_text_without_tokens_shows_token_0_as_the_runtime_does(table_folder: Path) -> None:
    tokens = tokenise(["", "hello", " "], load_tokenizer(table_folder), max_tokens=9)
    assert tokens.of(0).tolist() == tokens.of(2).tolist() == [0]
    assert tokens.lengths.min() == 1


def test_tokens_of_a_workbench_fit_the_window(
    make_bench: Callable[..., object], bert_folder: Path
) -> None:
    texts = ["hello"] * 400 + ["please " * 200]
    bench = make_bench(texts, np.arange(401) % 2, [bert_folder])
    opened = bench.opened(str(bert_folder))  # type: ignore[attr-defined]
    assert opened.window == 64
    assert opened.max_tokens == 32, "the one long text does not make all texts dear"
    assert isinstance(opened.tokens, Tokens)
    assert opened.tokens.lengths.max() == 32
