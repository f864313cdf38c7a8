from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from payoff.adapt.backbones.find import find
from payoff.adapt.backbones.installation import ensure, installed
from payoff.adapt.backbones.tokenizer import load_tokenizer
from payoff.adapt.engine.domain_tuning import together
from payoff.adapt.engine.tokens import Tokens, tokenise
from payoff.artifact.runtime.long_texts import cut_into_pieces
from payoff.core.progress import Silent


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
    texts = ["hello"] * 400 + ["please " * 60, "please " * 1000]
    bench = make_bench(texts, np.arange(402) % 2, [bert_folder])
    opened = bench.opened(str(bert_folder))  # type: ignore[attr-defined]
    assert opened.window == 64
    assert opened.max_tokens == 32, "the one long text does not make all texts dear"
    assert isinstance(opened.tokens, Tokens)
    assert np.diff(opened.tokens.piece_offsets).max() == 32
    assert opened.tokens.lengths[:401].tolist() == [3] * 400 + [60 + 2 * 2]
    assert opened.tokens.lengths[401] == 8 * 32
    assert opened.tokens.n_cut == 1, "the other is longer than all pieces"


def test_long_texts_are_pieces_of_their_own_and_short_ones_are_not_touched(
    bert_folder: Path,
) -> None:
    tokenizer = load_tokenizer(bert_folder)
    texts = ["hello", "please tell me about it now " * 4, "hello me", "we " * 300]
    cut = tokenise(texts, tokenizer, max_tokens=12)
    tokens = tokenise(texts, tokenizer, max_tokens=12, max_pieces=4)
    assert (cut.pieces, cut.n_cut, cut.n_pieces) == (None, 2, 4)
    assert (tokens.n_cut, len(tokens), tokens.n_pieces) == (1, 4, 1 + 3 + 1 + 4)
    for row in (0, 2):
        assert np.array_equal(tokens.of(row), cut.of(row))
    assert tokens.lengths[1] == 24 + 3 * 2
    numbers, counts = tokens.pieces_of(np.array([3, 1]))
    assert (numbers.tolist(), counts.tolist()) == ([5, 6, 7, 8, 1, 2, 3], [4, 3])
    offsets = tokens.piece_offsets
    for number in numbers:
        piece = tokens.ids[offsets[number] : offsets[number + 1]]
        assert len(piece) <= 12
        assert (piece[0], piece[-1]) == (2, 3), "each has the special tokens"


def test_means_of_pieces_are_weighted_by_their_tokens() -> None:
    tokens = Tokens(np.arange(9), np.array([0, 4, 6, 9]), np.array([0, 3, 4, 6, 9]))
    values = np.array([[1.0], [5.0], [7.0], [2.0]], np.float32)
    rows = np.array([2, 0])
    numbers, _ = tokens.pieces_of(rows)
    assert tokens.mean_of_pieces(values[numbers], rows).tolist() == [[2.0], [2.0]]
    plain = Tokens(np.arange(9), np.array([0, 4, 9]))
    assert plain.mean_of_pieces(values, rows) is values


def test_pieces_stay_apart_where_texts_are_joined() -> None:
    plain = Tokens(np.arange(5), np.array([0, 2, 5]), n_cut=1)
    pieced = Tokens(np.arange(4), np.array([0, 3, 4]), np.array([0, 1, 3, 4]), n_cut=2)
    assert together(plain, plain).pieces is None
    both = together(plain, pieced)
    assert both.offsets.tolist() == [0, 2, 5, 8, 9]
    assert both.piece_offsets.tolist() == [0, 2, 5, 6, 8, 9]
    assert both.n_cut == 3
    assert both.pieces_of(np.array([2]))[0].tolist() == [2, 3]


@pytest.mark.parametrize("name", ["tiny", "minilm-l6", "mpnet-base", "e5-small-multi"])
def test_serving_cuts_as_training_does(name: str, bert_folder: Path) -> None:
    from tokenizers import Tokenizer

    folder, prefix = bert_folder, "hello: "
    if name != "tiny":
        if not installed(find(name)):
            pytest.skip(f"{name} is not installed: payoff backbones install {name}")
        folder, prefix = ensure(name, Silent()), find(name).prefix
    texts = [
        "Where is my card? It was posted in Łódź, unbelievably, three weeks ago. " * 9,
        "我的卡在哪里，退款没有到账。密码忘了怎么办？" * 12,
        "hello",
        "",
        "[SEP] </s> <unk> ##ing 1234567890 🙂 " * 20,
    ]
    trained = load_tokenizer(folder)
    tokens = tokenise(texts, trained, max_tokens=48, prefix=prefix, max_pieces=50)
    trained.no_truncation()
    # As `payoff.adapt.export.tokens_tier` writes it and `payoff.artifact.runtime` reads it.
    served = Tokenizer.from_buffer(trained.to_str(pretty=True).encode())
    served.no_padding()
    served.enable_truncation(48)
    ids, counts, _ = cut_into_pieces(texts, served, max_tokens=48, max_pieces=50, prefix=prefix)
    assert counts is not None
    assert counts.tolist() == tokens.pieces_of(np.arange(5))[1].tolist()
    assert [i for piece in ids for i in piece] == tokens.ids.tolist()
    assert (counts[[0, 1, 4]] > 1).all()
    marks = trained.encode(prefix).ids
    n_marks = len(marks) - 1  # the last one ends the text
    start = 0
    for text, count in zip(texts, counts, strict=True):
        pieces = ids[start : start + count]
        start += count
        n_same = next(
            (i for i in range(n_marks) if any(p[i : i + 1] != [marks[i]] for p in pieces)), n_marks
        )
        body = [i for p in pieces for i in p[n_same:-1]]
        assert body == trained.encode(prefix + text).ids[n_same:-1], "every token once, in order"
        assert max(map(len, pieces)) <= 48
