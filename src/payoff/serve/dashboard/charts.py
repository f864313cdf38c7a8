"""Charts: what the script that draws them is given."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

_ROOM = 0.15


def interval_limits(
    found: Sequence[tuple[float, float, float]], *, whole: float = 0.75
) -> tuple[float, float]:
    """Between which amounts intervals over time are drawn: zero, every amount, and most intervals.

    The widest ones, such as the first of an experiment, would leave nothing to be seen of the
    others; they are cut off.

    Args:
        found: Lower end, amount and upper end of each.
        whole: Share of the intervals, the narrowest, that are seen whole.

    Example:
        >>> found = [(-28.0, 0.0, 28.0), (-1.0, 1.0, 3.0), (-0.4, 1.0, 2.0), (0.4, 1.0, 1.6)]
        >>> interval_limits(found, whole=0.5)
        (-0.76, 2.36)
    """
    narrow = sorted(found, key=lambda one: one[2] - one[0])[: math.ceil(whole * len(found))]
    middle = [one[1] for one in found]
    low = min([0.0, *middle, *(one[0] for one in narrow)])
    high = max([0.0, *middle, *(one[2] for one in narrow)])
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
    names: Sequence[str], found: Sequence[tuple[float, float, float]], *, whole: float = 0.75
) -> dict[str, Any]:
    """Amounts over time with their intervals, around zero.

    Args:
        names: Of the days.
        found: Lower end, amount and upper end of each.
        whole: As `interval_limits` has it.

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
        "limits": interval_limits(found, whole=whole),
    }
