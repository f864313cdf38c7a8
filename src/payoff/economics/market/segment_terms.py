"""What a founder states of single segments: costs, competition, worth where none was measured."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from payoff.core.errors import PayoffError, ProjectError, did_you_mean, raise_all
from payoff.economics.stated import Stated


@dataclass(frozen=True, slots=True)
class SegmentTerms:
    """What entering and serving one segment means. All but the name may be left out.

    Args:
        segment: Name of the segment.
        value_each: Worth of one decision, where none is measured.
        cost_each: What serving one request costs beside what the payoff knows.
        cost_month: What serving this segment costs a month, whatever its size.
        cost_once: What entering it costs once: selling, connecting, labelling.
        won: Share of its requests that come to us and not to competitors, 0 to 1.
        competitors: Who they are, in words; not computed with.

    Raises:
        ProjectError: PF203 for each figure that is wrong; `Problems` where there are several.

    Example:
        >>> SegmentTerms("clinics", cost_once=1200, won=0.3).fixed_per_month(12)
        100.0
    """

    segment: str
    value_each: float | None = field(default=None, kw_only=True)
    cost_each: float = field(default=0.0, kw_only=True)
    cost_month: float = field(default=0.0, kw_only=True)
    cost_once: float = field(default=0.0, kw_only=True)
    won: float = field(default=1.0, kw_only=True)
    competitors: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        stated = Stated(f"segment '{self.segment}'")
        stated.optional("value_each", self.value_each)
        for key in ("cost_each", "cost_month", "cost_once"):
            stated.number(key, getattr(self, key), at_least=0)
        stated.number("won", self.won, at_least=0, at_most=1)
        stated.raise_all()

    def fixed_per_month(self, months: int) -> float:
        """Costs that do not depend on requests, the one-off ones spread over the horizon."""
        return self.cost_month + self.cost_once / months

    def as_dict(self) -> dict[str, Any]:
        """The same figures as plain values."""
        return {item.name: getattr(self, item.name) for item in fields(self)}


def read_segment_terms(path: Path) -> tuple[SegmentTerms, ...]:
    r"""Read a CSV with the column ``segment`` and any of the fields of `SegmentTerms`.

    Raises:
        ProjectError: PF202 for unknown columns, PF203 for missing or wrong cells; `Problems`
            where there are several.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as place:
        ...     table = Path(place) / "market.csv"
        ...     _ = table.write_text("segment,cost_once,won\nclinics,1200,0.3\n", "utf-8")
        ...     read_segment_terms(table)[0].won
        0.3
    """
    stated = Stated(str(path))
    try:
        reader = csv.DictReader(io.StringIO(path.read_text("utf-8-sig"), newline=""))
        columns = [column for column in reader.fieldnames or () if column]
        rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ProjectError("PF203", str(path), f"it cannot be read ({error})") from error
    stated.keys(dict.fromkeys(columns), (item.name for item in fields(SegmentTerms)))
    for column in sorted({column for column in columns if columns.count(column) > 1}):
        stated.wrong(f"column '{column}' is given twice")
    if "segment" not in columns:
        stated.wrong("there is no column 'segment'", expected="one row a segment, by its name")
    stated.raise_all()
    found = []
    for number, row in enumerate(rows, 1):
        try:
            found.append(_terms(row, f"{path} row {number}"))
        except PayoffError as error:
            stated.problems += getattr(error, "problems", (error,))
    stated.raise_all()
    return tuple(found)


def terms_by_segment(
    terms: Iterable[SegmentTerms], names: Sequence[str], *, source: str
) -> dict[str, SegmentTerms]:
    """The terms of every segment by name; those of whom nothing is stated cost nothing.

    Args:
        terms: What is stated.
        names: All segments.
        source: What holds the segments, for messages.

    Raises:
        ProjectError: PF203 for a segment that is not among them, or is stated twice.

    Example:
        >>> terms_by_segment([SegmentTerms("clinic")], ["clinics"], source="tickets.csv")
        Traceback (most recent call last):
        ...
        payoff.core.errors.ProjectError: PF203 segment 'clinic': it is not in tickets.csv\
 (expected one of clinics). Did you mean 'clinics'?
    """
    stated = Stated("segments")
    found: dict[str, SegmentTerms] = {}
    for one in terms:
        where = f"segment '{one.segment}'"
        if one.segment not in names:
            stated.wrong(
                f"it is not in {source}",
                where=where,
                expected=f"one of {', '.join(list(names)[:20])}",
                mend=did_you_mean(one.segment, names),
            )
        elif one.segment in found:
            stated.wrong("it is stated twice", where=where, mend="Write one row for it.")
        found[one.segment] = one
    stated.raise_all()
    return {name: found.get(name, SegmentTerms(name)) for name in names}


def _terms(row: Mapping[str, Any], where: str) -> SegmentTerms:
    """One row of the table; empty cells are left out."""
    problems: list[PayoffError] = []
    values: dict[str, Any] = {}
    for key, cell in row.items():
        if key is None:
            found = "it has more cells than the header"
            mend = "Put a text that holds the delimiter in quotes; write 1200, not 1,200."
            problems.append(ProjectError("PF203", where, found, mend=mend))
            continue
        text = (cell or "").strip()
        if not text:
            continue
        if not key:
            found = "a cell stands in a column without a name"
            problems.append(ProjectError("PF203", where, found, mend="Name the column."))
            continue
        if key in ("segment", "competitors"):
            values[key] = text
            continue
        try:
            values[key] = float(text)
        except ValueError:
            problems.append(
                ProjectError("PF203", where, f"'{key}' is '{text}'", expected="a number")
            )
    if "segment" not in values:
        problems.append(ProjectError("PF203", where, "it names no segment"))
    raise_all(problems)
    return SegmentTerms(values.pop("segment"), **values)
