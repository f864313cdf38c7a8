from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from payoff.data.augment.typos import NEIGHBOURS, Typos


def distance(one: str, other: str) -> int:
    """Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment)."""
    table = np.zeros((len(one) + 1, len(other) + 1), int)
    table[:, 0], table[0] = range(len(one) + 1), range(len(other) + 1)
    for i in range(1, len(one) + 1):
        for j in range(1, len(other) + 1):
            table[i, j] = min(
                table[i - 1, j] + 1,
                table[i, j - 1] + 1,
                table[i - 1, j - 1] + (one[i - 1] != other[j - 1]),
            )
            if i > 1 and j > 1 and one[i - 1] == other[j - 2] and one[i - 2] == other[j - 1]:
                table[i, j] = min(table[i, j], table[i - 2, j - 2] + 1)
    return int(table[-1, -1])


def test_neighbours_are_keys_that_touch() -> None:
    assert set(NEIGHBOURS) == set("qwertyuiopasdfghjklzxcvbnm")
    assert set(NEIGHBOURS["a"]) == set("qwsz")
    assert set(NEIGHBOURS["g"]) == set("tyfhvb")
    assert set(NEIGHBOURS["p"]) == set("ol")
    assert set(NEIGHBOURS["m"]) == set("njk")
    for letter, near in NEIGHBOURS.items():
        assert letter not in near
        assert all(letter in NEIGHBOURS[other] for other in near)


@settings(max_examples=80)
@given(st.text(alphabet="abc XYZ卡退款ö", min_size=2, max_size=30), st.integers(0, 99))
def test_one_edit_is_one_error(text: str, seed: int) -> None:
    (made,) = Typos(1e-6).augment([text], np.random.default_rng(seed))
    n_letters = sum(character.isalpha() for character in text)
    assert distance(text, made) == (n_letters > 1)


def test_there_are_as_many_errors_as_asked_for() -> None:
    text = "abcdefghij" * 10
    made = Typos(0.1).augment([text] * 30, np.random.default_rng(0))
    distances = [distance(text, one) for one in made]
    # An error may undo another, or change two letters that have changed places already.
    assert 7 < np.mean(distances) <= 10


def test_all_kinds_of_errors_are_made_and_case_is_kept() -> None:
    made = Counter(Typos().augment(["KA"] * 300, np.random.default_rng(0)))
    near = {kind.upper() for kind in NEIGHBOURS["k"]}, {kind.upper() for kind in NEIGHBOURS["a"]}
    expected = {"K", "A", "AK"} | {n + "A" for n in near[0]} | {"K" + n for n in near[1]}
    assert set(made) == expected


def test_figures_punctuation_and_spaces_stay() -> None:
    text = "Card 4471-0098, lost on 12/03: help!"
    for made in Typos(1.0).augment([text] * 50, np.random.default_rng(0)):
        assert [c for c in made if not c.isalpha()] == [c for c in text if not c.isalpha()]


def test_chinese_loses_or_swaps_characters_and_gains_none() -> None:
    text = "我的卡在哪里，退款没有到账"
    made = Typos(0.2).augment([text] * 100, np.random.default_rng(0))
    assert all(not Counter(one) - Counter(text) for one in made)
    lengths = {len(text) - len(one) for one in made}
    assert lengths == {0, 1, 2}
    assert text not in made or made.count(text) < 10


def test_the_last_letter_stays() -> None:
    texts = ["a", "卡", "7", "a1", "ab"]
    for seed in range(20):
        made = Typos(1.0).augment(texts, np.random.default_rng(seed))
        assert made[:4] == texts[:4]
        assert any(character.isalpha() for character in made[4])
