from __future__ import annotations

import pytest

from payoff.core.errors import DataError, Problems
from payoff.data.readers.tag_columns import read_tag_columns


def named(content: str) -> list[tuple[str, str]]:
    """What the first text names, with the labels."""
    texts, spans = read_tag_columns(content, "t.conll")
    return [(texts[0][span.start : span.end], span.label) for span in spans[0]]


def columns(*tags: str) -> str:
    return "".join(f"w{number}\t{tag}\n" for number, tag in enumerate(tags))


@pytest.mark.parametrize(
    "tags",
    [
        ["O", "I-A", "I-A", "B-A", "I-B", "O"],  # IOB1: B only where two of a kind touch
        ["O", "B-A", "I-A", "B-A", "B-B", "O"],  # IOB2
        ["O", "B-A", "E-A", "S-A", "S-B", "O"],  # BIOES
        ["O", "B-A", "L-A", "U-A", "U-B", "O"],  # BILOU
    ],
)
def test_every_scheme_says_the_same(tags: list[str]) -> None:
    assert named(columns(*tags)) == [("w1 w2", "A"), ("w3", "A"), ("w4", "B")]


def test_what_a_scheme_forbids_still_has_one_meaning() -> None:
    assert named(columns("E-A", "I-A", "I-A")) == [("w0", "A"), ("w1 w2", "A")]
    assert named(columns("S-A", "I-A")) == [("w0", "A"), ("w1", "A")]
    assert named(columns("B-A", "I-B", "L-B")) == [("w0", "A"), ("w1 w2", "B")]
    assert named(columns("B-A", "O", "I-A")) == [("w0", "A"), ("w2", "A")]


def test_four_columns_and_document_marks() -> None:
    content = (
        "-DOCSTART- -X- O O\n\nEU NNP I-NP I-ORG\nrejects VBZ I-VP O\n\n\nPeter NNP I-NP I-PER"
    )
    texts, spans = read_tag_columns(content, "t.conll")
    assert texts == ("EU rejects", "Peter")
    assert [len(found) for found in spans] == [1, 1]


def test_chinese_is_joined_without_spaces() -> None:
    content = "我 O\n叫 O\n王 B-PERSON\n丽 I-PERSON\n， O\nTom B-PERSON\nLi I-PERSON\n说 O\n"
    texts, _ = read_tag_columns(content, "t.conll")
    assert texts == ("我叫王丽， Tom Li 说",)
    assert named(content) == [("王丽", "PERSON"), ("Tom Li", "PERSON")]


def test_a_label_may_hold_a_hyphen() -> None:
    assert named("PO-18 B-ORDER-ID\n") == [("PO-18", "ORDER-ID")]


def test_all_problems_at_once() -> None:
    with pytest.raises(Problems) as told:
        read_tag_columns("a X-A\nb\nc B-\nd B\n\ne\0 O\n\nf o\n", "t.conll")
    found = [(problem.where, problem.code) for problem in told.value.problems]
    assert found == [
        ("t.conll line 1", "PF121"),
        ("t.conll line 2", "PF102"),
        ("t.conll line 3", "PF121"),
        ("t.conll line 4", "PF121"),
        ("t.conll line 6", "PF105"),
        ("t.conll line 8", "PF121"),
    ]


def test_a_table_is_no_columns_of_tags() -> None:
    with pytest.raises(DataError) as told:
        read_tag_columns("text,label\n", "t.csv")
    assert told.value.code == "PF102"
