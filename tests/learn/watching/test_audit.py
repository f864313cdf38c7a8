from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.learn.watching.requests_of import requests_of

from payoff.learn.watching.audit import audit_sample, audited_mean, inclusions


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 150))
def test_chances_add_up_and_leave_out_what_is_worth_the_same(seed: int, n_labels: int) -> None:
    window = requests_of(100, seed)
    chances = inclusions(window, n_labels)
    at_stake = window.actions < 4
    assert chances.sum() == pytest.approx(min(n_labels, at_stake.sum()))
    assert ((chances >= 0) & (chances <= 1 + 1e-12)).all()
    assert not chances[~at_stake].any()
    if 0 < n_labels < at_stake.sum():
        assert (chances[at_stake] > 0).all()


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.integers(0, 10**6))
def test_as_many_as_the_chances_add_up_to(chances: list[float], seed: int) -> None:
    taken = audit_sample(np.array(chances), seed=seed)
    assert abs(len(taken) - sum(chances)) < 1 + 1e-9
    assert sorted(set(taken.tolist())) == taken.tolist()


def test_each_is_taken_as_often_as_its_chance_says() -> None:
    chances = np.array([1.0, 0.5, 0.25, 0.25, 0.0, 0.7, 0.3])
    counts = np.zeros(7)
    for seed in range(4000):
        counts[audit_sample(chances, seed=seed)] += 1
    assert counts / 4000 == pytest.approx(chances, abs=0.03)


def restated(
    gaps: list[float | None], chances: list[float], groups: list[int], counted: list[bool]
) -> float:
    """The mean, in loops: what each is expected to have, and what the others lack of it."""
    rows = [i for i, gap in enumerate(gaps) if gap is not None and chances[i] > 0 and counted[i]]
    size = sum(counted)
    if not rows:
        return 0.0
    raw = {i: 1 / chances[i] for i in rows}
    weight = {i: raw[i] * size / sum(raw.values()) for i in rows}
    mean = sum(weight[i] * float(gaps[i] or 0) for i in rows) / size
    off = {i: float(gaps[i] or 0) - mean for i in rows}
    members = {g: [i for i in rows if groups[i] == g] for g in {groups[i] for i in rows}}
    between_sum = sum(sum(off[i] for i in own) ** 2 / len(own) for own in members.values())
    m, k = len(rows), len(members)
    pull = None
    if k > 1 and m > k:
        within = (sum(one**2 for one in off.values()) - between_sum) / (m - k)
        between = (between_sum - sum(off.values()) ** 2 / m) / (k - 1)
        per = (m - sum(len(own) ** 2 for own in members.values()) / m) / (k - 1)
        if (between - within) / per > 1e-12:
            pull = max(within, 0.0) * per / (between - within)
    total = size * mean
    for i in range(len(gaps)):
        if not counted[i]:
            continue
        others = [j for j in members.get(groups[i], []) if j != i]
        expected = 0.0
        if others and pull is not None:
            expected = sum(off[j] for j in others) / (len(others) + pull)
        total += expected
        if i in weight:
            total += weight[i] * (off[i] - expected)
    return total / len(gaps)


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 40))
def test_the_mean_restated(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 4, n)
    gaps = rng.normal(size=n) + np.array([-9.0, 0.0, 0.0, 5.0])[groups]
    chances = np.where(rng.random(n) < 0.6, rng.uniform(0.05, 1.0, n), 0.0)
    known = (chances > 0) | (rng.random(n) < 0.3)
    counted = rng.random(n) < 0.8
    found = audited_mean(np.where(known, gaps, np.nan), chances, groups, counted)
    told = [float(gap) if is_known else None for gap, is_known in zip(gaps, known, strict=True)]
    again = restated(told, chances.tolist(), groups.tolist(), counted.tolist())
    assert found[0] == pytest.approx(again, abs=1e-9)
    assert found[1] >= 0


def test_the_mean_is_right_on_average_and_its_error_told() -> None:
    rng = np.random.default_rng(0)
    n = 600
    groups = rng.integers(0, 8, n)
    gaps = rng.normal(size=n) * 2 - 6.0 * (groups < 2)
    chances = np.clip(rng.uniform(0.02, 0.3, n) + 0.3 * (groups < 1), 0, 1)
    counted = np.ones(n, dtype=bool)
    off, plain, errors = [], [], []
    for seed in range(400):
        drawn = audit_sample(chances, seed=seed)
        told, asked = np.full(n, np.nan), np.zeros(n)
        told[drawn], asked[drawn] = gaps[drawn], chances[drawn]
        mean, squared = audited_mean(told, asked, groups, counted)
        off.append(mean - gaps.mean())
        errors.append(squared)
        plain.append(gaps[drawn].mean() - gaps.mean())
    spread = float(np.std(off))
    assert abs(np.mean(off)) < 3.5 * spread / 20
    assert abs(np.mean(plain)) > 0.5
    assert 0.75 < float(np.sqrt(np.mean(errors))) / spread < 1.35
