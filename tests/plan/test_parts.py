from __future__ import annotations

import polars as pl

from payoff.core.findings import Status
from payoff.data.dataset import Dataset
from payoff.data.splits import Split
from payoff.plan.parts import parts_of


def rows(*pairs: tuple[str, str]) -> Dataset:
    table = pl.DataFrame({"t": [p[0] for p in pairs], "y": [p[1] for p in pairs]})
    return Dataset.from_frame(table, text="t", label="y")


def test_classes_that_training_lacks_are_left_out_and_said() -> None:
    cut = Split(
        train=rows(("one", "b"), ("two", "a"), ("three", "b")),
        validation=rows(("four", "c"), ("five", "a")),
        test=rows(("six", "b"), ("seven", "c"), ("eight", "d"), ("nine", "a")),
        findings=(),
        how="by hand",
    )
    parts = parts_of(cut)
    assert parts.labels == ("a", "b")
    assert parts.learnt_texts == ("one", "two", "three", "five")
    assert parts.learnt_targets.tolist() == [1, 0, 1, 0]
    assert parts.train.tolist() == [0, 1, 2]
    assert parts.validation.tolist() == [3]
    assert parts.train_texts == ("one", "two", "three")
    assert parts.test_texts == ("six", "nine")
    assert parts.test_targets.tolist() == [1, 0]
    finding, few = parts.findings
    assert (few.code, few.status, few.n_affected) == ("PF471", Status.FAILED, 2)
    assert (finding.code, finding.status, finding.n_affected) == ("PF470", Status.FAILED, 3)
    assert "3 validation and test rows" in finding.detail


def test_nothing_left_out_is_a_check_that_passed() -> None:
    both = rows(("one", "a"), ("two", "b"))
    finding, _ = parts_of(Split(both, both, both, (), "")).findings
    assert (finding.status, finding.detail, finding.mend) == (Status.PASSED, "", "")


def test_a_part_may_lose_all_its_rows() -> None:
    both = rows(("one", "a"), ("two", "b"))
    parts = parts_of(Split(both, both, rows(("three", "c")), (), ""))
    assert parts.test_texts == ()
    assert len(parts.test_targets) == 0
    assert parts.findings[0].failed
