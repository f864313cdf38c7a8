"""Wilson's interval of a share."""

from __future__ import annotations

import math


def interval(successes: int, n: int, z: float) -> tuple[float, float]:
    """Wilson's interval of a share.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference",
    Journal of the American Statistical Association 22(158).

    Args:
        successes: From 0 to ``n``.
        n: Cases; with none, every share is left open.
        z: Standard errors to each side.

    Example:
        >>> [round(end, 3) for end in interval(8, 10, 1.96)]
        [0.49, 0.943]
    """
    if n == 0:
        return 0.0, 1.0
    share, spread = successes / n, z * z / n
    centre = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / n + spread / (4 * n))
    return max(0.0, centre - half), min(1.0, centre + half)
