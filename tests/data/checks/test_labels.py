"""Checks of labels."""

from __future__ import annotations

import polars as pl
import pytest

from payoff.core.findings import Status
from payoff.data.checks import labels
from payoff.data.checks.subject import Subject
from payoff.data.dataset import Dataset


@pytest.mark.parametrize(
    ("one", "other", "similar"),
    [
        ("refund", "refunds", True),
        ("refund", "refnud", True),
        ("refund", "rafund", True),
        ("card_lost", "card-lost", True),
        ("Card Lost", "cardlost", True),
        ("refund", "refusal", False),
        ("refund", "erfudn", False),
        ("tier_1", "tier_2", False),
        ("version10", "version1", False),
        ("time", "timer", False),
        ("yes", "no", False),
        ("a-b", "ab", True),
        ("12345", "12346", False),
    ],
)
def test_similar_labels(one: str, other: str, similar: bool) -> None:
    assert bool(labels.similar_labels((one, other))) == similar
    assert bool(labels.similar_labels((other, one))) == similar


def test_thousands_of_labels_are_no_trouble() -> None:
    assert labels.similar_labels(tuple(f"some label number {i}" for i in range(3000))) == []


def test_labels_with_white_space_around_are_told() -> None:
    finding = labels.alike_labels(Subject.of(["a", "b"], [" x", "y"]))
    assert finding.detail == "' x' has white space around it"
    assert finding.rows[0]["row"] == 1


def test_more_typos_than_are_told_are_counted() -> None:
    names = [f"{c * 6}" for c in "abcdefgh"] + [f"{c * 7}" for c in "abcdefgh"]
    finding = labels.alike_labels(Subject.of(names, names))
    assert finding.n_affected == 8
    assert finding.detail.endswith("; …")


def test_small_classes_are_named_smallest_first() -> None:
    names = ["big"] * 12 + ["b"] * 3 + ["a"] * 3 + ["one"]
    finding = labels.small_classes(Subject.of(names, names))
    assert finding.detail == "3 of 4 classes are smaller: 'one' (1), 'a' (3), 'b' (3)"
    many = [f"c{i}" for i in range(9)]
    assert labels.small_classes(Subject.of(many, many)).detail.endswith(", …")
    assert labels.small_classes(Subject.of(["t"] * 10, ["x"] * 10)).status is Status.PASSED


def test_imbalance_begins_above_twenty() -> None:
    for n, failed in ((20, False), (21, True)):
        finding = labels.imbalance(Subject.of(["t"] * (n + 1), ["x"] * n + ["y"]))
        assert finding.failed == failed
    assert labels.imbalance(Subject.of(["t"], ["x"])).status is Status.NOT_APPLICABLE


@pytest.mark.parametrize(("named", "mend"), [("oos", "Label some"), ("refnd", "'refund'")])
def test_an_out_of_scope_class_that_does_not_occur(named: str, mend: str) -> None:
    frame = pl.DataFrame({"t": ["a"], "y": ["refund"]})
    dataset = Dataset.from_frame(frame, text="t", label="y", out_of_scope=named)
    assert mend in labels.out_of_scope(Subject(dataset)).mend
    known = Dataset.from_frame(frame, text="t", label="y", out_of_scope="refund")
    assert labels.out_of_scope(Subject(known)).status is Status.PASSED
