from __future__ import annotations

import io
import json
import re
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer

from payoff.artifact.runtime import open_tier
from payoff.artifact.runtime.ngrams import (
    NgramRuntime,
    NgramVectoriser,
    character_ngrams,
    word_ngrams,
)
from payoff.artifact.tier import TierSpec
from payoff.core.errors import ArtifactError, DataError

TEXTS = [
    "Where is my card?",
    "My CARD was lost, where is it",
    "I want a refund; refund me now",
    "a",
    "",
    "ÄÖ straße  \u00a0 tab\tnew\nline",
    "card card card refund",
    "it's 3.50 € - no?",
]
CHINESE = ["我要退款", "退款什么时候到", "我的卡丢了 card", "卡丢了"]


def dense(vectoriser: NgramVectoriser, texts: list[str]) -> np.ndarray:
    indptr, indices, data = vectoriser.matrix(texts)
    shape = (len(texts), vectoriser.n_features)
    return csr_matrix((data, indices, indptr), shape=shape).toarray()


@pytest.mark.parametrize("min_df", [1, 2])
def test_equals_scikit_learn_block_by_block(min_df: int) -> None:
    vectoriser = NgramVectoriser.fit(TEXTS, min_df=min_df)
    shared = {"min_df": min_df, "sublinear_tf": True}
    words = TfidfVectorizer(token_pattern=r"(?u)\w+", ngram_range=(1, 2), **shared)
    characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), **shared)
    expected = np.hstack(
        [words.fit_transform(TEXTS).toarray(), characters.fit_transform(TEXTS).toarray()]
    )
    assert vectoriser.words == tuple(words.get_feature_names_out())
    assert vectoriser.characters == tuple(characters.get_feature_names_out())
    assert np.allclose(dense(vectoriser, TEXTS), expected, atol=1e-6)
    unseen = ["the card is new", "zzz", "refund refund 退款"]
    expected = np.hstack(
        [words.transform(unseen).toarray(), characters.transform(unseen).toarray()]
    )
    assert np.allclose(dense(vectoriser, unseen), expected, atol=1e-6)


def test_chinese_words_are_characters() -> None:
    assert list(word_ngrams("退款 abc卡9", (1, 1))) == ["退", "款", "abc", "卡", "9"]
    vectoriser = NgramVectoriser.fit(CHINESE, min_df=2)
    assert {"退", "退 款", "卡 丢"} <= set(vectoriser.words)
    assert "退款" in vectoriser.characters
    near = dense(vectoriser, ["退款到了", "卡呢"]) @ dense(vectoriser, CHINESE).T
    assert near[0].argmax() in (0, 1)
    assert near[1].argmax() in (2, 3)


def test_order_of_texts_does_not_matter_and_ties_are_settled() -> None:
    one = NgramVectoriser.fit(TEXTS, min_df=1, max_features=20)
    two = NgramVectoriser.fit(TEXTS[::-1], min_df=1, max_features=20)
    assert one.words == two.words
    assert one.to_json() == two.to_json()
    assert np.array_equal(one.idf, two.idf)
    assert len(one.words) == len(one.characters) == 20
    assert "card" in one.words


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=40), max_size=6))
def test_rows_are_sorted_unique_and_of_length_one_a_block(texts: list[str]) -> None:
    texts = [text.replace("\0", " ") for text in texts]
    vectoriser = NgramVectoriser.fit([*TEXTS, *CHINESE], min_df=1)
    indptr, indices, data = vectoriser.matrix(texts)
    assert indptr.shape == (len(texts) + 1,)
    assert indptr[-1] == len(indices) == len(data)
    for i in range(len(texts)):
        row = slice(indptr[i], indptr[i + 1])
        assert (np.diff(indices[row]) > 0).all()
        for part in (indices[row] < len(vectoriser.words), indices[row] >= len(vectoriser.words)):
            if part.any():
                assert np.isclose((data[row][part] ** 2).sum(), 1, atol=1e-5)
        alone = vectoriser.matrix([texts[i]])
        assert np.array_equal(alone[1], indices[row])
        assert np.array_equal(alone[2], data[row])


def test_characters_of_short_pieces() -> None:
    assert list(character_ngrams("ab", (2, 5))) == [" a", "ab", "b ", " ab", "ab ", " ab "]
    assert list(character_ngrams("a", (5, 5))) == [" a "]


def test_nothing_to_learn() -> None:
    with pytest.raises(DataError, match="PF106"):
        NgramVectoriser.fit(["a", "b c"], min_df=3)
    with pytest.raises(DataError, match="PF105"):
        NgramVectoriser.fit(["a", "a\0"])


