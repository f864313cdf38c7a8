"""Inspection: every check in one order, each finding whole."""

from __future__ import annotations

import ast
import random
import time
from pathlib import Path

import polars as pl
import pytest

import payoff.data.checks as checks
from payoff.core.codes import catalogue
from payoff.core.findings import Finding, Status
from payoff.data.dataset import Dataset
from payoff.data.inspection import CHECKS, inspect


def bad() -> tuple[Dataset, Dataset]:
    """Data with something wrong for every check, and a test set that leaks."""
    long = "please tell me where the parcel of my order from last monday is now and why"
    rows = [
        ("", "refund", "1", "2024-01-01"),
        ("Lost card, call ann@example.org", "card", "1", "2024-01-02"),
        ("lost card call ann@example.org", "refund", "2", "2024-01-03"),
        (long, "refunds", "2", "2024-01-04"),
        (long + "s", "refunds", "3", "2024-01-05"),
        ("word " * 1000, "card", "4", "2024-01-06"),
        ("cafÃ©", "card", "5", "2024-01-07"),
        ("我的卡丢了怎么办", "card", "6", "2024-01-08"),
        ("什么时候退款", "card", "6", "2024-01-08"),
        *[(f"where is the card that is number {n} to you", "card", "7", "2024-01-09")
          for n in "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOP"],
    ]  # fmt: skip
    columns = ["text", "label", "group", "time"]
    roles = {name: name for name in columns}
    frame = pl.DataFrame(rows, schema=columns, orient="row")
    test_rows = [
        ("LOST CARD call ann@example.org!", "card", "1", "2024-01-03"),
        (long + "ss", "card", "9", "2024-02-03"),
    ]
    test = pl.DataFrame(test_rows, schema=columns, orient="row")
    return (
        Dataset.from_frame(frame, **roles, out_of_scope="oos"),
        Dataset.from_frame(test, **roles),
    )


def test_every_check_fails_on_bad_data() -> None:
    dataset, test_set = bad()
    findings = inspect(dataset, test_set=test_set)
    codes = [finding.code for finding in findings]
    assert codes == sorted(codes)
    assert len(set(codes)) == len(CHECKS)
    status = {finding.code: finding.status for finding in findings}
    assert status.pop("PF162") is Status.NOT_CHECKED
    assert set(status.values()) == {Status.FAILED}


def test_a_failed_finding_is_whole_and_redacted() -> None:
    dataset, test_set = bad()
    for finding in inspect(dataset, test_set=test_set):
        assert finding.title == catalogue()[finding.code].title
        assert catalogue()[finding.code].kind == "finding"
        assert "ann@example.org" not in str(finding.as_dict())
        if finding.failed:
            assert finding.detail
            assert finding.mend
            assert finding.n_affected > 0
            assert len(finding.rows) <= 5
            assert finding.rows or finding.code == "PF161"
            for row in finding.rows:
                assert {"row", "text", "label"} <= set(row)
                assert len(row["text"]) <= 120


def test_good_data_pass_or_do_not_apply() -> None:
    rng = random.Random(0)
    words = ["the", "card", "of", "my", "order", "is", "not", "and", "you", "have", "a", "refund"]
    texts = list({" ".join(rng.choices(words, k=9)) for _ in range(60)})[:40]
    frame = pl.DataFrame({"t": texts, "y": ["lost", "paid"] * 20})
    findings = inspect(Dataset.from_frame(frame, text="t", label="y"))
    assert {finding.status for finding in findings} == {
        Status.PASSED,
        Status.NOT_APPLICABLE,
        Status.NOT_CHECKED,
    }


def test_unlabelled_texts_are_inspected_too() -> None:
    frame = pl.DataFrame({"t": ["where is my card", "hi"]})
    status = {f.code: f.status for f in inspect(Dataset.from_frame(frame, text="t"))}
    assert status["PF151"] is Status.PASSED
    assert {status[f"PF{n}"] for n in (153, 158, 159, 160, 161, 162)} == {Status.NOT_APPLICABLE}


def test_one_row_and_one_class_are_inspected() -> None:
    for texts in (["hi"], [""], ["?!"], ["👍"] * 3):
        frame = pl.DataFrame({"t": texts, "y": ["a"] * len(texts)})
        assert len(inspect(Dataset.from_frame(frame, text="t", label="y"))) == len(CHECKS)


def test_every_public_check_is_registered() -> None:
    folder = Path(checks.__file__).parent
    written = {
        f"{path.stem}.{node.name}"
        for path in folder.glob("*.py")
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef)
        and not node.name.startswith("_")
        and ast.unparse(node.returns or ast.Constant(None)) == Finding.__name__
        and path.stem != "subject"
    }
    assert written == {f"{check.__module__.split('.')[-1]}.{check.__name__}" for check in CHECKS}


@pytest.mark.parametrize("n", [10_000])
def test_ten_thousand_texts_take_seconds(n: int) -> None:
    rng = random.Random(0)
    words = [f"word{i}" for i in range(2000)] + ["the", "is", "my"] * 300
    texts = [" ".join(rng.choices(words, k=12)) for _ in range(n)]
    frame = pl.DataFrame({"t": texts, "y": [str(i % 50) for i in range(n)]})
    dataset = Dataset.from_frame(frame, text="t", label="y")
    begin = time.process_time()
    inspect(dataset)
    assert time.process_time() - begin < 15  # 1.5 s on an idle core
