from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from payoff.data.segments.terms import TermTable, is_unspaced, terms_of


def test_function_words_and_punctuation_break_pairs() -> None:
    assert terms_of("Refund the order; parcel") == ["refund", "order", "parcel"]
    assert terms_of("don't REFUND order") == ["refund", "order", "refund order"]


def test_a_chinese_word_is_an_ngram_that_neither_begins_nor_ends_with_a_function_word() -> None:
    terms = terms_of("我的退款在哪里，谢谢")
    assert "退款" in terms
    assert "谢谢" in terms
    assert not any("的" in term or term[0] in "我在" or term[-1] == "在" for term in terms)


def test_scripts_stand_side_by_side() -> None:
    terms = terms_of("iPhone坏了 apple pay")
    assert {"iphone", "apple pay"} <= set(terms)
    assert not is_unspaced("iphone")


@given(st.lists(st.text(max_size=40), min_size=1, max_size=20))
def test_any_text_is_counted(texts: list[str]) -> None:
    table = TermTable.of(texts, least=1)
    assert table.n_texts == len(texts)
    assert len(table.columns) == len(table.counts) == table.starts[-1]
    assert table.counts.sum() == sum(len(terms_of(text)) for text in texts)
    assert (table.frequencies >= 1).all()


def test_texts_with_a_term_are_counted_by_segment() -> None:
    table = TermTable.of(["refund", "refund refund", "parcel", "parcel refund"])
    inside = table.by_segment(np.array([0, 0, 1, 1]), 2)
    assert table.terms == ("parcel", "refund")
    assert inside.tolist() == [[0, 2], [2, 1]]


@pytest.mark.parametrize("most", [1, 2])
def test_the_commonest_terms_are_kept(most: int) -> None:
    table = TermTable.of(["refund parcel"] * 2 + ["refund"], most=most)
    assert table.terms == (("refund",), ("parcel", "refund"))[most - 1]
