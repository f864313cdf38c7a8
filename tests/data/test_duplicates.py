"""Alike and near texts, held against the definition computed by brute force."""

from __future__ import annotations

import random
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payoff.data import duplicates
from payoff.data.duplicates import alike, clusters, near_pairs, normalise, touching

WORDS = ["please", "where", "is", "my", "card", "order", "parcel", "refund", "yet", "now", "still"]


def grams(key: str) -> frozenset[str]:
    return frozenset(key[i : i + 5] for i in range(max(1, len(key) - 4)))


def brute(keys: list[str], threshold: float = 0.9) -> list[list[int]]:
    sets = [grams(key) for key in keys]
    return [
        [i, j]
        for i in range(len(keys))
        for j in range(i + 1, len(keys))
        if len(sets[i] & sets[j]) >= threshold * len(sets[i] | sets[j]) - 1e-9
    ]


def variants(n: int, seed: int) -> list[str]:
    """Distinct texts of which many differ by a letter or a word."""
    rng = random.Random(seed)
    texts: dict[str, None] = {}
    while len(texts) < n:
        text = " ".join(rng.choices(WORDS, k=rng.randint(1, 30)))
        texts[text] = None
        for _ in range(rng.randint(0, 3)):
            at = rng.randrange(len(text))
            texts[text[:at] + rng.choice(["", "x", "y z", "1"]) + text[at + 1 :]] = None
    return list(texts)[:n]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Where is my card?", "where is  my CARD", True),
        ("don't", "dont", True),
        ("don’t", "DON'T!", True),
        ("top-up", "top up", True),
        ("好，吃！", "好吃", True),
        ("ＦＵＬＬ　ｗｉｄｔｈ", "full width", True),
        ("Straße", "STRASSE", True),
        ("a b", "ab", False),
        ("great 😀", "great 😡", False),
        ("?", "!", False),
        ("", "?", False),
        ("10 $", "10 €", False),
        ("की", "का", False),
    ],
)
def test_normalise(one: str, other: str, same: bool) -> None:
    assert (normalise(one) == normalise(other)) == same


@given(st.text())
def test_case_and_surrounding_space_never_matter(text: str) -> None:
    assert normalise(f" \n{text}\t") == normalise(text)


def test_alike_numbers_by_first_appearance() -> None:
    keys, place = alike(["b", "A", "B!", "a"])
    assert keys == ["b", "a"]
    assert place.tolist() == [0, 1, 0, 1]
    assert alike([])[0] == []


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("threshold", [0.6, 0.9, 1.0])
def test_near_pairs_are_those_of_the_definition(seed: int, threshold: float) -> None:
    keys = variants(150, seed)
    expected = brute(keys, threshold)
    assert near_pairs(keys, threshold=threshold).pairs.tolist() == expected
    assert expected or threshold > 0.6


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("ab ", min_size=1, max_size=40), unique=True, max_size=25))
def test_near_pairs_of_texts_with_few_letters(keys: list[str]) -> None:
    assert near_pairs(keys).pairs.tolist() == brute(keys)


def test_pairs_do_not_depend_on_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = variants(120, 9)
    expected = near_pairs(keys).pairs.tolist()
    monkeypatch.setattr(duplicates, "_PAIR_BATCH", 3)
    monkeypatch.setattr(duplicates, "_BLOCK", 7)
    assert near_pairs(keys).pairs.tolist() == expected


def test_nothing_and_one_text() -> None:
    assert near_pairs([]).pairs.shape == (0, 2)
    assert near_pairs(["a"]).pairs.shape == (0, 2)


def test_long_texts_are_compared_by_a_sample_and_that_is_said() -> None:
    rng = random.Random(1)
    long = " ".join(str(rng.random()) for _ in range(800))
    other = " ".join(str(rng.random()) for _ in range(800))
    near = near_pairs([long, other, long.replace("0.1", "0.2", 3)])
    assert near.pairs.tolist() == [[0, 2]]
    assert near.note == "3 long texts were compared by a sample of 1000 5-grams"


def test_what_is_shared_by_too_many_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "_MAX_MEMBERS", 3)
    keys = [f"{'the same beginning of many texts ' * 3}{i}" for i in range(9)]
    near = near_pairs(keys)
    assert near.note.endswith("5-grams that many texts share were not followed")
    assert not near.complete


def test_clusters_are_connected_components() -> None:
    pairs = np.array([[1, 2], [4, 5], [2, 3], [5, 6], [3, 6]])
    assert clusters(8, pairs).tolist() == [0, 1, 1, 1, 1, 1, 1, 7]


def test_touching_is_no_chain() -> None:
    marked = np.array([True, False, False, False])
    assert touching(marked, np.array([[0, 1], [1, 2]])).tolist() == [True, True, False, False]
    assert touching(marked, np.empty((0, 2), np.int64)).tolist() == marked.tolist()


def test_15_000_texts_take_seconds() -> None:
    rng = random.Random(0)
    keys = list({" ".join(rng.choices(WORDS, k=12)) + str(rng.random())[:6] for _ in range(15_000)})
    begin = time.process_time()
    near_pairs(keys)
    assert time.process_time() - begin < 15  # 1 s on an idle core
