"""Labelled requests weighed for what comes, and the mix of labels that they tell."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payoff.core.findings import Status
from payoff.learn.kinds import Kind
from payoff.plan.retraining.population import expected_mix, mix_now, row_weights

ACTED, HANDED = Kind.of(False, 0.9), Kind.of(True, 0.4)
SURENESS = (0.2, 0.5, 0.7, 0.9, 0.97, 0.999)
KINDS = st.sampled_from([Kind.of(over, p) for over in (False, True) for p in SURENESS])


def test_what_was_labelled_counts_as_it_comes() -> None:
    weights, finding = row_weights([HANDED] * 80 + [ACTED] * 20, {ACTED: 900, HANDED: 100})
    assert weights[:80].sum() == pytest.approx(10)
    assert weights[80:].sum() == pytest.approx(90)
    assert finding.status is Status.PASSED


def test_a_kind_that_nobody_labelled_is_told() -> None:
    weights, finding = row_weights([HANDED] * 5, {ACTED: 900, HANDED: 100})
    assert finding.code == "PF778"
    assert "90% of the decisions acted" in finding.detail
    assert weights.sum() > 0
    weights, finding = row_weights([HANDED] * 5, {ACTED: 10})
    assert weights.tolist() == [1.0] * 5
    assert finding.failed


@settings(deadline=None)
@given(st.lists(KINDS, min_size=1, max_size=40), st.dictionaries(KINDS, st.integers(1, 500)))
def test_weights_come_to_what_was_asked(kinds: list[Kind], asked: dict[Kind, int]) -> None:
    asked = dict.fromkeys(kinds, 1) | asked  # what was labelled was asked
    weights, finding = row_weights(kinds, asked)
    assert (weights >= 0).all()
    total = sum(asked.values())
    for over in (False, True):
        rows = [kind.handed == over for kind in kinds]
        came = sum(n for kind, n in asked.items() if kind.handed == over)
        if any(rows):
            assert weights[rows].sum() == pytest.approx(len(kinds) * came / total)
        elif came:
            assert finding.failed


def test_people_who_label_the_unsure_ones_do_not_bend_the_mean() -> None:
    """Unsure requests go wrong oftener and are labelled oftener: weighed, the mean is the true one.

    Over 60 worlds, so that chance is far below the bias that goes away.
    """
    rng = np.random.default_rng(3)
    plain, weighed, true = [], [], []
    for _ in range(60):
        p = rng.uniform(0.5, 1.0, 2000)
        right = rng.random(2000) < p
        worth = np.where(right, 3.0, -7.0)
        labelled = rng.random(2000) < np.where(p < 0.7, 0.5, 0.05)
        every = [Kind.of(False, float(one)) for one in p]
        kinds = [kind for kind, told in zip(every, labelled, strict=True) if told]
        weights, _ = row_weights(kinds, Counter(every))
        plain.append(worth[labelled].mean())
        weighed.append(np.average(worth[labelled], weights=weights))
        true.append(worth.mean())
    assert np.mean(plain) < np.mean(true) - 0.5
    assert np.mean(weighed) == pytest.approx(np.mean(true), abs=0.1)


def test_the_mix_is_that_of_now() -> None:
    kinds = [HANDED] * 60 + [ACTED] * 60
    labels = ["new"] * 60 + ["old"] * 60
    rows = {"new": 60, "old": 940}
    mix, finding = expected_mix(None, labels, kinds, {ACTED: 800, HANDED: 200}, rows=rows)
    assert finding.status is Status.PASSED
    assert mix is not None
    # 24 and 96 of 120 by weight, and two rows of 6 and 94 %.
    assert mix["new"] == pytest.approx((24 + 2 * 0.06) / 122)
    assert sum(mix.values()) == pytest.approx(1)


def test_the_mix_is_not_guessed() -> None:
    rows, asked = {"a": 50, "b": 50}, {ACTED: 800, HANDED: 200}
    stated = {"a": 0.9, "b": 0.1}
    kept, finding = expected_mix(stated, [], [], asked, rows=rows)
    assert (kept, finding.status) == (stated, Status.NOT_APPLICABLE)
    few, finding = expected_mix(None, ["a"] * 99, [ACTED] * 99, asked, rows=rows)
    assert (few, finding.status) == (None, Status.NOT_CHECKED)
    blind, finding = expected_mix(None, ["a"] * 200, [ACTED] * 200, asked, rows=rows)
    assert (blind, finding.status) == (None, Status.NOT_CHECKED)
    assert "20% of the decisions handed over" in finding.detail
    kinds, labels = [ACTED, HANDED] * 60, ["a", "new"] * 60
    newer, finding = expected_mix(stated, labels, kinds, asked, rows=rows | {"new": 60})
    assert newer is not None
    assert set(newer) == {"a", "b", "new"}  # what is stated lacks the new label


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 10)), max_size=50),
    st.dictionaries(st.sampled_from("abc"), st.integers(1, 50), min_size=1),
)
def test_every_label_has_a_share(rows: list[tuple[str, float]], learnt: dict[str, int]) -> None:
    mix = mix_now([label for label, _ in rows], np.array([w for _, w in rows]), learnt)
    assert set(mix) == set(learnt)
    assert all(share > 0 for share in mix.values())
    assert sum(mix.values()) == pytest.approx(1)
