"""Leakage, and personal data counted by kind."""

from __future__ import annotations

import polars as pl
import pytest

from payoff.core.errors import DataError
from payoff.core.findings import Status
from payoff.data.checks import leakage, privacy
from payoff.data.checks.subject import Subject
from payoff.data.dataset import Dataset

LONG = "where is the parcel that I ordered on the first of this month"


def pair(column: str, own: list[str], test: list[str]) -> Subject:
    return Subject(
        *(
            Dataset.from_frame(
                pl.DataFrame({"t": [f"{side}{i}" for i in range(len(values))], column: values}),
                text="t",
                **{column: column},
            )
            for side, values in (("own", own), ("test", test))
        )
    )


def test_a_repeat_is_no_near_repeat() -> None:
    subject = Subject.of([LONG, LONG + "s", "other"], test=[LONG.upper()])
    assert [row["row"] for row in leakage.repeated_test_texts(subject).rows] == [1]
    assert [row["row"] for row in leakage.near_test_texts(subject).rows] == [2]
    turned = Subject.of([LONG + "s"], test=["x", LONG])
    assert leakage.near_test_texts(turned).failed
    clean = Subject.of(["other"], test=[LONG])
    assert leakage.repeated_test_texts(clean).status is Status.PASSED
    assert leakage.near_test_texts(clean).status is Status.PASSED


def test_groups_on_both_sides() -> None:
    finding = leakage.shared_groups(pair("group", ["1", "2", "1", ""], ["1", "3", ""]))
    assert finding.detail == "1 group (2 rows) are in both"
    assert leakage.shared_groups(pair("group", ["1"], ["2"])).status is Status.PASSED
    for subject in (Subject.of(["a"]), Subject.of(["a"], test=["b"])):
        assert leakage.shared_groups(subject).status is Status.NOT_APPLICABLE


def test_rows_that_are_not_earlier() -> None:
    finding = leakage.later_rows(pair("time", ["1", "5", "7"], ["5", "9"]))
    assert [row["row"] for row in finding.rows] == [2, 3]
    assert leakage.later_rows(pair("time", ["1"], ["2"])).status is Status.PASSED
    for subject in (Subject.of(["a"]), Subject.of(["a"], test=["b"])):
        assert leakage.later_rows(subject).status is Status.NOT_APPLICABLE
    with pytest.raises(DataError, match="PF109"):
        leakage.later_rows(pair("time", ["soon"], ["2"]))


def test_personal_data_are_counted_by_text_and_kind() -> None:
    texts = ["a@b.org and c@d.org", "a@b.org, +49 30 1234567", "nothing"]
    finding = privacy.personal_data(Subject.of(texts))
    assert finding.detail == "2 texts of 3: e-mail addresses in 2, phone numbers in 1"
    assert finding.rows[1]["text"] == "[email], [phone]"
    assert privacy.personal_data(Subject.of(["nothing"])).status is Status.PASSED
