"""Stopping: what the next candidate or rung of a search is expected to bring, and what it costs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from payoff.core.money import format_money
from payoff.plan.score import Score

if TYPE_CHECKING:
    from payoff.plan.ladder import Tried

_FEW: Final = 3  # values from which their spread says something
_MEAN_ABOVE: Final = 1.0 / math.sqrt(2.0 * math.pi)  # E max(0, z) of a standard normal


@dataclass(frozen=True, slots=True)
class HeldBack:
    """Work that a search did not begin.

    Args:
        by: ``"minutes"`` where it did not fit the time left, ``"worth"`` where it would not pay.
        seconds: That it would have taken.
        gain: That it was expected to bring, in value a request; None where nothing was trained yet.

    Example:
        >>> HeldBack("minutes", 140.0, 0.02).by
        'minutes'
    """

    by: str
    seconds: float
    gain: float | None = None


def expected_gain(scores: Sequence[Score], perfection: float) -> float:
    """What one more candidate, or rung, is expected to add to the best so far, a request.

    It is taken to be as good as the best so far, give or take the spread of what was tried, and
    never less than what the held-out rows can tell: the expected improvement (Jones, Schonlau and
    Welch 1998, "Efficient global optimization", Journal of Global Optimization 13(4), eq. 15).
    That is kind to the next one, since few are as good as the best. It is at most half of what is
    left to gain, and just that where fewer than three were tried.

    Args:
        scores: Of all that were trained; at least one.
        perfection: Worth of a request if every answer were right.

    Example:
        >>> tried = [Score(np.full(100, worth), np.ones(100)) for worth in (1.0, 2.0, 3.0)]
        >>> round(expected_gain(tried, 9.0), 3), expected_gain(tried[:1], 9.0)
        (0.399, 4.0)
    """
    best = max(scores, key=lambda score: score.value)
    half = max(perfection - best.value, 0.0) / 2.0
    if len(scores) < _FEW:
        return half
    error = float(best.worths.std()) / math.sqrt(len(best.worths))
    spread = float(np.std([score.value for score in scores], ddof=1))
    return min(half, _MEAN_ABOVE * max(spread, error))


def why_stopped(
    tried: Sequence[Tried], *, requests: float, cost_per_hour: float, currency: str
) -> Mapping[str, Any]:
    """Why a search stopped, and what going on would have been worth, as plain values.

    Args:
        tried: All candidates.
        requests: Over the horizon.
        cost_per_hour: Of waiting and of the machine.
        currency: Of all money.

    Example:
        >>> why_stopped([], requests=1.0, cost_per_hour=0.0, currency="EUR")["sentence"]
        'The search stopped because nothing was left to try.'
    """
    held = [(one.candidate.name, one.held_back) for one in tried if one.held_back is not None]
    by = next((kind for kind in ("minutes", "worth") if any(h.by == kind for _, h in held)), "end")
    told: dict[str, Any] = {"stopped_by": by, "cost_per_hour": cost_per_hour, "next": None}
    if by == "end":
        told["sentence"] = "The search stopped because nothing was left to try."
        return told
    mine = [(name, h) for name, h in held if h.by == by]
    name, work = min(mine, key=lambda pair: pair[1].seconds)
    cost = work.seconds * cost_per_hour / 3600.0
    gain = None if work.gain is None else work.gain * requests
    told["next"] = {"candidate": name, "seconds": work.seconds, "gain": gain, "cost": cost}
    spent = format_money(cost, currency)
    brings = "not known" if gain is None else format_money(gain, currency)
    if by == "worth":
        told["sentence"] = (
            f"The search stopped because it would not have paid to go on: {name} was expected to "
            f"bring {brings} over the horizon and would have cost {spent}."
        )
    else:
        n = len(mine)
        told["sentence"] = (
            f"The search stopped because the minutes ran out before {n} "
            f"candidate{'s' if n > 1 else ''}: {name} needs {work.seconds:.0f} s more, which cost "
            f"{spent}; what it may bring over the horizon: {brings}."
        )
    return told
