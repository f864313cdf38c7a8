from __future__ import annotations

import numpy as np
import pytest

from payoff.economics.payoff import Payoff
from payoff.economics.policy import Policy
from payoff.plan.judging import Judge

WORTH = Payoff(correct=2.0, wrong=-6.0, handoff=-1.0, currency="USD")


def judge_of(truth: list[int], seed: int = 0) -> Judge:
    return Judge(WORTH, Policy.from_payoff(WORTH, ("a", "b")), np.array(truth), seed)


def test_worths_by_hand() -> None:
    judge = judge_of([0, 0, 0])
    # 0.95·2 − 0.05·6 = 1.6: acts and is right. 0.6·2 − 0.4·6 = −1.2 < −1: hands over.
    # 0.9·2 − 0.1·6 = 1.2: acts and is wrong.
    probabilities = np.array([[0.95, 0.05], [0.6, 0.4], [0.1, 0.9]])
    assert judge.worths(probabilities).tolist() == [2.0, -1.0, -6.0]
    assert judge.argmax_value(probabilities) == pytest.approx((2 + 2 - 6) / 3)
    assert judge.perfect_value() == 2.0
    outcome = judge.outcome(probabilities)
    assert outcome.handed_over.tolist() == [False, True, False]
    assert outcome.gross_values.tolist() == [2.0, -1.0, -6.0]


def test_no_row_is_judged_by_a_calibration_that_knows_it() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 200)
    right = rng.random(200) < 0.6
    logits = np.zeros((200, 2), np.float32)
    logits[np.arange(200), np.where(right, truth, 1 - truth)] = rng.uniform(0.5, 2.5, 200)
    judge = judge_of(truth.tolist(), seed=3)
    fitted = judge.cross_fitted(logits)
    np.testing.assert_allclose(fitted.sum(1), 1)
    assert not np.allclose(fitted, judge.calibration(logits).apply(logits), atol=1e-6)
    assert judge.score(logits).value == pytest.approx(judge.worths(fitted).mean())
    # Two folds: two temperatures, and each row's odds are its logits over one of them.
    odds = np.log(fitted[:, 0] / fitted[:, 1]) / (logits[:, 0] - logits[:, 1])
    assert len(np.unique(odds.round(6))) == 2
    # So sure and so often wrong: acting on the raw probabilities would lose more.
    raw = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert judge.score(logits).value > judge.worths(raw.astype(np.float64)).mean()
