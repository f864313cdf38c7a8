from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.adapt.tiny_backbones import messages, write_tokenizer

from payoff.artifact.runtime.long_texts import _ends, cut_into_pieces, mean_by_text, shares
from payoff.core.errors import ArtifactError


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from tokenizers import Tokenizer

    folder = tmp_path_factory.mktemp("tokenizer")
    write_tokenizer(folder, messages([40] * 6)[0] + messages([30] * 4, chinese=True)[0])
    return Tokenizer.from_file(str(folder / "tokenizer.json"))


def whole(tokenizer: Any, text: str) -> list[int]:
    tokenizer.no_truncation()
    return list(tokenizer.encode(text, add_special_tokens=False).ids)


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=60),
    st.integers(1, 12),
    st.integers(1, 6),
)
def test_pieces_cover_a_text_as_far_as_they_reach(
    steps: list[int], room: int, max_pieces: int
) -> None:
    words = np.cumsum(np.minimum(steps, 1)).tolist()
    ends = _ends(words, room, max_pieces)
    sizes = np.diff([0, *ends])
    assert len(ends) <= max_pieces
    assert sizes.min() >= 1
    assert sizes.max() <= room
    if len(words) <= max_pieces * room:
        assert ends[-1] == len(words)
        assert len(ends) == -(-len(words) // room), "no more than are needed"
    else:
        assert len(ends) == max_pieces
        assert sizes.min() >= room - room // 4


@pytest.mark.parametrize("prefix", ["", "please tell "])
@pytest.mark.parametrize("chinese", [False, True])
def test_pieces_hold_every_token_once_and_the_marks_and_prefix_each(
    tokenizer: Any, chinese: bool, prefix: str
) -> None:
    join = "" if chinese else " "
    texts = [join.join(messages([n, n], chinese=chinese, seed=n)[0]) for n in (1, 4, 9)] + [
        "",
        "[CLS] hello [SEP] " * 9,
    ]
    expected = [whole(tokenizer, text) for text in texts]
    marks = whole(tokenizer, prefix)
    tokenizer.enable_truncation(24)
    ids, counts, n_cut = cut_into_pieces(
        texts, tokenizer, max_tokens=24, max_pieces=99, prefix=prefix
    )
    assert counts is not None
    assert (n_cut, counts.max() > 4, len(ids)) == (0, True, counts.sum())
    start = 0
    for body, count in zip(expected, counts, strict=True):
        pieces = ids[start : start + count]
        start += count
        head = [2, *marks]
        assert all(piece[: len(head)] == head and piece[-1] == 3 for piece in pieces)
        assert [i for piece in pieces for i in piece[len(head) : -1]] == body
        assert max(map(len, pieces)) <= 24
        assert len(pieces) == max(1, -(-len(body) // (24 - len(head) - 1)))
        assert np.ptp([len(piece) for piece in pieces]) <= 10, "about as long as each other"


def test_words_stay_whole_where_they_can(tokenizer: Any) -> None:
    texts = [" ".join(messages([30, 30])[0])]
    tokenizer.enable_truncation(20)
    ids, _, _ = cut_into_pieces(texts, tokenizer, max_tokens=20, max_pieces=99)
    assert len(ids) > 10
    assert all(not tokenizer.id_to_token(piece[1]).startswith("##") for piece in ids)


def test_what_is_beyond_the_last_piece_is_cut_and_counted(tokenizer: Any) -> None:
    texts = ["hello", "hello me " * 50, "hello me " * 4]
    tokenizer.enable_truncation(12)
    ids, counts, n_cut = cut_into_pieces(texts, tokenizer, max_tokens=12, max_pieces=3)
    assert counts is not None
    assert (counts.tolist(), n_cut, len(ids)) == ([1, 3, 1], 1, 5)
    plain, none, cut = cut_into_pieces(texts, tokenizer, max_tokens=12, max_pieces=1)
    assert none is None
    assert cut == 1
    assert plain == [code.ids for code in tokenizer.encode_batch(texts)], "as it was before"
    assert (plain[0], plain[2]) == (ids[0], ids[4])


def test_a_window_without_room_is_cut(tokenizer: Any) -> None:
    tokenizer.enable_truncation(4)
    ids, counts, n_cut = cut_into_pieces(
        ["hello me now"], tokenizer, max_tokens=4, prefix="please tell "
    )
    assert counts is not None
    assert (len(ids), counts.tolist(), n_cut) == (1, [1], 1)
    assert cut_into_pieces([], tokenizer, max_tokens=4) == ([], None, 0)


def test_the_mean_weighs_by_tokens() -> None:
    values = np.array([[1.0, 0.0], [5.0, 4.0], [2.0, 2.0]], np.float32)
    lengths, counts = np.array([3, 1, 7]), np.array([2, 1])
    assert shares(lengths, counts).tolist() == [0.75, 0.25, 1.0]
    assert mean_by_text(values, lengths, counts).tolist() == [[2.0, 1.0], [2.0, 2.0]]


def test_a_tokenizer_that_cannot_read_a_text_is_told() -> None:
    from tokenizers import Tokenizer, models

    lacking = Tokenizer(models.WordLevel({"known": 0}, unk_token="[UNK]"))
    with pytest.raises(ArtifactError, match=r"PF504 tokenizer\.json: it cannot read a text"):
        cut_into_pieces(["unknown"], lacking, max_tokens=8)
