from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payoff.core.errors import DataError
from payoff.data.annotated_split import split_annotated
from payoff.data.annotations import Annotated, Span
from payoff.data.duplicates import alike

WORDS = [
    "amber",
    "basil",
    "cedar",
    "delta",
    "ember",
    "fjord",
    "grove",
    "heron",
    "inlet",
    "jolly",
    "koala",
    "lemon",
    "maple",
    "noble",
]


def sentences(n: int, label: str = "WORD", *, more: str = "") -> Annotated:
    words = [f"{WORDS[i % 14]}{i:03}" for i in range(n)]
    texts = tuple(
        f"{word} {more}{' '.join(WORDS[(i * 5 + j) % 14] for j in range(4))}"
        for i, word in enumerate(words)
    )
    return Annotated(texts, tuple((Span(0, len(word), label),) for word in words))


def joined(*parts: Annotated) -> Annotated:
    return Annotated(sum((p.texts for p in parts), ()), sum((p.spans for p in parts), ()))


def test_rare_labels_stand_in_every_part() -> None:
    cut = split_annotated(joined(sentences(90), sentences(9, "RARE", more="rare ")))
    for part in (cut.train, cut.validation, cut.test):
        assert set(part.labels) == {"WORD", "RARE"}
    assert len(cut.train) + len(cut.validation) + len(cut.test) == 99
    assert all(not finding.failed for finding in cut.findings)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 99), st.integers(20, 60))
def test_no_text_stands_in_two_parts(seed: int, n: int) -> None:
    twice = sentences(n)
    shouted = Annotated(tuple(text.upper() + "!" for text in twice.texts), twice.spans)
    cut = split_annotated(joined(twice, shouted), seed=seed)
    parts = [set(alike(part.texts)[0]) for part in (cut.train, cut.validation, cut.test)]
    assert not parts[0] & parts[1]
    assert not (parts[0] | parts[1]) & parts[2]


def test_a_given_test_set_is_kept_and_kept_apart() -> None:
    given_set = sentences(5)
    cut = split_annotated(sentences(40), test_set=given_set)
    assert cut.test is given_set
    assert not {*cut.train.texts, *cut.validation.texts} & set(given_set.texts)
    assert [f.n_affected for f in cut.findings if f.code == "PF172"] == [5]


def test_empty_texts_are_left_out_and_said() -> None:
    cut = split_annotated(joined(sentences(20), Annotated((" ", ""), ((), ()))))
    assert [f.n_affected for f in cut.findings if f.code == "PF171"] == [2]


def test_a_label_that_a_part_lacks_is_said() -> None:
    cut = split_annotated(joined(sentences(30), sentences(1, "ONCE", more="once ")))
    assert [f.failed for f in cut.findings if f.code == "PF177"] == [True]


@pytest.mark.parametrize(
    ("annotated", "options", "code"),
    [
        (sentences(20), {"validation": 0.0}, "PF110"),
        (sentences(20), {"validation": 0.6, "test": 0.5}, "PF110"),
        (sentences(2), {}, "PF106"),
        (Annotated(tuple(f"{word} is all" for word in WORDS), ((),) * 14), {}, "PF104"),
        (sentences(20), {"test_set": sentences(3, "OTHER", more="x ")}, "PF104"),
        (Annotated(("", " "), ((), ())), {}, "PF106"),
    ],
)
def test_what_cannot_be_split_is_told(annotated: Annotated, options: dict, code: str) -> None:
    with pytest.raises(DataError) as told:
        split_annotated(annotated, **options)
    assert told.value.code == code


def test_the_same_seed_gives_the_same_parts() -> None:
    one, other = (split_annotated(sentences(30), seed=3) for _ in range(2))
    assert one.train.texts == other.train.texts
    assert one.train.texts != split_annotated(sentences(30), seed=4).train.texts
