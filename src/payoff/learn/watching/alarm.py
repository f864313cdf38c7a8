"""Alarm: whether a loss is sure, at whatever moment somebody looks."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from payoff.learn.watching.reference import Reference
from payoff.learn.watching.window import Floats, Integers

LEVEL = 0.05
"""Share of quiet months with a false alarm, at most."""
DAYS = 30
"""A month: evidence older than this is forgotten."""

_STAKES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
_MOST_STAKE = 0.5


@dataclass(frozen=True, slots=True)
class Alarm:
    """What speaks for a loss, by a bet that gains nothing in the mean where there is none.

    Args:
        evidence: What a bet of 1 has become, in logarithm: e to it is how many times.
        needed: From where on the loss counts as sure.
        since: Day from which on betting gains most: about when the loss began; None where no
            request was looked at.

    Example:
        >>> Alarm(5.2, 4.6, 12).sure, Alarm(1.0, 4.6, None).sure
        (True, False)
    """

    evidence: float
    needed: float
    since: int | None

    @property
    def sure(self) -> bool:
        """Whether a loss is sure."""
        return self.evidence >= self.needed


def worth_alarm(worths: Floats, days: Integers, reference: Reference) -> Alarm:
    """Whether requests are expected to be worth less than in the quiet period.

    Args:
        worths: Expected worth of each request, costs taken off, ``(n,)``, in order of time.
        days: Day of each, ``(n,)``, never falling.
        reference: The quiet period; how well it is known itself takes a tenth of the level.

    Example:
        >>> from payoff.economics.value_tables import ValueTables
        >>> from payoff.learn.watching.window import Window
        >>> tables = ValueTables(np.array([[3.0, -7.0, -1.0], [-7.0, 3.0, -1.0]]))
        >>> p = np.tile([[0.9, 0.1], [0.2, 0.8]], (500, 1))
        >>> quiet = Window(probabilities=p, actions=p.argmax(axis=1), tables=tables)
        >>> reference = Reference.of(quiet, ("billing", "refund"))
        >>> days = np.repeat(np.arange(10), 100)
        >>> worth_alarm(quiet.expected, days, reference).sure
        False
        >>> worth_alarm(quiet.expected - 0.8 * (days > 5), days, reference)
        Alarm(evidence=..., needed=4.60..., since=6)
    """
    known = _z(0.1) * reference.expected_sd / reference.n**0.5
    held = reference.expected - reference.cost - known - reference.least_gap
    return _alarm(held - worths, days, reference.expected_sd, reference.most - held)


def label_alarm(gaps: Floats, days: Integers, reference: Reference) -> Alarm:
    """Whether labelled requests earn less than their probabilities said: a changed meaning.

    It compares each labelled request with its own probabilities, so that it does not matter that
    people are shown the unsure ones more often, as far as the model is calibrated for these too.

    Args:
        gaps: What each labelled request earned less what was expected of it, ``(m,)``, in order
            of the labels' arrival.
        days: Day on which each label came, ``(m,)``, never falling.
        reference: The quiet period.

    Example:
        >>> from payoff.economics.value_tables import ValueTables
        >>> from payoff.learn.watching.window import Window
        >>> tables = ValueTables(np.array([[3.0, -7.0, -1.0], [-7.0, 3.0, -1.0]]))
        >>> p = np.tile([[0.9, 0.1], [0.1, 0.9]], (500, 1))
        >>> quiet = Window(probabilities=p, actions=p.argmax(axis=1), tables=tables)
        >>> reference = Reference.of(quiet, ("billing", "refund"))
        >>> days = np.repeat(np.arange(10), 10)
        >>> wrong = np.where(np.arange(100) % 10 < 4, -9.0, 1.0)  # four of ten instead of one
        >>> label_alarm(wrong, days, reference).sure
        True
    """
    held = reference.bias - _z(0.1) * reference.bias_se - reference.least_gap
    spread = reference.outcome_sd
    return _alarm(held - gaps, days, spread, max(reference.most_gap - held, spread))


def _z(share: float) -> float:
    return NormalDist().inv_cdf(1 - share * LEVEL)


def _alarm(shortfalls: Floats, days: Integers, spread: float, most: float) -> Alarm:
    """Bets on shortfalls above 0, begun on every day of the last month.

    A bet that begins on a day multiplies by ``1 + stake · shortfall`` at each request, so that it
    gains nothing in the mean unless requests fall short, and stays above 0. Where there is no loss
    it ever reaches ``1 / level`` with probability ``level`` at most, however often one looks
    (Ville 1939; Waudby-Smith and Ramdas 2024, "Estimating means of bounded random variables by
    betting", JRSS B 86(1)). Its mean over several stakes and over the days of the last month is
    such a bet again, so that a loss that begins late is not missed for bets lost before (Shin,
    Ramdas and Rinaldo 2023, "E-detectors"). A look of a month rests on bets of the two months
    before it, which doubles the mark.

    Args:
        shortfalls: ``(n,)``, at least ``-most``.
        days: ``(n,)``, never falling.
        spread: Standard deviation of the shortfalls, about.
        most: The largest surplus there can be.
    """
    needed = float(np.log(2 / (0.4 * LEVEL)))
    if not len(shortfalls):
        return Alarm(0.0, needed, None)
    stakes = np.minimum(np.array(_STAKES) / max(spread, 1e-9), _MOST_STAKE / max(most, 1e-9))
    recent = days > days[-1] - DAYS
    begins = np.flatnonzero(np.diff(days[recent], prepend=days[recent][0] - 1))
    gains = np.log1p(np.multiply.outer(stakes, shortfalls[recent]))
    by_day = np.add.reduceat(gains, begins, axis=1)
    since_day = by_day[:, ::-1].cumsum(axis=1)[:, ::-1]  # of a bet that began on that day
    top = float(since_day.max())
    # Days without requests have bets too, which are still at 1.
    idle = DAYS * len(stakes) - since_day.size
    total = np.exp(since_day - top).sum() + idle * np.exp(-top)
    evidence = top + float(np.log(total / (DAYS * len(stakes))))
    start = int(since_day.max(axis=0).argmax())
    return Alarm(evidence, needed, int(days[recent][begins[start]]))
