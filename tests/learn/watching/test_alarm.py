from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.learn.watching.requests_of import LABELS, requests_of

from payoff.learn.watching.alarm import Alarm, _alarm, label_alarm, worth_alarm
from payoff.learn.watching.reference import Reference
from payoff.learn.watching.window import Window

STAKES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4)


def by_hand(shortfalls: list[float], days: list[int], spread: float, most: float) -> float:
    """The mean of all bets, one after the other."""
    total = 0.0
    last = days[-1]
    for stake in STAKES:
        wager = min(stake / spread, 0.5 / most)
        for begin in range(last - 29, last + 1):
            if begin not in days:
                total += 1.0
                continue
            capital = 1.0
            for shortfall, day in zip(shortfalls, days, strict=True):
                if day >= begin:
                    capital *= 1 + wager * shortfall
            total += capital
    return math.log(total / (30 * len(STAKES)))


@given(
    st.lists(st.tuples(st.floats(-2, 5), st.integers(0, 3)), min_size=1, max_size=30),
    st.floats(0.5, 3),
)
@settings(deadline=None)
def test_evidence_is_the_mean_of_the_bets(made: list[tuple[float, int]], spread: float) -> None:
    shortfalls = [one for one, _ in made]
    days = np.cumsum([gap for _, gap in made]).tolist()
    alarm = _alarm(np.array(shortfalls), np.array(days), spread, 2.0)
    recent = [(s, d) for s, d in zip(shortfalls, days, strict=True) if d > days[-1] - 30]
    expected = by_hand([s for s, _ in recent], [d for _, d in recent], spread, 2.0)
    assert alarm.evidence == pytest.approx(expected, abs=1e-9)


def test_nothing_seen_is_no_evidence() -> None:
    reference = Reference.of(requests_of(1000, 0), LABELS)
    empty = worth_alarm(np.empty(0), np.empty(0, np.int64), reference)
    assert empty.needed == pytest.approx(math.log(100))
    assert empty == Alarm(0.0, empty.needed, None)


def month(seed: int, later: Window | None = None) -> tuple[int | None, int | None]:
    """Day of the first alarm by worth and by labels, in thirty looks; a change on day 10."""
    rng = np.random.default_rng(seed)
    world = requests_of(4000, 50_000)
    reference = Reference.of(world.rows(rng.choice(4000, 1000)), LABELS)
    days = np.repeat(np.arange(30), 100)
    worths, gaps, label_days = [], [], []
    for day in range(30):
        source = world if later is None or day < 10 else later
        today = source.rows(rng.choice(len(source), 100))
        worths.append(today.expected)
        shown = np.argsort(today.probabilities.max(axis=1))[:5]
        shown = np.concatenate([shown, rng.choice(100, 10)])
        gaps.append((today.realised - today.expected)[shown])
        label_days.append(np.full(len(shown), day))
    first: list[int | None] = [None, None]
    for day in range(30):
        upto = day + 1
        looks = (
            worth_alarm(np.concatenate(worths[:upto]), days[: 100 * upto], reference),
            label_alarm(np.concatenate(gaps[:upto]), np.concatenate(label_days[:upto]), reference),
        )
        for i, look in enumerate(looks):
            if look.sure and first[i] is None:
                first[i] = day
    return first[0], first[1]


def test_hardly_a_quiet_month_has_an_alarm() -> None:
    months = [month(seed) for seed in range(60)]
    assert sum(found != (None, None) for found in months) <= 3


def test_stranger_texts_are_told_soon() -> None:
    later = requests_of(4000, 60_000, sharpness=2.0)
    days = [month(seed, later)[0] for seed in range(5)]
    assert all(day is not None and 10 <= day <= 14 for day in days)


def test_a_changed_meaning_is_told_by_labels_alone() -> None:
    world = requests_of(4000, 50_000)
    assert world.truth is not None
    turned = Window(
        probabilities=world.probabilities,
        actions=world.actions,
        tables=world.tables,
        truth=np.where(np.arange(4000) % 2, (world.truth + 1) % 4, world.truth),
    )
    found = [month(seed, turned) for seed in range(5)]
    assert all(by_worth is None for by_worth, _ in found)
    assert all(by_labels is not None and by_labels <= 20 for _, by_labels in found)
