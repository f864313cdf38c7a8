from __future__ import annotations

import numpy as np
import pytest

from payoff.economics.floor import Floor
from payoff.economics.payoff import Payoff
from payoff.economics.policy import Policy
from payoff.evidence.quality import measure_quality
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
    assert not np.allclose(fitted, judge.calibrated(logits).calibration.apply(logits), atol=1e-6)
    assert judge.score(logits).value == pytest.approx(judge.worths(fitted).mean())
    # Two folds: two temperatures, and each row's odds are its logits over one of them.
    odds = np.log(fitted[:, 0] / fitted[:, 1]) / (logits[:, 0] - logits[:, 1])
    assert len(np.unique(odds.round(6))) == 2
    # So sure and so often wrong: acting on the raw probabilities would lose more.
    raw = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert judge.score(logits).value > judge.worths(raw.astype(np.float64)).mean()


def test_many_rows_are_given_the_calibration_that_suits_them() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(-3, 3, 3000)
    truth = (rng.random(3000) < np.where(x > 1, 0.9, np.where(x > -1, 0.55, 0.05))).astype(int)
    logits = np.column_stack([np.zeros(3000), x]).astype(np.float32)
    judge = judge_of(truth.tolist())
    found = judge.calibrated(logits)
    assert found.calibration.method == found.report.method != "temperature"
    plain = judge.cross_fitted(logits)
    losses = [measure_quality(p, truth).log_loss for p in (found.probabilities, plain)]
    assert losses[0] < losses[1]


def test_floors_and_people_are_kept_by_another_policy() -> None:
    rng = np.random.default_rng(0)
    p = rng.dirichlet([0.4, 0.4], 600)
    truth = (rng.random(600) < p[:, 1]).astype(np.int64)
    judge = judge_of(truth.tolist())
    assert judge.held(p).policy is judge.policy
    careful = judge.held(p, [Floor("a", at_most=0.05)])
    of_a = truth == 0
    before, after = (one.policy.decide(p).actions for one in (judge, careful))
    assert (after[of_a] == 1).mean() < 0.05 < (before[of_a] == 1).mean()
    busy = judge.held(p, most_handed=0.05)
    assert (before == 2).mean() > 0.05 >= (busy.policy.decide(p).actions == 2).mean()
    # what is promised comes before what people can take
    both = judge.held(p, [Floor("a", at_most=0.05)], most_handed=0.05)
    kept = both.policy.decide(p).actions
    assert (kept[of_a] == 1).mean() < 0.05 < (kept == 2).mean()
    # worth is counted as ever
    np.testing.assert_array_equal(both.policy.values, judge.policy.values)
