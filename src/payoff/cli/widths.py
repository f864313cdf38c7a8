"""How wide the columns of a table are, so that no number of it is cut."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

_SHORTEST: Final = 12
"""Cells into which a word of a column of texts may be broken."""


def column_widths(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Collection[str],
    room: int,
) -> list[int] | None:
    """Cells that each column gets: as many as it wants, or else no less than its longest word.

    Words of columns that are aligned to the right, which are numbers, are never broken; those of
    other columns are from 12 cells on.

    Args:
        columns: Names.
        rows: Cells, ``(n_rows, n_columns)``.
        right: Names of the columns that are aligned to the right.
        room: Cells of a line that are left for all of them.

    Returns:
        One width a column; None where there is no room for every word.

    Example:
        >>> rows = [["the model of the run", "1,234 USD"]]
        >>> column_widths(["plan", "profit"], rows, right=["profit"], room=40)
        [20, 9]
        >>> column_widths(["plan", "profit"], rows, right=["profit"], room=20)
        [11, 9]
        >>> column_widths(["plan", "profit"], rows, right=["profit"], room=10) is None
        True
    """
    from rich.cells import cell_len

    wanted, whole, least = [], [], []
    for place, name in enumerate(columns):
        cells = [name, *(row[place] for row in rows)]
        words = [cell_len(word) for cell in cells for word in cell.split()]
        longest = max(words, default=0)
        whole.append(longest)
        least.append(longest if name in right else min(longest, _SHORTEST))
        wanted.append(max(cell_len(line) for cell in cells for line in cell.split("\n")))
    if sum(wanted) <= room:
        return wanted
    if sum(least) > room:
        return None
    texts = [place for place, name in enumerate(columns) if name not in right]
    numbers = [place for place, name in enumerate(columns) if name in right]
    widths = _filled(least, whole, texts, room)  # no word is broken without need
    widths = _filled(widths, wanted, numbers, room)
    for _ in range(room - sum(widths)):
        neediest = max(range(len(columns)), key=lambda place: wanted[place] - widths[place])
        widths[neediest] += 1
    return widths


def _filled(
    widths: Sequence[int], wanted: Sequence[int], places: Sequence[int], room: int
) -> list[int]:
    """Some columns made as wide as they want, those first that lack least, while there is room."""
    filled = [*widths]
    for place in sorted(places, key=lambda place: wanted[place] - widths[place]):
        filled[place] += max(min(room - sum(filled), wanted[place] - filled[place]), 0)
    return filled