def runtime_of(dtype: type) -> NgramRuntime:
    vectoriser = NgramVectoriser.fit([*TEXTS, *CHINESE], min_df=1)
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(vectoriser.n_features, 3)).astype(dtype)
    return NgramRuntime(vectoriser, weights, [0.1, 0.2, 0.3])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_logits_are_the_weighted_sum(dtype: type, tmp_path: Path) -> None:
    runtime = runtime_of(dtype)
    texts = [*TEXTS, *CHINESE, "zzzz"]
    expected = dense(runtime.vectoriser, texts) @ runtime.weights.astype(np.float64) + runtime.bias
    assert np.allclose(runtime.logits(texts), expected, atol=1e-4)
    assert runtime.logits([]).shape == (0, 3)
    names = runtime.save(tmp_path)
    spec = TierSpec("words", "ngrams", members=names)
    again = open_tier(spec, lambda m: (tmp_path / m).read_bytes(), n_labels=3)
    assert np.array_equal(again.logits(texts), runtime.logits(texts))
    first = {name: (tmp_path / name).read_bytes() for name in names}
    runtime.save(tmp_path)
    assert first == {name: (tmp_path / name).read_bytes() for name in names}


def test_long_texts_and_many_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = runtime_of(np.float16)
    long = "card refund " * 5000 + "x" * 100_000
    begin = time.process_time()
    assert np.isfinite(runtime.logits([long])).all()
    assert time.process_time() - begin < 5
    monkeypatch.setattr("payoff.artifact.runtime.ngrams._CACHE_PIECES", 3)
    monkeypatch.setattr("payoff.artifact.runtime.ngrams._WEIGHT_ROWS", 2)
    other = runtime_of(np.float16)
    assert np.allclose(other.logits(TEXTS), runtime.logits(TEXTS), atol=1e-5)
    assert len(other.vectoriser._pieces) == 3


def members(**changes: object) -> dict[str, bytes]:
    runtime = runtime_of(np.float32)
    arrays: dict[str, object] = {
        "weights": runtime.weights,
        "bias": runtime.bias,
        "idf": runtime.vectoriser.idf,
    }
    terms = json.loads(runtime.vectoriser.to_json())
    for key, value in changes.items():
        (arrays if key in arrays else terms)[key] = value
    buffer = io.BytesIO()
    np.savez(buffer, **{k: v for k, v in arrays.items() if v is not None})
    return {"weights.npz": buffer.getvalue(), "ngrams.json": json.dumps(terms).encode()}


def broken(content: dict[str, bytes], n_labels: int = 3) -> str:
    with pytest.raises(ArtifactError) as caught:
        open_tier(TierSpec("w", "ngrams"), content.__getitem__, n_labels=n_labels)
    assert caught.value.code == "PF504"
    return str(caught.value)


def test_wrong_members() -> None:
    good = members()
    assert "4 labels" in broken(good, 4)
    assert "lacks bias" in broken(members(bias=None))
    assert "not finite" in broken(members(bias=np.array([1, 2, np.nan])))
    assert "weights" in broken(members(weights=np.zeros((3, 3), np.float32)))
    assert "frequency" in broken(members(idf=np.ones(4)))
    assert "frequency" in broken(members(words=["a", "a"]))
    assert "ngrams.json" in broken(members(words=[1]))
    assert "ngrams.json" in broken(members(word=[2, 1]))
    assert "ngrams.json" in broken(members(character=[1, 5000]))
    assert "ngrams.json" in broken(good | {"ngrams.json": b"[]"})
    assert "weights.npz" in broken(good | {"weights.npz": b"no zip"})
    pickled = io.BytesIO()
    np.savez(pickled, weights=np.array([{}], dtype=object))
    assert "weights.npz" in broken(good | {"weights.npz": pickled.getvalue()})
    packed = io.BytesIO()
    np.savez_compressed(packed, weights=np.zeros((100_000, 3)))
    assert "compressed" in broken(good | {"weights.npz": packed.getvalue()})
    # Two bytes of each entry's flags, and of how it is packed, in the directory at the end.
    for place, value, told in ((8, 1, "encrypted"), (10, 77, "compression")):
        changed = bytearray(good["weights.npz"])
        for entry in re.finditer(rb"PK\x01\x02", bytes(changed)):
            changed[entry.start() + place] = value
        for entry in re.finditer(rb"PK\x03\x04", bytes(changed)):
            changed[entry.start() + place - 2] = value
        assert told in broken(good | {"weights.npz": bytes(changed)})
