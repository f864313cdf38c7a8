"""HeldFloors: the policy of highest expected worth among those that provably keep the floors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.core.errors import EconomicsError
from payoff.core.findings import Finding, Status
from payoff.economics.binomial import binomial_tail, rows_needed, upper_bound
from payoff.economics.floor import Floor
from payoff.economics.policy import Policy
from payoff.economics.value_tables import Segments

STEPS = (*np.geomspace(1e5, 1e-3, 65).tolist(), 0.0)
"""Penalties on an error, safest first, in spreads of the payoff: fixed before any row is seen."""


@dataclass(frozen=True, slots=True)
class HeldFloor:
    """One floor and the rows that prove it.

    Args:
        floor: What was promised.
        n: Rows that its share is of.
        errors: Errors among them.
        bound: Upper bound of the share at the confidence; of its mean where none is stated.
        n_before: Rows that the share was of without the floor.
        errors_before: Errors among those.
    """

    floor: Floor
    n: int
    errors: int
    bound: float
    n_before: int
    errors_before: int


@dataclass(frozen=True, eq=False)
class HeldFloors:
    """A policy that keeps every floor.

    Args:
        policy: With the penalty among its own; as it was where none is needed.
        penalty: What each limited error counts more than it costs, money per request.
        floors: Each floor with its rows.
        value: Mean worth of a request, by the rows.
        value_before: The same without the floors: the difference is what they cost.
        handed_share: Share of the requests that are handed over, by the rows.
        handed_share_before: The same without the floors.
    """

    policy: Policy
    penalty: float
    floors: tuple[HeldFloor, ...]
    value: float
    value_before: float
    handed_share: float
    handed_share_before: float


def hold_floors(
    policy: Policy,
    floors: Sequence[Floor],
    probabilities: NDArray[np.floating[Any]],
    truth: NDArray[np.int64],
    *,
    segments: Segments | None = None,
    seed: int = 0,
) -> HeldFloors:
    """Hand over as much more as it takes to be sure of the floors.

    Each error that a floor limits is made to count ``λ`` more than it costs, which gives a family
    of policies from very careful (a large ``λ``) to as it was (0). Each one is a hypothesis "its
    share of errors is above the limit", with the exact binomial p-value of the rows. They are
    tested in an order fixed beforehand, safest first, so that with the stated confidence none is
    wrongly called safe (Angelopoulos, Bates, Candès, Jordan & Lei 2021, "Learn then test", fixed
    sequence testing; the fallback of Wiens 2003 where the safest policies do not act at all and
    prove nothing). Any choice among those called safe keeps the confidence: it is the boldest,
    since what calibrated probabilities expect of a policy never rises with ``λ``. A floor without
    a confidence is held in the mean by conformal risk control (Angelopoulos, Bates, Fisch, Lei &
    Schuster 2024, theorem 1).

    The promise is about requests that come like the rows, and a model that did not learn from them.
    Where the policy expects another mix, rows are kept with a probability in proportion to
    ``π'/π`` of their label, which makes them such requests; misses of one label need no such step.

    Args:
        policy: The policy without floors.
        floors: What must hold, all by one ``λ``; each with its own confidence.
        probabilities: Calibrated, of rows that neither trained the model nor fitted the
            calibration, shape ``(n, k)``.
        truth: Indices of their labels, ``(n,)``.
        segments: Their segments, ``(n,)``; None where none is known.
        seed: Decides which rows are kept for another mix.

    Raises:
        ProjectError: PF203 where a floor is for a label that the policy lacks.
        EconomicsError: PF640 where the rows prove none of the policies safe, with the number of
            rows that it takes; PF611 and PF614 where the rows are malformed.

    Example:
        >>> values = np.array([[1.0, -2.0, -1.0], [-2.0, 1.0, -1.0]])
        >>> p = np.array([[0.95, 0.05]] * 150 + [[0.4, 0.6]] * 20)
        >>> truth = np.array([0] * 158 + [1] * 12)  # 8 are taken for the second label
        >>> held = hold_floors(Policy(("a", "b"), values), [Floor("a", at_most=0.02)], p, truth)
        >>> held.floors[0].errors_before, held.floors[0].errors, round(held.floors[0].bound, 3)
        (8, 0, 0.019)
    """
    labels = policy.labels
    actions = _actions(policy, floors, probabilities, segments)
    safe = np.ones(len(STEPS), dtype=np.bool_)
    for floor in floors:
        rows = _rows(policy, floor, truth, seed)
        proved = proved_steps(floor, labels, truth[rows], actions[:, rows])
        if not proved.any():
            raise _unproved(floor, labels, truth[rows], actions[:, rows])
        safe &= proved
    if not safe.any():
        raise EconomicsError(
            "PF640",
            "payoff.toml [[floors]]",
            f"each of {len(floors)} floors can be held, but no policy holds all",
            expected="floors that the same careful policy can hold",
            mend="Loosen the strictest one, or label more rows.",
        )
    chosen = int(np.flatnonzero(safe)[-1])
    compared = actions[[chosen, -1]]
    weights = _weights(policy, truth)
    value, value_before = (policy.realised(truth, one, segments) @ weights for one in compared)
    handed, handed_before = (compared == len(labels)) @ weights
    return HeldFloors(
        floor_policy(policy, floors, STEPS[chosen]),
        float(STEPS[chosen] * _spread(policy)),
        tuple(_held(policy, floor, truth, compared, seed) for floor in floors),
        float(value),
        float(value_before),
        float(handed),
        float(handed_before),
    )


def confirm_floors(
    policy: Policy,
    floors: Sequence[Floor],
    probabilities: NDArray[np.floating[Any]],
    truth: NDArray[np.int64],
    *,
    segments: Segments | None = None,
    seed: int = 0,
) -> tuple[Finding, ...]:
    """Whether rows that took no part in anything prove the floors of a finished policy.

    `hold_floors` picks the policy on rows that may also have chosen the model; here one policy is
    tested once, so that nothing is spent on picking. Each finding (PF680) is *passed* where the
    bound is within the limit, *failed* where it is not, and *not checked* where so few rows could
    not prove it even without an error, and errors are not above the limit either.

    Args:
        policy: As it will be served.
        floors: What was promised.
        probabilities: Calibrated, of such rows, ``(n, k)``.
        truth: Indices of their labels, ``(n,)``.
        segments: Their segments, ``(n,)``; None where none is known.
        seed: Decides which rows are kept for another mix.

    Raises:
        ProjectError: PF203 where a floor is for a label that the policy lacks.
        EconomicsError: PF611 where the probabilities are malformed.

    Example:
        >>> policy = Policy(("a", "b"), np.array([[1.0, -2.0, -1.0], [-2.0, 1.0, -1.0]]))
        >>> p, truth = np.array([[0.9, 0.1]] * 100), np.array([0] * 100)
        >>> told = confirm_floors(policy, [Floor("a", at_most=0.05)], p, truth)[0]
        >>> told.status.value, told.detail
        ('passed', 'at most 5% of a answered as something else, with 95% confidence: 0 of 100 \
test rows, so that at most 2.95%')
    """
    actions = policy.decide(probabilities, segments).actions
    found = []
    for floor in floors:
        rows = _rows(policy, floor, truth, seed)
        n, errors = (
            int(one[0]) for one in _counts(floor, policy.labels, truth[rows], actions[None, rows])
        )
        bound, best = _bound(floor, errors, n), _bound(floor, 0, n)
        status = Status.PASSED if bound <= floor.at_most else Status.FAILED
        if best > floor.at_most and errors <= floor.at_most * n:
            status = Status.NOT_CHECKED
        detail = f"{floor}: {errors} of {n} test rows, so that at most {100 * bound:.3g}%"
        mend = "" if status is Status.PASSED else "Label more rows for the test, or loosen it."
        found.append(
            Finding(
                "PF680", "The promised floor holds", status, detail, mend=mend, n_affected=errors
            )
        )
    return tuple(found)


def _bound(floor: Floor, errors: int, n: int) -> float:
    """Upper bound of the share at the floor's confidence; of its mean where none is stated."""
    if floor.confidence is None:
        return (errors + 1) / (n + 1)
    return upper_bound(errors, n, floor.confidence)


