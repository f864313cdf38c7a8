"""Cells of a label column as numbers or sets of labels; those that do not fit, told at once."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence

from payoff.core.errors import DataError

_NUMBER = re.compile(r"[+-]?(\d+|\d{1,3}(,\d{3})+)?(\.\d*)?([eE][+-]?\d+)?")
_SEPARATORS = re.compile(r"[;|]")
_N_NAMED = 5


def number_of(cell: str) -> float | None:
    """The number in a cell, with commas between thousands or without; None where it is none.

    Example:
        >>> number_of(" 1,234.5 "), number_of("-2e3"), number_of("1,5"), number_of("nan")
        (1234.5, -2000.0, None, None)
    """
    text = cell.strip()
    if not _NUMBER.fullmatch(text) or not any(c.isdigit() for c in text.partition("e")[0]):
        return None
    try:
        value = float(text.replace(",", ""))
    except ValueError:  # such as "e5"
        return None
    return value if math.isfinite(value) else None


def labels_of(cell: str) -> tuple[str, ...] | None:
    """The labels in a cell: ``a;b``, ``a|b`` or a JSON list; None where it is no such list.

    Example:
        >>> labels_of("late | rude;late"), labels_of('["a;b"]'), labels_of(""), labels_of("[1")
        (('late', 'rude'), ('a;b',), (), None)
    """
    text = cell.strip()
    if text.startswith("["):
        try:
            found = json.loads(text)
        except ValueError:
            return None
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            return None
    else:
        found = _SEPARATORS.split(text)
    stripped = (one.strip() for one in found)
    return tuple(dict.fromkeys(one for one in stripped if one))


def unfit(
    where: str, wrong: Sequence[tuple[int, str]], n_rows: int, *, expected: str, mend: str
) -> DataError:
    """PF114 for all cells that do not fit, with their rows.

    Args:
        where: The column.
        wrong: Row (from 0) and cell of each.
        n_rows: Rows in all.
        expected: What would fit.
        mend: What to do.

    Example:
        >>> print(unfit("t.csv [stars]", [(1, "five")], 3, expected="numbers", mend="Write 5."))
        PF114 t.csv [stars]: 1 of 3 cells do not fit: row 2 'five' (expected numbers). Write 5.
    """
    named = ", ".join(f"row {row + 1} {_shown(cell)}" for row, cell in wrong[:_N_NAMED])
    more = f" and {len(wrong) - _N_NAMED:,} more" if len(wrong) > _N_NAMED else ""
    found = f"{len(wrong):,} of {n_rows:,} cells do not fit: {named}{more}"
    return DataError("PF114", where, found, expected=expected, mend=mend)


def distinct(cells: Iterable[str]) -> tuple[str, ...]:
    """Each cell once, in the order of their first rows.

    Example:
        >>> distinct(["b", "a", "b"])
        ('b', 'a')
    """
    return tuple(dict.fromkeys(cells))


def _shown(cell: str) -> str:
    if not cell.strip():
        return "(empty)"
    return repr(cell if len(cell) <= 40 else cell[:40] + "…")
