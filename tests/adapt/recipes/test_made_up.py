"""Texts made up from those at hand."""

from __future__ import annotations

import itertools
import re

from hypothesis import given
from hypothesis import strategies as st

from payoff.adapt.recipes.made_up import made_up

WORDS = st.sampled_from(["card", "lost", "my", "the", "where", "Fee?", "卡丢了", "退款"])
TEXTS = st.lists(st.lists(WORDS, min_size=1, max_size=8).map(" ".join), max_size=12)


def pairs(text: str) -> set[tuple[str, str]]:
    """Words with the one behind them, Chinese characters apart, as a reader counts them."""
    words = re.findall(r"[\u4e00-\u9fff]|[^\s\u4e00-\u9fff]+", text.lower())
    return set(itertools.pairwise(words))


@given(TEXTS, st.integers(0, 60), st.integers(0, 5))
def test_new_texts_of_known_pairs_of_words(texts: list[str], n: int, seed: int) -> None:
    made = made_up(texts, n, seed=seed)
    assert len(made) <= n
    assert len(set(made)) == len(made)
    assert not set(made) & {text.strip() for text in texts}
    known = set().union(*(pairs(text) for text in texts))
    for text in made:
        assert text == text.strip() != ""
        assert pairs(text) <= known
    assert made == made_up(texts, n, seed=seed)


def test_every_text_is_begun_as_often() -> None:
    texts = [f"begin{number} and go on to the end{number}" for number in range(50)]
    made = made_up(texts, 100, seed=0)
    assert len(made) > 50
    assert len({text.split()[0] for text in made}) > 40


def test_where_nothing_is_shared_nothing_is_made() -> None:
    assert made_up(["one text", "another phrase"], 50, seed=0) == ()
    assert made_up([], 50, seed=0) == ()
    assert made_up(["a b", "a c"], 0, seed=0) == ()


def test_texts_without_spaces() -> None:
    assert "我的卡被拒绝" in made_up(["我的卡丢了", "为什么卡被拒绝"], 200, seed=0)