def floor_policy(policy: Policy, floors: Sequence[Floor], step: float) -> Policy:
    """The policy that counts each limited error so much more than it costs.

    Args:
        policy: The policy without floors; it is given back where ``step`` is 0.
        floors: What limits errors.
        step: In spreads of the payoff, such as one of `STEPS`.

    Example:
        >>> values = np.array([[1.0, -2.0, -1.0], [-2.0, 1.0, -1.0]])
        >>> policy = Policy(("a", "b"), values)  # its spread is 3
        >>> floor_policy(policy, [Floor("a", at_most=0.1)], 10.0).penalties
        array([[ 0., 30.,  0.],
               [ 0.,  0.,  0.]])
    """
    return policy.penalised(step * _unit(policy, floors)) if step else policy


def _unit(policy: Policy, floors: Sequence[Floor]) -> NDArray[np.float64]:
    """One spread of the payoff for each limited error, ``(k, k+1)``."""
    unit = np.zeros_like(policy.values)
    for floor in floors:
        unit += _spread(policy) * floor.cells(policy.labels)
    return unit


def _actions(
    policy: Policy,
    floors: Sequence[Floor],
    probabilities: NDArray[np.floating[Any]],
    segments: Segments | None,
) -> NDArray[np.int64]:
    """What `floor_policy` of every step does, ``(n_steps, n)``: scores are linear in the step."""
    scores = policy.scores(probabilities, segments)
    penalties = policy.shifted(probabilities) @ _unit(policy, floors)
    return np.stack([policy.best(scores - step * penalties) for step in STEPS]).astype(np.int64)


