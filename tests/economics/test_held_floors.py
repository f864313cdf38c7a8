"""Held floors: proved as stated, at the highest worth, and honest where they cannot be."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from payoff.core.errors import EconomicsError, ProjectError
from payoff.economics.floor import Floor
from payoff.economics.held_floors import (
    STEPS,
    confirm_floors,
    floor_policy,
    hold_floors,
    proved_steps,
)
from payoff.economics.outcome import realised
from payoff.economics.payoff import Payoff
from payoff.economics.policy import Policy

LABELS = ("a", "b", "c")
WORTH = Payoff(correct=3.20, wrong=-7.50, handoff=-4.10, currency="USD")
PLAIN = Policy.from_payoff(WORTH, LABELS)
Array = NDArray[np.float64]


def world(seed: int, n: int, k: int = 3) -> tuple[Array, NDArray[np.int64]]:
    """Calibrated probabilities, and truths drawn from them."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(k, 0.25), n)
    truth = (p.cumsum(axis=1) < rng.random(n)[:, None]).sum(axis=1)
    return p, np.minimum(truth, k - 1)


def wrong(policy: Policy, p: Array, truth: NDArray[np.int64]) -> NDArray[np.bool_]:
    actions = policy.decide(p).actions
    return (actions != truth) & (actions < len(policy.labels))


def test_a_floor_that_holds_already_changes_nothing() -> None:
    p, truth = world(0, 400)
    held = hold_floors(PLAIN, [Floor(None, at_most=0.9)], p, truth)
    assert held.policy is PLAIN
    assert held.penalty == 0.0
    assert (held.value, held.handed_share) == (held.value_before, held.handed_share_before)


def test_figures_are_those_of_the_rows() -> None:
    p, truth = world(1, 800)
    held = hold_floors(PLAIN, [Floor(None, at_most=0.05)], p, truth)
    found = held.floors[0]
    errors = wrong(held.policy, p, truth)
    assert (found.n, found.errors) == (800, errors.sum())
    assert found.errors_before == wrong(PLAIN, p, truth).sum() > found.errors
    assert found.bound == pytest.approx(stats.beta.ppf(0.95, found.errors + 1, 800 - found.errors))
    assert errors.mean() < found.bound <= 0.05
    actions = held.policy.decide(p).actions
    assert held.value == pytest.approx(realised(PLAIN.values, truth, actions).mean())
    assert held.handed_share == pytest.approx((actions == 3).mean())
    assert held.handed_share > held.handed_share_before


def test_the_policy_keeps_its_floor_through_a_file() -> None:
    p, truth = world(1, 800)
    held = hold_floors(PLAIN, [Floor(None, at_most=0.05)], p, truth).policy
    document = json.loads(json.dumps(held.to_dict()))
    again = Policy.from_dict(document)
    assert document["format"] == 2
    np.testing.assert_array_equal(again.decide(p).actions, held.decide(p).actions)
    # values told are worth, never what is counted in choosing
    acting = again.decide(p)
    expected = again.expected_values(p)[np.arange(len(p)), acting.actions]
    np.testing.assert_allclose(acting.values, expected)


def test_only_one_label_is_handed_over_more() -> None:
    p, truth = world(2, 3000)
    held = hold_floors(PLAIN, [Floor("a", at_most=0.02)], p, truth)
    before, after = PLAIN.decide(p).actions, held.policy.decide(p).actions
    of_a = truth == 0
    assert wrong(held.policy, p, truth)[of_a].mean() <= 0.02
    moved = before != after
    assert moved.any()
    assert not moved[p[:, 0] < 1e-9].any()
    assert set(after[moved]) <= {0, 3}, "what moved is handed over, or acted on as that label"


def test_wrong_actions_are_counted_among_actions() -> None:
    p, truth = world(3, 3000)
    floor = Floor("b", "wrong action", at_most=0.08)
    held = hold_floors(PLAIN, [floor], p, truth)
    acted = held.policy.decide(p).actions == 1
    found = held.floors[0]
    assert (found.n, found.errors) == (acted.sum(), (truth[acted] != 1).sum())
    assert found.errors / found.n < 0.08
    assert found.errors_before / found.n_before > found.errors / found.n


