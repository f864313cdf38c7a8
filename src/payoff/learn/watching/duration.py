"""Duration: how long, as people write it."""

from __future__ import annotations

import re

from payoff.core.errors import ServiceError

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_LONGEST_S = 366 * 86_400.0


def duration_s(text: str) -> float:
    """Seconds of a duration such as ``90s``, ``15m``, ``1h``, ``2d`` or ``1w``.

    Raises:
        ServiceError: PF746 where it is none, or longer than a year.

    Example:
        >>> duration_s("2d"), duration_s("1.5h")
        (172800.0, 5400.0)
    """
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)([smhdw])", text.strip(), re.ASCII)
    seconds = float(found[1]) * _SECONDS[found[2]] if found else 0.0
    if not 0 < seconds <= _LONGEST_S:
        raise ServiceError(
            "PF746",
            "duration",
            f"'{text[:40]}'",
            expected="a number and one of s, m, h, d, w, as in 90s, 1h or 2d; at most a year",
        )
    return seconds
