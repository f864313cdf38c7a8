"""JSON lines of annotated texts: ``{"text": …, "entities": [{"start": 0, "end": 5, "label": …}]}``.

Offsets count characters, that is Unicode code points. Other keys are left alone.
"""

from __future__ import annotations

import json
from typing import Any

from payoff.core.errors import DataError, PayoffError
from payoff.data.annotations import Span, raise_some, text_problems

_EXPECTED = '{"text": "…", "entities": [{"start": 0, "end": 5, "label": "ORDER"}]}'


def read_entity_lines(
    content: str, source: str
) -> tuple[tuple[str, ...], tuple[tuple[Span, ...], ...]]:
    """Texts and their entities; blank lines are skipped.

    Args:
        content: The file, one object a line.
        source: Its name, for errors.

    Raises:
        DataError: PF102 for lines that are no such objects, PF105 for texts, PF121 for entities;
            all at once.

    Example:
        >>> line = '{"text": "PO-18?", "entities": [{"start": 0, "end": 5, "label": "ORDER"}]}'
        >>> read_entity_lines(line, "orders.jsonl")
        (('PO-18?',), ((Span(start=0, end=5, label='ORDER'),),))
    """
    texts: list[str] = []
    spans: list[tuple[Span, ...]] = []
    problems: list[PayoffError] = []
    for number, line in enumerate(content.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{source} line {number}"
        try:
            text, found = _row(line, where)
            trouble = text_problems(text, found, where)
        except DataError as error:
            trouble = [error]
        if trouble:
            problems += trouble
        else:
            texts.append(text)
            spans.append(tuple(sorted(found)))
    raise_some(problems, source)
    return tuple(texts), tuple(spans)


def _row(line: str, where: str) -> tuple[str, list[Span]]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError("PF102", where, f"it is no JSON ({error})", expected=_EXPECTED) from error
    if not isinstance(row, dict) or not isinstance(row.get("text"), str):
        raise DataError("PF102", where, "it holds no 'text'", expected=_EXPECTED)
    if not isinstance(row.get("entities"), list):
        raise DataError("PF102", where, "it holds no list of 'entities'", expected=_EXPECTED)
    return row["text"], [_span(entry, where) for entry in row["entities"]]


def _span(entry: Any, where: str) -> Span:
    if not isinstance(entry, dict):
        raise _wrong(where, entry)
    start, end, label = (entry.get(name) for name in ("start", "end", "label"))
    if type(start) is not int or type(end) is not int or not isinstance(label, str):
        raise _wrong(where, entry)
    return Span(start, end, label)


def _wrong(where: str, entry: Any) -> DataError:
    return DataError(
        "PF121",
        where,
        f"an entity is {json.dumps(entry, ensure_ascii=False)[:80]}",
        expected='{"start": 0, "end": 5, "label": "ORDER"}, with whole numbers',
    )
