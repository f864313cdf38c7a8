"""What held-out rows tell apart, by worth and by log loss."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from payoff.plan.score import Score, foremost

N = 1000


def noisy(mean: float, spread: float, seed: int) -> NDArray[np.float64]:
    """Rows whose mean is just ``mean``."""
    rows = np.random.default_rng(seed).normal(size=N) * spread
    return rows - rows.mean() + mean


def test_means() -> None:
    score = Score(np.array([3.0, -6.0]), np.array([0.5, 1.5]))
    assert (score.value, score.loss) == (-1.5, 1.0)


@pytest.mark.parametrize(("spread", "clear"), [(1.0, False), (0.1, True)])
def test_worth_behind_by_more_than_chance(spread: float, clear: bool) -> None:
    """0.05 behind; two standard errors are 0.063 or 0.0063."""
    rows, same = noisy(0.0, 1.0, 0), np.full(N, 0.3)
    best, other = Score(rows, same), Score(rows - 0.05 + noisy(0.0, spread, 1), same)
    assert other.clearly_behind(best) is clear
    assert not best.clearly_behind(other)
    assert not best.clearly_behind(best)


def test_log_loss_tells_what_worth_does_not() -> None:
    rows = noisy(0.0, 1.0, 0)
    sure = Score(rows, noisy(0.25, 0.1, 1))
    unsure = Score(rows - 0.01 + noisy(0.0, 1.0, 2), noisy(0.30, 0.1, 3))
    assert unsure.clearly_behind(sure)
    assert not sure.clearly_behind(unsure)


def test_log_loss_against_a_higher_worth_tells_nothing() -> None:
    rows = noisy(0.0, 1.0, 0)
    sure = Score(rows, noisy(0.25, 0.1, 1))
    worth_more = Score(rows + 0.01 + noisy(0.0, 1.0, 2), noisy(0.30, 0.1, 3))
    assert not worth_more.clearly_behind(sure)
    assert not sure.clearly_behind(worth_more)


def test_the_foremost() -> None:
    rows = noisy(0.0, 1.0, 0)
    clearly_worst = Score(rows - 1.0, noisy(0.1, 0.01, 1))
    worth_most = Score(rows + 0.01 + noisy(0.0, 1.0, 2), noisy(0.30, 0.1, 3))
    surest = Score(rows, noisy(0.25, 0.1, 4))
    assert foremost([clearly_worst, worth_most, surest]) == 2
    assert foremost([worth_most, clearly_worst]) == 0
    assert foremost([Score(rows, rows), Score(rows, rows)]) == 0


def test_equal_log_loss_leaves_the_worth_to_decide() -> None:
    rows, same = noisy(0.0, 1.0, 0), np.full(N, 0.3)
    assert foremost([Score(rows, same), Score(rows + 0.01 + noisy(0.0, 1.0, 2), same)]) == 1