def proved_steps(
    floor: Floor,
    labels: Sequence[str],
    truth: NDArray[np.int64],
    actions: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Which policies the rows prove to keep a floor.

    Args:
        floor: What must hold.
        labels: The ``k`` labels.
        truth: Indices of the rows' labels, ``(n,)``.
        actions: What each policy does with them, safest first, ``(n_policies, n)``.

    Returns:
        ``(n_policies,)``.

    Example:
        >>> truth, floor = np.zeros(300, dtype=np.int64), Floor("a", at_most=0.01)
        >>> actions = np.stack([np.full(300, 2), np.ones(300, dtype=np.int64)])
        >>> proved_steps(floor, ("a", "b"), truth, actions)  # hands over all, errs in all
        array([ True, False])
    """
    n, errors = _counts(floor, labels, truth, actions)
    if floor.confidence is None:
        ever = np.logical_or.accumulate(_errors(floor, labels, truth, actions), axis=0)
        told: NDArray[np.bool_] = (ever.sum(axis=1) + 1) / (n + 1) <= floor.at_most
        return np.logical_and.accumulate(told)
    return _fallback(n, errors, floor, _starts(floor, len(actions)))


def _fallback(
    n: NDArray[np.int64], errors: NDArray[np.int64], floor: Floor, starts: Sequence[int]
) -> NDArray[np.bool_]:
    """Wiens 2003: a level is handed on from what was rejected, and new ones join at the starts."""
    assert floor.confidence is not None
    proved = np.zeros(len(n), dtype=np.bool_)
    level = 0.0
    for step in range(len(n)):
        level += (1 - floor.confidence) / len(starts) if step in starts else 0.0
        unlikely = errors[step] < floor.at_most * n[step]  # else the p-value is about a half
        if unlikely and binomial_tail(int(errors[step]), int(n[step]), floor.at_most) <= level:
            proved[step] = True
        else:
            level = 0.0
    return proved


def _starts(floor: Floor, n_steps: int) -> Sequence[int]:
    """Where sequences start: at the safest, unless that one does not act at all and proves nothing.

    Then at three places, as of the limit alone: where, roughly, only requests are answered whose
    own chance of an error is below the limit, below three times the limit, and all that were.
    """
    if floor.kind == "missed":
        return (0,)
    steps = np.abs(np.subtract.outer((1 / floor.at_most, 1 / (3 * floor.at_most), 0.0), STEPS))
    return sorted({min(int(place), n_steps - 1) for place in np.argmin(steps, axis=1)})


def _errors(
    floor: Floor, labels: Sequence[str], truth: NDArray[np.int64], actions: NDArray[np.int64]
) -> NDArray[np.bool_]:
    errors: NDArray[np.bool_] = floor.cells(labels)[truth, actions]
    return errors


def _counts(
    floor: Floor, labels: Sequence[str], truth: NDArray[np.int64], actions: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows that the share is of, and errors among them, of each policy."""
    counted = floor.counted(labels, truth, actions)
    return counted.sum(axis=1), _errors(floor, labels, truth, actions).sum(axis=1)


def _spread(policy: Policy) -> float:
    """Largest difference between two amounts of the payoff; 1 where all are the same."""
    return policy.tables.spread or 1.0


def _weights(policy: Policy, truth: NDArray[np.int64]) -> NDArray[np.float64]:
    """Share of the requests to come that each row stands for, ``(n,)``."""
    shift = np.ones(len(policy.labels)) if policy.prior_shift is None else policy.prior_shift
    weights: NDArray[np.float64] = shift[truth] / shift[truth].sum()
    return weights


def _rows(policy: Policy, floor: Floor, truth: NDArray[np.int64], seed: int) -> NDArray[np.bool_]:
    """Rows that come like the requests that the floor is about."""
    shift = policy.prior_shift
    if shift is None or (floor.kind == "missed" and floor.label is not None):
        return np.ones(len(truth), dtype=np.bool_)
    kept: NDArray[np.bool_] = (
        np.random.default_rng(seed).random(len(truth)) * shift.max() < (shift[truth])
    )
    return kept


def _held(
    policy: Policy,
    floor: Floor,
    truth: NDArray[np.int64],
    actions: NDArray[np.int64],
    seed: int,
) -> HeldFloor:
    """What is told of a floor: by the chosen policy (first) and without it (second)."""
    rows = _rows(policy, floor, truth, seed)
    n, errors = _counts(floor, policy.labels, truth[rows], actions[:, rows])
    if floor.confidence is None:
        bound = (errors[0] + 1) / (n[0] + 1)
    else:
        level = (1 - floor.confidence) / len(_starts(floor, len(STEPS)))
        bound = upper_bound(int(errors[0]), int(n[0]), 1 - level)
        bound = min(bound, floor.at_most)  # a level may have grown on its way to this policy
    return HeldFloor(floor, int(n[0]), int(errors[0]), float(bound), int(n[1]), int(errors[1]))


def _unproved(
    floor: Floor, labels: Sequence[str], truth: NDArray[np.int64], actions: NDArray[np.int64]
) -> EconomicsError:
    """The error that tells how many rows it would take."""
    n, errors = _counts(floor, labels, truth, actions)
    shares = errors / np.maximum(n, 1)
    step = int(np.lexsort((-n, shares, n == 0))[0])  # the fewest errors, on the most rows
    what = "rows" if floor.label is None else f"rows of '{floor.label}'"
    if floor.kind == "wrong action":
        what = "answered rows" if floor.label is None else f"rows answered as '{floor.label}'"
    if floor.confidence is None:
        needed = int(np.ceil((1 + errors[step]) / floor.at_most)) - 1
    else:
        level = (1 - floor.confidence) / len(_starts(floor, len(actions)))
        found = rows_needed(floor.at_most, 1 - level, error_rate=float(shares[step]))
        needed = -1 if found is None else found
    seen = f"{int(errors[step])} errors in {int(n[step])} held-out {what}"
    return EconomicsError(
        "PF640",
        f"payoff.toml [[floors]]: {floor}",
        f"{seen}, at the most careful" if needed < 0 else seen,
        expected="" if needed < 0 else f"about {needed} {what} with errors as rare as that",
        mend="More rows do not help: loosen the floor, or use a better model."
        if needed < 0
        else "Label more of them, loosen the floor, or state a lower confidence.",
    )
