from __future__ import annotations

import json
from pathlib import Path

import pytest

from payoff.core.errors import DataError, PayoffError, Problems
from payoff.data.annotations import MOST_TOLD, Annotated, Span

ORDER = '{"text": "is PO-18 in?", "entities": [{"start": 3, "end": 8, "label": "ORDER"}]}\n'


def test_both_formats_are_told_apart(tmp_path: Path) -> None:
    lines = tmp_path / "orders.txt"
    lines.write_text(ORDER, "utf-8")
    columns = tmp_path / "orders.jsonl"
    columns.write_text("is O\nPO-18 B-ORDER\nin? O\n", "utf-8")
    read = [Annotated.read(path) for path in (lines, columns)]
    assert read[0].texts == read[1].texts == ("is PO-18 in?",)
    assert read[0].spans == read[1].spans
    assert read[0].fingerprint == read[1].fingerprint
    assert read[0].source == str(lines)


def test_the_fingerprint_sees_all_that_is_learnt() -> None:
    plain = Annotated(("ab", "c"), ((Span(0, 1, "X"),), ()))
    others = [
        Annotated(("ab", "c"), ((Span(0, 2, "X"),), ())),
        Annotated(("ab", "c"), ((Span(0, 1, "Y"),), ())),
        Annotated(("ab", "c"), ((Span(0, 1, "X"),), (Span(0, 1, "X"),))),
        Annotated(("ab", "d"), ((Span(0, 1, "X"),), ())),
    ]
    assert len({plain.fingerprint, *(other.fingerprint for other in others)}) == 5


def test_spans_are_sorted_and_counted() -> None:
    spans = ((Span(2, 3, "B"), Span(0, 1, "A")), (Span(0, 1, "B"),))
    annotated = Annotated(("a b", "b"), spans)
    assert annotated.spans[0] == (Span(0, 1, "A"), Span(2, 3, "B"))
    assert annotated.labels == ("A", "B")
    assert annotated.counts == {"A": 1, "B": 2}
    assert annotated.take([1]).spans == ((Span(0, 1, "B"),),)
    assert len(annotated.take([1, 1])) == 2


@pytest.mark.parametrize(
    ("text", "spans", "code", "says"),
    [
        ("abc", [Span(1, 4, "X")], "PF121", "<= 3"),
        ("abc", [Span(-1, 2, "X")], "PF121", "<= 3"),
        ("abc", [Span(2, 2, "X")], "PF121", "start < end"),
        ("abc", [Span(0, 2, "X"), Span(1, 3, "Y")], "PF121", "overlap"),
        ("abc", [Span(0, 2, "X"), Span(0, 2, "X")], "PF121", "overlap"),
        ("abc", [Span(0, 2, " ")], "PF121", "label"),
        ("abc", [Span(0, 2, "X ")], "PF121", "label"),
        ("a c", [Span(0, 2, "X")], "PF121", "white space"),
        ("a\0c", [], "PF105", "NUL"),
        ("a\ud800", [], "PF105", "surrogate"),
        ("a" * 250_001, [], "PF105", "250,000"),
        (None, [], "PF105", "NoneType"),
    ],
)
def test_what_cannot_be_used_is_told(text: str, spans: list[Span], code: str, says: str) -> None:
    with pytest.raises(DataError) as told:
        Annotated((text,), (tuple(spans),))
    assert told.value.code == code
    assert says in str(told.value)


def test_entities_may_touch() -> None:
    assert len(Annotated(("ab",), ((Span(0, 1, "X"), Span(1, 2, "X")),)).spans[0]) == 2


def test_all_problems_of_a_file_at_once(tmp_path: Path) -> None:
    bad = [
        "{no json",
        "[1]",
        '{"entities": []}',
        '{"text": "a"}',
        '{"text": "a", "entities": [7]}',
        '{"text": "a", "entities": [{"start": true, "end": 1, "label": "X"}]}',
        '{"text": "a", "entities": [{"start": 0, "end": 1.0, "label": "X"}]}',
        '{"text": "a", "entities": [{"start": 0, "end": 1}]}',
        '{"text": "a", "entities": [{"start": 0, "end": 9, "label": "X"}]}',
        '{"text": "a\\u0000", "entities": []}',
    ]
    path = tmp_path / "orders.jsonl"
    path.write_text(ORDER + "\n" + "\n".join(bad) + "\n", "utf-8")
    with pytest.raises(Problems) as told:
        Annotated.read(path)
    assert [p.code for p in told.value.problems] == [*["PF102"] * 4, *["PF121"] * 5, "PF105"]
    assert [p.where.split()[-1] for p in told.value.problems] == [str(n) for n in range(3, 13)]


def test_thousands_of_problems_are_counted() -> None:
    with pytest.raises(Problems) as told:
        Annotated(("a",) * 500, ((Span(0, 9, "X"),),) * 500)
    assert len(told.value.problems) == MOST_TOLD + 1
    assert "450 more" in str(told.value)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (None, "PF101"),
        (b"", "PF102"),
        (b"PAR1\0\0", "PF102"),
        (b'{"text": "\xff\xfe\xfd"}', "PF102"),
        (b"\xef\xbb\xbfwhere O\nis\xff O\n", "PF102"),
        (b"\xff\xfe{\0a", "PF102"),
    ],
)
def test_a_file_that_is_none(content: bytes | None, code: str, tmp_path: Path) -> None:
    path = tmp_path / "orders.jsonl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PayoffError) as told:
        Annotated.read(path)
    assert told.value.code == code


def test_windows_line_ends_and_byte_order_marks(tmp_path: Path) -> None:
    path = tmp_path / "orders.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + ORDER.replace("\n", "\r\n").encode())
    assert Annotated.read(path).texts == ("is PO-18 in?",)
    path.write_bytes(b"\xef\xbb\xbfis O\r\nPO-18 B-ORDER\r\n\r\nno O\r\n")
    assert Annotated.read(path).texts == ("is PO-18", "no")


def test_deep_json_is_no_traceback(tmp_path: Path) -> None:
    path = tmp_path / "deep.jsonl"
    path.write_text('{"text": ' + "[" * 100_000, "utf-8")
    with pytest.raises(DataError) as told:
        Annotated.read(path)
    assert told.value.code == "PF102"


def test_one_for_each(tmp_path: Path) -> None:
    with pytest.raises(DataError) as told:
        Annotated(("a", "b"), ((),))
    assert told.value.code == "PF112"


def test_other_keys_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "orders.jsonl"
    row = json.loads(ORDER) | {"id": 7}
    path.write_text(json.dumps(row), "utf-8")
    assert len(Annotated.read(path)) == 1
