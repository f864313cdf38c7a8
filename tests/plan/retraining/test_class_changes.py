"""Whether classes are lost: on the same rows, and on the test rows of both runs."""

from __future__ import annotations

import numpy as np

from payoff.core.findings import Status
from payoff.plan.retraining.class_changes import ClassChange, class_changes, non_regression

KNOWN = ("a", "b")


def changes(
    truth: list[str], old: list[str], new: list[str], **runs: dict[str, tuple[int, int]]
) -> dict[str, ClassChange]:
    told = class_changes(truth, old, new, old_labels=KNOWN, new_labels=("a", "b", "c"), **runs)
    return {one.label: one for one in told}


def test_a_class_that_is_told_rightly_less_often_is_lost() -> None:
    truth = ["a"] * 30 + ["b"] * 30
    found = changes(truth, truth, ["a"] * 30 + ["a"] * 10 + ["b"] * 20)
    assert (found["a"].state, found["b"].state, found["c"].state) == ("kept", "lost", "new")
    assert found["b"].p_value == 0.5**10
    finding = non_regression(list(found.values()))
    assert finding.failed
    assert "'b' was told rightly 100% of 30 times, and now 67%" in finding.detail


def test_a_few_changes_to_both_sides_are_chance() -> None:
    truth = ["a"] * 40 + ["b"] * 40
    old = ["b"] * 3 + ["a"] * 37 + ["b"] * 40
    new = ["a"] * 36 + ["b"] * 4 + ["b"] * 40
    assert changes(truth, old, new)["a"].state == "kept"


def test_few_rows_are_not_checked_unless_the_runs_tell() -> None:
    truth = ["a"] * 30
    found = changes(truth, truth, truth)
    assert found["b"].state == "not checked"
    assert non_regression([found["b"]]).status is Status.NOT_CHECKED
    assert non_regression(list(found.values())).status is Status.PASSED
    told = {"old_run": {"b": (38, 40)}, "new_run": {"b": (37, 40)}}
    assert changes(truth, truth, truth, **told)["b"].state == "kept"
    worse = {"old_run": {"b": (38, 40)}, "new_run": {"b": (20, 40)}}
    lost = changes(truth, truth, truth, **worse)["b"]
    assert lost.state == "lost"
    assert "20 of 40" in non_regression([lost]).detail


def test_a_class_that_the_new_one_does_not_know_is_lost() -> None:
    (found,) = [
        one
        for one in class_changes([], [], [], old_labels=KNOWN, new_labels=("a",))
        if one.label == "b"
    ]
    assert found.state == "lost"
    assert found.old_recall is None
    assert "not known to the new version" in non_regression([found]).detail


def test_false_alarms_are_few() -> None:
    """Two versions that are equally good: some class of ten is called lost in at most 5 %."""
    rng = np.random.default_rng(0)
    labels = [f"k{n}" for n in range(10)]
    alarms = 0
    for _ in range(400):
        truth = [labels[n] for n in rng.integers(0, 10, 300)]
        told = [
            [t if rng.random() < 0.85 else labels[rng.integers(10)] for t in truth] for _ in "ab"
        ]
        found = class_changes(truth, *told, old_labels=labels, new_labels=labels)
        alarms += any(one.state == "lost" for one in found)
    assert alarms <= 0.05 * 400
