from __future__ import annotations

import numpy as np
import pytest
from tests.learn.watching.requests_of import POLICY, requests_of

from payoff.core.errors import ServiceError
from payoff.economics.value_tables import ValueTables
from payoff.learn.watching.window import Window


def test_worth_is_the_sum_over_labels() -> None:
    window = requests_of(60, 3)
    for i in range(60):
        outcomes = [POLICY.values[label, window.actions[i]] for label in range(4)]
        p = window.probabilities[i]
        mean = sum(p[j] * outcomes[j] for j in range(4))
        assert window.expected[i] == pytest.approx(mean)
        spread = sum(p[j] * (outcomes[j] - mean) ** 2 for j in range(4))
        assert window.variance[i] == pytest.approx(spread, abs=1e-9)
        assert window.truth is not None
        assert window.realised[i] == outcomes[window.truth[i]]
        assert window.sureness[i] == pytest.approx(sum(x * np.log(x) for x in p))


def test_a_segment_counts_by_its_own_amounts() -> None:
    general = np.array([[3.0, -7.0, -1.0], [-7.0, 3.0, -1.0]])
    window = Window(
        probabilities=np.array([[0.5, 0.5], [0.5, 0.5]]),
        actions=np.array([0, 0]),
        tables=ValueTables(general, {"clinics": 10 * general}),
        segments=np.array(["", "clinics"]),
        truth=np.array([0, 1]),
    )
    assert window.expected.tolist() == [-2.0, -20.0]
    assert window.realised.tolist() == [3.0, -70.0]


def test_money_that_somebody_knows_counts_before_the_label() -> None:
    window = requests_of(5, 0)
    paid = np.array([np.nan, 8.0, np.nan, np.nan, -1.0])
    told = Window(
        probabilities=window.probabilities,
        actions=window.actions,
        tables=window.tables,
        truth=window.truth,
        known_worth=paid,
    )
    assert told.realised[[1, 4]].tolist() == [8.0, -1.0]
    assert told.realised[0] == window.realised[0]


def test_rows_keeps_what_belongs_together() -> None:
    window = requests_of(20, 0)
    some = window.rows(np.array([3, 7]), days=0.5)
    assert len(some) == 2
    assert some.per_day == 4
    assert some.realised.tolist() == window.realised[[3, 7]].tolist()
    assert len(window.rows(np.arange(20) < 4)) == 4


@pytest.mark.parametrize(
    "wrong",
    [
        {"actions": np.array([0, 9])},
        {"probabilities": np.ones((2, 3)) / 3},
        {"truth": np.array([0, 4])},
        {"costs": np.zeros(3)},
        {"texts": ("one",)},
        {"days": 0.0},
    ],
)
def test_what_does_not_fit_is_refused(wrong: dict[str, object]) -> None:
    parts = {
        "probabilities": np.full((2, 4), 0.25),
        "actions": np.array([0, 4]),
        "tables": POLICY.tables,
    }
    with pytest.raises(ServiceError, match="PF751"):
        Window(**(parts | wrong))  # type: ignore[arg-type]