def test_several_floors_hold_together() -> None:
    p, truth = world(4, 4000)
    floors = [Floor("a", at_most=0.02), Floor(None, "wrong action", at_most=0.08, confidence=0.9)]
    held = hold_floors(PLAIN, floors, p, truth)
    for found in held.floors:
        assert found.errors / found.n < found.floor.at_most
        assert found.bound <= found.floor.at_most
    single = [hold_floors(PLAIN, [floor], p, truth).value for floor in floors]
    assert held.value <= min(single) + 1e-9


def test_no_safe_policy_is_worth_more() -> None:
    p, truth = world(5, 600)
    floor = Floor(None, at_most=0.06)
    held = hold_floors(PLAIN, [floor], p, truth)
    family = [floor_policy(PLAIN, [floor], step) for step in STEPS]
    actions = np.stack([one.decide(p).actions for one in family])
    safe = proved_steps(floor, LABELS, truth, actions)
    expected = np.array([one.decide(p).values.mean() for one in family])
    assert held.policy.decide(p).values.mean() == pytest.approx(expected[safe].max())
    assert (np.diff(expected) >= -1e-9).all(), "the bolder, the more is expected"
    np.testing.assert_array_equal(actions[np.flatnonzero(safe)[-1]], held.policy.decide(p).actions)
    assert family[-1] is PLAIN


def test_the_sequence_stops_at_the_first_that_is_not_proved() -> None:
    """400 rows, 1 %: 0 errors are proof (0.99^400 = 1.8 %), 1 error is none (9 %)."""
    truth = np.zeros(400, dtype=np.int64)
    rows = np.full((4, 400), 3)
    rows[1, 0] = rows[2, 0] = 1
    floor = Floor("a", at_most=0.01)
    assert proved_steps(floor, LABELS, truth, rows).tolist() == [True, False, False, False]


def test_in_the_mean_by_hand() -> None:
    """Conformal risk control: (errors + 1) / (n + 1) at most 2 % with 99 rows is one error."""
    truth = np.zeros(99, dtype=np.int64)
    rows = np.full((4, 99), 3)
    rows[1, :1] = rows[2, 1:2] = 1  # another row each: two rows ever wrong on the way
    floor = Floor("a", at_most=0.02, confidence=None)
    assert proved_steps(floor, LABELS, truth, rows).tolist() == [True, True, False, False]


@pytest.mark.parametrize(
    ("floor", "n", "needed"),
    [
        (Floor("a", at_most=0.01), 200, "about 299 rows of 'a'"),
        (Floor(None, at_most=0.01), 120, "about 299 rows "),
        (Floor(None, at_most=0.01, confidence=None), 50, "about 99 rows "),
        (Floor("a", "wrong action", at_most=0.01), 300, "rows answered as 'a'"),
    ],
)
def test_too_few_rows_tell_how_many_it_takes(floor: Floor, n: int, needed: str) -> None:
    truth = np.arange(n) % 3
    p = np.eye(3)[truth] * 0.97 + 0.01
    with pytest.raises(EconomicsError, match=f"PF640.*{needed}"):
        hold_floors(PLAIN, [floor], p, truth)


def test_a_model_that_errs_while_it_is_sure_cannot_promise() -> None:
    truth = np.zeros(1000, dtype=np.int64)
    p = np.tile([0.0, 1.0, 0.0], (1000, 1))
    with pytest.raises(EconomicsError, match=r"PF640.*1000 errors in 1000.*do not help"):
        hold_floors(PLAIN, [Floor("a", at_most=0.1)], p, truth)


def test_a_label_that_is_never_acted_on_needs_rows_and_no_better_model() -> None:
    p, truth = np.tile([0.1, 0.8, 0.1], (100, 1)), np.ones(100, dtype=np.int64)
    floor = Floor("a", "wrong action", at_most=0.1)
    # 5 % over three starts: 0.9 ** 39 = 1.64 %
    with pytest.raises(EconomicsError, match=r"PF640.*0 errors in 0.*about 39 rows answered as"):
        hold_floors(PLAIN, [floor], p, truth)


def test_a_label_nobody_knows() -> None:
    p, truth = world(0, 50)
    with pytest.raises(ProjectError, match="PF203"):
        hold_floors(PLAIN, [Floor("z", at_most=0.1)], p, truth)


