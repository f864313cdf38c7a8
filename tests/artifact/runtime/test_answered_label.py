from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.artifact.chat_server import sampled

from payoff.artifact.runtime.answered_label import Answer, folded, label_logits, named_label
from payoff.artifact.runtime.chat_reply import read_reply

LABELS = ["card", "card arrival", "refund", "not refund", "退款", "A-B", "a_b"]


@pytest.mark.parametrize(
    ("answer", "label"),
    [
        ("refund", "refund"),
        (" Refund. \n", "refund"),
        ("CARD_ARRIVAL", "card arrival"),
        ("card", "card"),
        ("Label: card arrival", "card arrival"),
        ("标签：退款。", "退款"),
        ("The label is **refund**.", "refund"),
        ('{"label": "card arrival"}', "card arrival"),
        ("「退款」", "退款"),
        ("<think>refund? no.</think>\ncard", "card"),
        ("refund\nbecause the money is to come back", "refund"),
        ("not refund", "not refund"),
        ("A-B", "A-B"),
        ("a_b", "a_b"),
        ("ａ＿ｂ", None),  # full width: folds to two labels
        ("ab", None),
        ("it is not a refund", None),
        ("refund\ncard", None),
        ("either 'refund' or 'card'", None),
        ("", None),
        ("...", None),
        ("<think>refund", None),
        ("cards", None),
    ],
)
def test_an_answer_names_one_label_or_none(answer: str, label: str | None) -> None:
    found = named_label(answer, LABELS)
    assert (None if found is None else LABELS[found]) == label


def test_folding_keeps_letters_and_digits_of_all_scripts() -> None:
    assert folded("Ａ１ é-退款_!") == "a1é退款"


def probabilities(labels: list[str], wanted: list[float]) -> np.ndarray:
    import json

    body = json.dumps({"choices": [sampled(labels, wanted)]}).encode()
    logits, named = label_logits(read_reply(body, "here", most_tokens=1), labels)
    assert named
    return np.exp(logits)


def test_labels_without_common_words_get_their_probabilities() -> None:
    labels, wanted = ["alpha", "beta x", "gamma"], [0.2, 0.5, 0.3]
    np.testing.assert_allclose(probabilities(labels, wanted), wanted, atol=1e-5)


def test_labels_with_a_common_beginning_get_theirs_on_the_way_to_the_answer() -> None:
    labels, wanted = ["label 00", "label 01", "label 02"], [0.2, 0.5, 0.3]
    np.testing.assert_allclose(probabilities(labels, wanted), wanted, atol=1e-5)


def test_a_label_that_begins_another_shares_what_cannot_be_told() -> None:
    found = probabilities(["card", "card arrival", "refund"], [0.2, 0.5, 0.3])
    assert found.sum() == pytest.approx(1.0, abs=1e-5)
    assert found.argmax() == 1
    assert found[2] == pytest.approx(0.3, abs=1e-5)


@given(st.lists(st.floats(0.01, 1.0), min_size=2, max_size=12))
@settings(max_examples=50, deadline=None)
def test_probabilities_come_back_as_they_were(parts: list[float]) -> None:
    wanted = np.array(parts) / sum(parts)
    labels = [f"{chr(97 + place)} word" for place in range(len(parts))]
    np.testing.assert_allclose(probabilities(labels, wanted.tolist()), wanted, atol=1e-4)


@given(st.text(max_size=40), st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=5))
@settings(max_examples=150, deadline=None)
def test_any_answer_gives_probabilities(answer: str, labels: list[str]) -> None:
    logits, _ = label_logits(Answer(answer), labels)
    assert logits.shape == (len(labels),)
    assert np.exp(logits).sum() == pytest.approx(1.0, abs=1e-4)
