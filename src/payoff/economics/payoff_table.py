"""The section ``[value]`` of a project file, read into the arguments of a `Payoff`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from payoff.core.errors import PayoffError
from payoff.economics.class_value import ClassValue
from payoff.economics.person import Person
from payoff.economics.segment_value import SegmentValue
from payoff.economics.stated import Stated

_WHERE = "payoff.toml [value]"
_SCALARS = ("correct", "wrong", "handoff", "nothing")
_MENDS = {
    "currency": 'Write currency = "USD", or the three letters of yours.',
    "correct": "Write what one request that is answered rightly is worth: correct = 3.20.",
    "wrong": "Write what one that is answered wrongly is worth: wrong = -7.50.",
}
_SECTIONS = ("currency", "classes", "pairs", "person", "matrix", "segments")


def read_table(table: Mapping[str, Any]) -> dict[str, Any]:
    """Check the shape of ``[value]`` and turn its tables into payoff's own types.

    Args:
        table: The section as TOML or JSON gives it.

    Returns:
        Keyword arguments of `payoff.economics.payoff.Payoff`.

    Raises:
        ProjectError: PF202 for unknown keys, PF203 for missing or wrong figures, all at once.

    Example:
        >>> read_table({"correct": 1, "wrong": -1, "handoff": 0, "currency": "EUR"})["wrong"]
        -1
    """
    stated = Stated(_WHERE)
    stated.keys(table, (*_SCALARS, *_SECTIONS))
    required = ("currency",) if "matrix" in table else ("currency", "correct", "wrong")
    for key in required:
        if key not in table:
            stated.wrong(f"'{key}' is missing", mend=_MENDS[key])
    given = {key: table[key] for key in (*_SCALARS, "currency") if key in table}
    if "matrix" in table:
        given = {"correct": 0.0, "wrong": 0.0} | given
        given["matrix_values"] = _read_matrix(_section(table, "matrix", stated), stated)
    given["classes"] = read_classes(_section(table, "classes", stated), stated)
    given["segments"] = _read_segments(_section(table, "segments", stated), stated)
    given["pairs"] = _read_pairs(table.get("pairs", []), stated)
    given["person"] = _read_person(table, stated)
    stated.raise_all()
    return given


def _section(table: Mapping[str, Any], key: str, stated: Stated) -> Mapping[str, Any]:
    section = table.get(key, {})
    if isinstance(section, Mapping):
        return section
    stated.wrong(f"'{key}' is {section!r}", expected="a table")
    return {}


def _read_segments(section: Mapping[str, Any], stated: Stated) -> dict[str, SegmentValue]:
    segments = {}
    for name, values in section.items():
        own = Stated(f"payoff.toml [value.segments.{name}]")
        if isinstance(values, Mapping):
            classes = _section({"classes": values.get("classes", {})}, "classes", own)
            told = read_classes(classes, own, within=f"value.segments.{name}")
            segments[name] = SegmentValue.from_dict(values, told, own)
        else:
            own.wrong(f"it is {values!r}", expected="a table with correct, wrong or handoff")
        stated.problems += own.problems
    return segments


def read_classes(
    section: Mapping[str, Any], stated: Stated, *, within: str = "value"
) -> dict[str, ClassValue]:
    """The tables ``[value.classes.LABEL]``, or those within a segment; what is wrong is noted.

    Example:
        >>> read_classes({"fraud": {"wrong": -90}}, Stated("here"))
        {'fraud': ClassValue(correct=None, wrong=-90, handoff=None)}
    """
    classes = {}
    for label, values in section.items():
        own = Stated(f"payoff.toml [{within}.classes.{label}]")
        if isinstance(values, Mapping):
            classes[label] = ClassValue.from_dict(values, own)
        else:
            own.wrong(f"it is {values!r}", expected="a table with correct, wrong or handoff")
        stated.problems += own.problems
    return classes


def _read_pairs(entries: Any, stated: Stated) -> tuple[tuple[str, str, float], ...]:
    keys = ("truth", "action", "value")
    pairs = []
    for entry in entries if isinstance(entries, list | tuple) else [entries]:
        if isinstance(entry, Mapping) and sorted(entry) == sorted(keys):
            pairs.append((str(entry["truth"]), str(entry["action"]), entry["value"]))
        else:
            stated.wrong(
                f"a pair is {entry!r}",
                expected="the keys truth, action and value",
                where="payoff.toml [value.pairs]",
            )
    return tuple(pairs)


def _read_person(table: Mapping[str, Any], stated: Stated) -> Person | None:
    if table.get("person") is None:
        return None
    try:
        return Person.from_dict(_section(table, "person", stated))
    except PayoffError as error:
        stated.problems += getattr(error, "problems", (error,))
        return None


def _read_matrix(section: Mapping[str, Any], stated: Stated) -> dict[str, dict[str, float]]:
    cells: dict[str, dict[str, float]] = {}
    where = Stated("payoff.toml [value.matrix]")
    for truth, row in section.items():
        if isinstance(row, Mapping):
            cells[truth] = {a: where.number(f"{truth} -> {a}", v) for a, v in row.items()}
        else:
            where.wrong(f"row '{truth}' is {row!r}", expected="a table of actions")
    stated.problems += where.problems
    return cells
