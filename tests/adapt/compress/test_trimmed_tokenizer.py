"""A trimmed tokenizer cuts its texts as the whole one does, and can spell any other."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from payoff.adapt.compress.trimmed_tokenizer import kind_of, trimmed
from payoff.core.errors import AdaptError

LETTERS = "abcd"
words = st.text(LETTERS, min_size=1, max_size=9)
texts = st.lists(words, min_size=1, max_size=8).map(" ".join)
pieces = st.lists(st.text(LETTERS, min_size=2, max_size=5), max_size=25, unique=True)


def wordpiece(longer: list[str]) -> dict[str, Any]:
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    vocab += [*LETTERS, *(f"##{c}" for c in LETTERS), *longer, *(f"##{p}" for p in longer[::2])]
    special = {
        token: {"id": token, "ids": [place], "tokens": [token]}
        for token, place in (("[CLS]", 2), ("[SEP]", 3))
    }
    around = [
        {"SpecialToken": {"id": "[CLS]", "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}},
        {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
    ]
    return whole(
        {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": {piece: place for place, piece in enumerate(vocab)},
        },
        pre_tokenizer={"type": "Whitespace"},
        special=("[PAD]", "[UNK]", "[CLS]", "[SEP]"),
        post_processor={
            "type": "TemplateProcessing",
            "single": around,
            "pair": [*around, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": special,
        },
    )


def unigram(longer: list[str]) -> dict[str, Any]:
    vocab = [["<pad>", 0.0], ["<unk>", -20.0], ["▁", -3.0]]
    vocab += [[c, -5.0 - place / 7] for place, c in enumerate(LETTERS)]
    vocab += [[piece, -4.0 - (place * 13 % 17) / 5] for place, piece in enumerate(longer)]
    return whole(
        {"type": "Unigram", "unk_id": 1, "vocab": vocab, "byte_fallback": False},
        pre_tokenizer={
            "type": "Metaspace",
            "replacement": "▁",
            "prepend_scheme": "always",
            "split": True,
        },
        special=("<pad>", "<unk>"),
    )


def bpe(longer: list[str]) -> dict[str, Any]:
    """Merges that make each piece from the left, as far as they are new."""
    vocab = {piece: place for place, piece in enumerate(["<unk>", *LETTERS])}
    merges = []
    for piece in longer:
        for end in range(2, len(piece) + 1):
            if piece[:end] not in vocab:
                vocab[piece[:end]] = len(vocab)
                merges.append([piece[: end - 1], piece[end - 1]])
    return whole(
        {"type": "BPE", "unk_token": "<unk>", "vocab": vocab, "merges": merges},
        pre_tokenizer={"type": "Whitespace"},
        special=("<unk>",),
    )


def whole(model: dict[str, Any], *, special: tuple[str, ...], **more: Any) -> dict[str, Any]:
    added = [
        {
            "id": place,
            "content": content,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
        for place, content in enumerate(special)
    ]
    empty = dict.fromkeys(
        ("truncation", "padding", "normalizer", "pre_tokenizer", "post_processor", "decoder")
    )
    return {"version": "1.0", **empty, **more, "added_tokens": added, "model": model}


MAKERS = {"WordPiece": wordpiece, "Unigram": unigram, "BPE": bpe}
by_kind = pytest.mark.parametrize("kind", MAKERS)


@by_kind
@settings(max_examples=60, deadline=None)
@given(longer=pieces, known=st.lists(texts, min_size=1, max_size=4), new=texts)
def test_known_texts_are_cut_as_before_and_new_ones_can_be_spelled(
    kind: str, longer: list[str], known: list[str], new: str
) -> None:
    content = json.dumps(MAKERS[kind](longer))
    before = Tokenizer.from_str(content)
    used = {number for text in known for number in before.encode(text).ids}
    found = trimmed(content, used, general=0)
    after = Tokenizer.from_str(found.content)

    assert len(found.kept) == after.get_vocab_size()
    for text in known:
        assert after.encode(text).tokens == before.encode(text).tokens
        assert found.kept[after.encode(text).ids].tolist() == before.encode(text).ids
    spelled = after.encode(new)
    assert not {"[UNK]", "<unk>"} & set(spelled.tokens)
    letters = "".join(spelled.tokens).replace("##", "").replace("▁", "")
    for special in ("[CLS]", "[SEP]"):
        letters = letters.replace(special, "")
    assert letters == new.replace(" ", "")


@by_kind
def test_only_pieces_that_nobody_needs_go(kind: str) -> None:
    longer = ["ab", "abc", "cd", "dd"]
    content = json.dumps(MAKERS[kind](longer))
    before = Tokenizer.from_str(content)
    found = trimmed(content, before.encode("abc").ids, general=0)
    left = set(Tokenizer.from_str(found.content).get_vocab())
    assert "abc" in left
    assert not {"cd", "dd", "##cd"} & left
    assert set(LETTERS) <= left
    for token in MAKERS[kind](longer)["added_tokens"]:
        assert token["content"] in left


@by_kind
def test_common_pieces_stay_where_they_are_asked_for(kind: str) -> None:
    content = json.dumps(MAKERS[kind](["ab", "cd", "dd"]))
    every = Tokenizer.from_str(content).get_vocab_size()
    sizes = [len(trimmed(content, [], general=n).kept) for n in (0, every - 1, every)]
    assert sizes[0] < sizes[1] <= sizes[2] == every
    same = trimmed(content, [], general=every)
    assert json.loads(same.content)["model"] == json.loads(content)["model"]
    np.testing.assert_array_equal(same.kept, np.arange(every))


def test_bytes_of_a_fallback_stay() -> None:
    content = json.dumps(
        whole(
            {
                "type": "BPE",
                "unk_token": "<unk>",
                "byte_fallback": True,
                "vocab": {"<unk>": 0, "<0x41>": 1, "a": 2, "b": 3, "ab": 4},
                "merges": ["a b"],
            },
            special=("<unk>",),
        )
    )
    found = trimmed(content, [2], general=0)
    assert json.loads(found.content)["model"]["vocab"] == {"<unk>": 0, "<0x41>": 1, "a": 2, "b": 3}
    assert json.loads(found.content)["model"]["merges"] == []
    assert json.loads(trimmed(content, [4], general=0).content)["model"]["merges"] == ["a b"]


def test_another_kind_is_refused() -> None:
    model = {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}
    content = json.dumps(whole(model, special=()))
    assert kind_of(content) == "WordLevel"
    with pytest.raises(AdaptError, match=r"PF404 .* a tokenizer of the kind 'WordLevel'"):
        trimmed(content, [], general=0)
