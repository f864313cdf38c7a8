"""Charts: what the script that draws them is given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_ROOM = 0.15


def interval_limits(
    intervals: Sequence[tuple[float, float]], *, cut: float = 0.0
) -> tuple[float, float]:
    """Between which amounts intervals over time are drawn: zero, and all but the first of them.

    The first intervals of an experiment are so wide that the later ones could not be seen beside
    them; they are cut off.

    Args:
        intervals: Lower and upper ends, the first moment first.
        cut: Share of the intervals, from the first one on, that need not be seen whole.

    Example:
        >>> interval_limits([(-28.0, 28.0), (-1.0, 3.0), (-0.4, 2.0), (0.4, 1.6)], cut=0.5)
        (-0.76, 2.36)
    """
    later = intervals[int(len(intervals) * cut) :]
    low = min((low for low, _ in later), default=0.0)
    high = max((high for _, high in later), default=0.0)
    low, high = min(0.0, low), max(0.0, high)
    room = _ROOM * (high - low)
    return (low - room, high + room)


def bars(
    names: Sequence[str], amounts: Sequence[float], line: Sequence[float | None]
) -> dict[str, Any]:
    """Amounts side by side, with a line that they are held against.

    Args:
        names: Of the days or the months.
        amounts: One each.
        line: One each; None where there is none.

    Example:
        >>> bars(["2026-11"], [30.0], [None])
        {'kind': 'bars', 'names': ['2026-11'], 'bars': [30.0], 'line': [None]}
    """
    return {"kind": "bars", "names": list(names), "bars": list(amounts), "line": list(line)}


def intervals(
    names: Sequence[str], found: Sequence[tuple[float, float, float]], *, cut: float = 0.0
) -> dict[str, Any]:
    """Amounts over time with their intervals, around zero.

    Args:
        names: Of the days.
        found: Lower end, amount and upper end of each.
        cut: As `interval_limits` has it.

    Example:
        >>> intervals(["2026-11-30"], [(-1.0, 2.0, 4.0)])["limits"]
        (-1.75, 4.75)
    """
    low, estimate, high = ([round(one[i], 6) for one in found] for i in range(3))
    return {
        "kind": "intervals",
        "names": list(names),
        "low": low,
        "estimate": estimate,
        "high": high,
        "limits": interval_limits([(one[0], one[2]) for one in found], cut=cut),
    }
