from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.learn.watching.requests_of import LABELS, requests_of

from payoff.core.errors import ServiceError
from payoff.learn.watching.feature import (
    FEATURES,
    LENGTH,
    MEANING,
    PREDICTED,
    SEGMENT,
    SURENESS,
    UNKNOWN,
    Feature,
)
from payoff.learn.watching.known_words import KnownWords
from payoff.learn.watching.window import Window


def full(n: int, seed: int, words: tuple[str, ...]) -> Window:
    rng = np.random.default_rng(seed)
    texts = tuple(" ".join(rng.choice(words, rng.integers(2, 9))) for _ in range(n))
    return replace(
        requests_of(n, seed),
        texts=texts,
        vectors=rng.normal(size=(n, 6)).astype(np.float32),
        segments=rng.choice(["", "shops", "clinics"], n),
    )


WORDS = ("lost", "card", "refund", "money", "transfer", "invoice")


@pytest.mark.parametrize("name", FEATURES)
def test_every_feature_puts_every_request_into_a_cell(name: str) -> None:
    window = full(300, 0, WORDS)
    assert window.texts is not None
    words = KnownWords.of(window.texts, key="k")
    feature = Feature.of(name, window, labels=LABELS, words=words)
    assert feature is not None
    codes = feature.codes(window, words)
    assert codes is not None
    assert codes.shape == (300,)
    assert 0 <= codes.min() <= codes.max() < len(feature.profile.cells)
    assert feature.profile.shares.sum() == pytest.approx(1.0)
    again = Feature.from_dict(feature.to_dict())
    later = full(100, 1, WORDS)
    told, same = feature.codes(later, words), again.codes(later, words)
    assert told is not None
    assert same is not None
    assert told.tolist() == same.tolist()


@pytest.mark.parametrize("name", [LENGTH, UNKNOWN, MEANING, SEGMENT])
def test_what_requests_do_not_have_is_not_there(name: str) -> None:
    assert Feature.of(name, requests_of(300, 0), labels=LABELS) is None
    window = full(300, 0, WORDS)
    assert window.texts is not None
    words = KnownWords.of(window.texts, key="k")
    feature = Feature.of(name, window, labels=LABELS, words=words)
    assert feature is not None
    assert feature.codes(requests_of(10, 0), words) is None


def test_strange_words_longer_texts_and_other_labels_are_seen() -> None:
    before = full(500, 0, WORDS)
    assert before.texts is not None
    words = KnownWords.of(before.texts, key="k")
    made = {
        name: Feature.of(name, before, labels=LABELS, words=words)
        for name in (LENGTH, UNKNOWN, PREDICTED, SURENESS)
    }
    later = replace(full(500, 7, ("crypto", "wallet", "card")), actions=before.actions)
    later = replace(later, texts=tuple(text * 3 for text in later.texts or ()))
    for name in (LENGTH, UNKNOWN):
        feature = made[name]
        assert feature is not None
        codes = feature.codes(later, words)
        assert codes is not None
        assert feature.profile.surprise(codes) > 5
    feature = made[PREDICTED]
    assert feature is not None
    codes = feature.codes(later, words)
    assert codes is not None
    assert feature.profile.surprise(codes) < 3.5


@given(st.lists(st.text(alphabet="abcdefgh 退款卡丢了", max_size=30), max_size=20))
def test_no_word_of_before_is_unknown(texts: list[str]) -> None:
    known = KnownWords.of(texts, key="salt")
    assert not known.unknown_shares(texts).any()
    assert KnownWords.from_text(known.to_text(), key="salt") == known


def test_words_cannot_be_looked_up_without_the_key() -> None:
    known = KnownWords.of(["secretword"], key="one")
    other = KnownWords(known.bits, "two")
    assert other.unknown_shares(["secretword"]).tolist() == [1.0]
    assert "secretword" not in known.to_text()


@pytest.mark.parametrize("text", ["", "????", "QUJD"])
def test_what_is_no_map_is_refused(text: str) -> None:
    with pytest.raises(ServiceError, match="PF750"):
        KnownWords.from_text(text, key="")
