from __future__ import annotations

from payoff.data.annotations import Annotated, Span
from payoff.plan.tuning.dictionary_lookup import DictionaryLookup


def found(known: Annotated, text: str) -> list[tuple[str, str]]:
    return [(text[s.start : s.end], s.label) for s in DictionaryLookup(known).entities([text])[0]]


def test_longest_first_whole_words_and_any_case() -> None:
    known = Annotated(
        ("Oslo", "Oslo 7 lamp", "王丽", "$9"),
        (
            (Span(0, 4, "CITY"),),
            (Span(0, 11, "LAMP"),),
            (Span(0, 2, "PERSON"),),
            (Span(0, 2, "AMOUNT"),),
        ),
    )
    assert found(known, "OSLO 7 LAMP in oslo") == [("OSLO 7 LAMP", "LAMP"), ("oslo", "CITY")]
    assert found(known, "Oslos, xoslo") == []
    assert found(known, "我叫王丽华 $9 $95") == [("王丽", "PERSON"), ("$9", "AMOUNT")]


def test_the_most_frequent_label_counts() -> None:
    known = Annotated(
        ("May", "May", "May"), tuple((Span(0, 3, x),) for x in ("DATE", "NAME", "NAME"))
    )
    assert found(known, "may") == [("may", "NAME")]


def test_who_knows_nothing_finds_nothing() -> None:
    assert found(Annotated(("a",), ((),)), "a b") == []
