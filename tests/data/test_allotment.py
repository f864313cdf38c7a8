"""Allotment of rows to parts."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from payoff.data.allotment import (
    TEST,
    TRAIN,
    VALIDATION,
    allot_by_class,
    allot_groups,
    allot_times,
)

FRACTIONS = (0.15, 0.15)


@settings(max_examples=60)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.integers(0, 5))
def test_each_class_is_cut_in_proportion(sizes: list[int], seed: int) -> None:
    targets = [f"c{i}" for i, size in enumerate(sizes) for _ in range(size)]
    texts = [f"text {i}" for i in range(len(targets))]
    part = allot_by_class(texts, targets, np.arange(len(texts)), FRACTIONS, seed)
    for i, size in enumerate(sizes):
        own = part[[target == f"c{i}" for target in targets]]
        expected = max(1, round(0.15 * size)) if size >= 3 else 0
        assert (own == VALIDATION).sum() == expected
        assert (own == TEST).sum() == expected


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 8), st.sampled_from("xyz")), min_size=1, max_size=40),
    st.randoms(),
)
def test_clusters_stay_whole_in_whatever_order(rows: list[tuple[int, str]], random: object) -> None:
    texts = [f"{cluster}-{i}" for i, (cluster, _) in enumerate(rows)]
    order = list(range(len(rows)))
    random.shuffle(order)  # type: ignore[attr-defined]
    parts = []
    for chosen in (list(range(len(rows))), order):
        part = allot_by_class(
            [texts[i] for i in chosen],
            [rows[i][1] for i in chosen],
            np.array([rows[i][0] for i in chosen]),
            FRACTIONS,
            3,
        )
        parts.append({texts[i]: int(number) for i, number in zip(chosen, part, strict=True)})
    assert parts[0] == parts[1]
    for cluster in {cluster for cluster, _ in rows}:
        held = {parts[0][text] for text in texts if text.startswith(f"{cluster}-")}
        assert len(held) == 1


def test_a_cluster_larger_than_the_share_goes_to_training() -> None:
    clusters = np.array([0] * 80 + list(range(1, 21)))
    part = allot_by_class([str(i) for i in range(100)], ["y"] * 100, clusters, FRACTIONS, 0)
    assert set(part[:80]) == {TRAIN}
    assert (part == TEST).sum() in range(8, 16)


def test_clusters_that_all_exceed_the_share_still_reach_every_part() -> None:
    clusters = np.repeat([0, 1, 2], 30)
    part = allot_by_class([str(i) for i in range(90)], ["y"] * 90, clusters, FRACTIONS, 0)
    assert np.bincount(part).tolist() == [30, 30, 30]


def test_without_a_test_fraction_nothing_is_tested() -> None:
    part = allot_by_class([str(i) for i in range(10)], ["y"] * 10, np.arange(10), (0.2, 0.0), 0)
    assert np.bincount(part).tolist() == [8, 2]
    part = allot_groups([str(i) for i in range(10)], ["t"] * 10, ["y"] * 10, (0.2, 0.0), 0)
    assert np.bincount(part).tolist() == [8, 2]
    assert allot_times(np.arange(10.0), (0.2, 0.0)).tolist() == [0] * 8 + [1] * 2


def test_seeds_differ() -> None:
    texts = [str(i) for i in range(50)]
    cut = [
        allot_by_class(texts, ["y"] * 50, np.arange(50), FRACTIONS, seed).tolist()
        for seed in (0, 0, 1)
    ]
    assert cut[0] == cut[1] != cut[2]


def test_groups_stay_whole_and_near_the_shares() -> None:
    rng = np.random.default_rng(0)
    groups = [str(g) for g in rng.integers(0, 150, 3000)]
    targets = [str(c) for c in rng.integers(0, 5, 3000)]
    part = allot_groups(groups, [str(i) for i in range(3000)], targets, FRACTIONS, 0)
    assert all(len(set(part[np.array(groups) == group])) == 1 for group in set(groups))
    for label in set(targets):
        own = part[np.array(targets) == label]
        assert abs((own == TEST).mean() - 0.15) < 0.03
        assert abs((own == VALIDATION).mean() - 0.15) < 0.03


def test_three_groups_of_any_size_reach_three_parts() -> None:
    groups = ["big"] * 98 + ["small", "tiny"]
    part = allot_groups(groups, [str(i) for i in range(100)], ["y"] * 100, FRACTIONS, 0)
    assert set(part) == {TRAIN, VALIDATION, TEST}
    assert set(part[:98]) == {TRAIN}


def test_two_groups_leave_a_part_empty() -> None:
    part = allot_groups(["a", "a", "b"], ["1", "2", "3"], ["y"] * 3, FRACTIONS, 0)
    assert len(set(part)) == 2


def test_rows_without_a_group_stand_alone() -> None:
    part = allot_groups([""] * 20, [str(i) for i in range(20)], ["y"] * 20, FRACTIONS, 0)
    assert np.bincount(part).tolist() == [14, 3, 3]


def test_rows_of_one_moment_stay_together() -> None:
    assert allot_times(np.array([1.0, 1.0, 1.0, 2.0]), (0.25, 0.25)).tolist() == [0, 0, 0, 2]
    assert allot_times(np.array([1.0, 2.0]), (0.25, 0.25)).tolist() == [1, 2]
