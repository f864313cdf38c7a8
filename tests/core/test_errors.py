from __future__ import annotations

import pytest

from payoff.core.errors import (
    DataError,
    PayoffError,
    Problems,
    ProjectError,
    did_you_mean,
    raise_all,
)

A = DataError("PF101", "a.csv", "it is gone")
B = ProjectError(
    "PF203", "payoff.toml [value]", "'wrong' is 'x'", expected="a number", mend="Fix it."
)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (A, "PF101 a.csv: it is gone."),
        (B, "PF203 payoff.toml [value]: 'wrong' is 'x' (expected a number). Fix it."),
        (DataError("PF101", "a", "why?"), "PF101 a: why?"),
        (DataError("PF101", "a", "b.", mend="C."), "PF101 a: b. C."),
    ],
)
def test_an_error_is_one_sentence_after_another(error: PayoffError, told: str) -> None:
    assert str(error) == told


def test_an_error_as_plain_values() -> None:
    assert B.as_dict() == {
        "code": "PF203",
        "where": "payoff.toml [value]",
        "found": "'wrong' is 'x'",
        "expected": "a number",
        "mend": "Fix it.",
    }


def test_problems_are_told_together() -> None:
    both = Problems([A, B])
    assert str(both) == f"2 problems:\n  {A}\n  {B}"
    assert both.code == "PF101"
    assert [p["code"] for p in both.as_dict()["problems"]] == ["PF101", "PF203"]


def test_raise_all_raises_nothing_one_or_all() -> None:
    raise_all([])
    with pytest.raises(DataError) as one:
        raise_all([A])
    assert one.value is A
    with pytest.raises(Problems) as all_of_them:
        raise_all(error for error in (A, B))
    assert all_of_them.value.problems == (A, B)


def test_what_is_near_is_proposed() -> None:
    assert did_you_mean("lable", ["text", "label"]) == "Did you mean 'label'?"
    assert did_you_mean("zzz", ["text", "label"]) == ""
    assert did_you_mean("zzz", []) == ""