def test_floors_that_no_policy_holds_together() -> None:
    """All of one kind proved only where nothing is answered, the other only where much is."""
    truth = np.zeros(400, dtype=np.int64)
    p = np.full((400, 3), 0.02)
    p[:, 0] = 0.96
    p[:40] = [0.06, 0.9, 0.04]  # 40 wrong as sure as can be told apart only by handing over
    floors = [Floor("a", at_most=0.01), Floor(None, "wrong action", at_most=0.05)]
    try:
        held = hold_floors(PLAIN, floors, p, truth)
    except EconomicsError as error:
        assert error.code == "PF640"  # noqa: PT017
    else:
        assert held.floors[0].errors <= 0


@pytest.mark.parametrize("factor", [0.25, 64.0])
def test_another_currency_changes_no_action(factor: float) -> None:
    p, truth = world(6, 800)
    floor = Floor(None, at_most=0.05)
    one = hold_floors(PLAIN, [floor], p, truth)
    other = hold_floors(Policy(LABELS, PLAIN.values * factor), [floor], p, truth)
    assert other.penalty == pytest.approx(one.penalty * factor)
    np.testing.assert_array_equal(other.policy.decide(p).actions, one.policy.decide(p).actions)


def test_relabelling_changes_nothing() -> None:
    p, truth = world(7, 800)
    order = np.array([2, 0, 1])
    floor = Floor("b", at_most=0.04)
    one = hold_floors(PLAIN, [floor], p, truth)
    names = tuple(LABELS[i] for i in order)
    other = hold_floors(
        Policy.from_payoff(WORTH, names), [floor], p[:, order], np.argsort(order)[truth]
    )
    assert other.value == pytest.approx(one.value)
    assert (other.floors[0].n, other.floors[0].errors) == (one.floors[0].n, one.floors[0].errors)


def test_a_looser_floor_is_never_worth_less() -> None:
    p, truth = world(8, 600)
    worths = [
        hold_floors(PLAIN, [Floor(None, at_most=at)], p, truth).value
        for at in (0.02, 0.04, 0.08, 0.16)
    ]
    assert worths == sorted(worths)


@pytest.mark.parametrize("kind", ["missed", "wrong action"])
def test_holds_with_its_confidence_over_many_draws(kind: str) -> None:
    """A small version of benchmarks/guarantee.py: 80 draws, 80 % confidence, another mix too."""
    p, truth = world(9, 3000)
    shift = np.array([3.0, 1.0, 0.5])
    likely = shift[truth] / shift[truth].sum()
    policy = Policy(LABELS, PLAIN.values, shift)
    floor = Floor(None, kind, at_most=0.1, confidence=0.8)  # type: ignore[arg-type]
    rng = np.random.default_rng(0)
    broken = promised = 0
    for draw in range(80):
        rows = rng.integers(0, len(p), 400)
        try:
            held = hold_floors(policy, [floor], p[rows], truth[rows], seed=draw)
        except EconomicsError:
            continue
        actions = held.policy.decide(p).actions
        counted = floor.counted(LABELS, truth, actions)
        errors = likely[floor.cells(LABELS)[truth, actions]].sum()
        broken += bool(errors > floor.at_most * likely[counted].sum())
        promised += 1
    assert promised > 60
    # 20 % of 80 may break, three standard errors on top: 0.2 · 80 + 3 · sqrt(80 · 0.16)
    assert broken <= 16 + 10
    assert broken > 0, "a promise that never breaks hands over too much"


@pytest.mark.parametrize(
    ("n", "errors", "confidence", "status"),
    [
        (400, 0, 0.95, "passed"),  # 0.99 ** 400 = 1.8 %
        (400, 1, 0.95, "failed"),  # 9 %
        (200, 0, 0.95, "not checked"),  # 13 %: no number of errors could prove it
        (200, 3, 0.95, "failed"),  # more than 1 % whatever one can be sure of
        (150, 0, None, "passed"),  # 1 / 151
        (150, 1, None, "failed"),  # 2 / 151
        (90, 0, None, "not checked"),  # 1 / 91
    ],
)
def test_a_finished_policy_is_tested_once(
    n: int, errors: int, confidence: float | None, status: str
) -> None:
    truth = np.zeros(n, dtype=np.int64)
    p = np.tile([0.98, 0.01, 0.01], (n, 1))
    p[:errors] = [0.01, 0.98, 0.01]
    finding = confirm_floors(PLAIN, [Floor("a", at_most=0.01, confidence=confidence)], p, truth)[0]
    assert (finding.code, finding.status.value, finding.n_affected) == ("PF680", status, errors)
    assert f"{errors} of {n} test rows" in finding.detail
    assert bool(finding.mend) == (status != "passed")
