from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from payoff.data.augment.words import Words

KNOWN = ["where", "is", "my", "new", "card", "please", "now"]
WORDS = st.lists(st.sampled_from(KNOWN), min_size=2)


@settings(max_examples=80)
@given(WORDS, st.floats(0.01, 1.0), st.integers(0, 99))
def test_words_are_missing_or_in_another_order(words: list[str], share: float, seed: int) -> None:
    (made,) = Words(share).augment([" ".join(words)], np.random.default_rng(seed))
    n_edits = max(1, round(share * len(words)))
    left = made.split(" ")
    if len(left) == len(words):
        assert Counter(left) == Counter(words)
        moved = sum(one != other for one, other in zip(left, words, strict=True))
        assert moved <= 2 * n_edits
    else:
        assert len(left) == max(1, len(words) - n_edits)
        rest = iter(words)
        assert all(word in rest for word in left), "what is left is in its order"


def test_both_ways_are_taken() -> None:
    text = "a b c d e f g h i j"
    made = Words(0.2).augment([text] * 200, np.random.default_rng(0))
    lengths = Counter(len(one.split()) for one in made)
    assert set(lengths) == {8, 10}
    assert 60 < lengths[8] < 140


def test_texts_of_one_word_come_back_as_they_are() -> None:
    texts = ["help", "卡丢了，怎么办？", "  card\n", ""]
    assert Words(1.0).augment(texts, np.random.default_rng(0)) == texts


def test_any_white_space_parts_words() -> None:
    (made,) = Words().augment(["one\ttwo\n  three\u3000four"], np.random.default_rng(0))
    assert set(made.split(" ")) <= {"one", "two", "three", "four"}
