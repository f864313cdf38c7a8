"""Exact match and ROUGE, restated by hand, in English and Chinese."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from payoff.core.errors import DataError
from payoff.evidence.answers import AnswerQuality, measure_answers, normalised, tokenised

WORDS = st.lists(st.sampled_from(["card", "is", "late", "退", "款", "5", "days"]), max_size=8)


@pytest.fixture(autouse=True, scope="module")
def _rouge() -> None:
    pytest.importorskip("rouge_score", reason="pip install 'payoff[generate]'")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("The card is here.", "card is  here", True),
        ("It’s “fine”!", "its fine", True),
        ("ＣＡＲＤ　５", "card 5", True),
        ("Straße", "STRASSE", True),
        ("1.5", "15", False),
        ("-5", "5", False),
        ("$5", "5", False),
        ("5%", "5", False),
        ("(5)", "5", True),
        ("another card", "other card", False),
        ("退款 三天，到账。", "退款三天到账", True),
        ("退款三天到账", "退款四天到账", False),
        ("card stolen", "cardstolen", False),
    ],
)
def test_what_does_not_change_an_answer_is_folded(one: str, other: str, same: bool) -> None:
    assert (normalised(one) == normalised(other)) is same
    assert measure_answers([one], [other]).exact_match == same


@given(st.text(max_size=20))
@example("A´⼀")  # the accent stands alone until the space goes
@settings(max_examples=100, deadline=None)
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalised(normalised(text)) == normalised(text)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Don't pay 1.5 EUR", ["don", "t", "pay", "1", "5", "eur"]),
        ("abc退款def", ["abc", "退", "款", "def"]),
        ("カード 5", ["カ", "ー", "ド", "5"]),
        ("snake_case", ["snake", "case"]),
        ("…!", []),
    ],
)
def test_words_and_characters(text: str, tokens: list[str]) -> None:
    assert tokenised(text) == tokens


def longest_common(one: list[str], other: list[str]) -> int:
    if not one or not other:
        return 0
    if one[-1] == other[-1]:
        return 1 + longest_common(one[:-1], other[:-1])
    return max(longest_common(one[:-1], other), longest_common(one, other[:-1]))


def f_measure(shared: int, one: list[str], other: list[str]) -> float:
    return 2 * shared / (len(one) + len(other)) if shared else 0.0


@given(said=WORDS, wanted=WORDS)
@settings(max_examples=50, deadline=None)
def test_rouge_restated_by_hand(said: list[str], wanted: list[str]) -> None:
    quality = measure_answers([" ".join(said)], [" ".join(wanted)])
    shared = sum(min(said.count(word), wanted.count(word)) for word in set(said))
    assert quality.rouge_1 == pytest.approx(f_measure(shared, said, wanted))
    common = longest_common(said, wanted)
    assert quality.rouge_l == pytest.approx(f_measure(common, said, wanted))


def test_figures_are_means_over_the_answers() -> None:
    quality = measure_answers(["In a week.", "", "退款"], ["in the week", "no", "退货"])
    assert quality == AnswerQuality(
        n=3,
        exact_match=pytest.approx(1 / 3),
        rouge_1=pytest.approx((2 / 3 + 0 + 1 / 2) / 3),
        rouge_l=pytest.approx((2 / 3 + 0 + 1 / 2) / 3),
        empty=pytest.approx(1 / 3),
    )
    assert quality.as_dict()["n"] == 3


def test_nothing_to_measure_is_told() -> None:
    with pytest.raises(DataError, match="PF106"):
        measure_answers([], [])
    with pytest.raises(ValueError, match="zip"):
        measure_answers(["a"], ["a", "b"])
