"""The data set: roles, rows, labels, fingerprints."""

from __future__ import annotations

import hashlib
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from payoff.core.errors import DataError, Problems
from payoff.data.dataset import ENDINGS, Dataset

TABLE = pl.DataFrame(
    {
        "message": ["a", "b", "c", "d"],
        "intent": ["x", "y", "x", "oos"],
        "who": ["1", "1", "2", "3"],
        "when": ["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"],
        "tier": ["free", "pro", "pro", "free"],
        "note": [1, 2, 3, 4],
    }
)
ROLES = {"text": "message", "label": "intent", "group": "who", "time": "when", "segment": "tier"}


@pytest.fixture
def tickets() -> Dataset:
    return Dataset.from_frame(TABLE, **ROLES, out_of_scope="oos", source="tickets")


def test_what_it_holds(tickets: Dataset) -> None:
    assert len(tickets) == 4
    assert tickets.texts == ["a", "b", "c", "d"]
    assert tickets.targets == ["x", "y", "x", "oos"]
    assert tickets.labels == ("oos", "x", "y")
    assert tickets.out_of_scope == "oos"
    assert tickets.rows.tolist() == [1, 2, 3, 4]
    assert tickets.column("group") == ["1", "1", "2", "3"]
    assert repr(tickets) == "Dataset(tickets: 4 rows, 3 labels)"
    assert repr(Dataset.from_frame(TABLE, text="message")) == "Dataset(frame: 4 rows)"


def test_codes(tickets: Dataset) -> None:
    codes = tickets.codes(("x", "y", "oos"))
    assert codes.dtype == np.int64
    assert codes.tolist() == [0, 1, 0, 2]
    with pytest.raises(DataError, match="'oos'") as caught:
        tickets.codes(("x", "y"))
    assert caught.value.code == "PF104"


def test_take_keeps_row_numbers(tickets: Dataset) -> None:
    taken = tickets.take(np.array([3, 0]))
    assert taken.texts == ["d", "a"]
    assert taken.rows.tolist() == [4, 1]
    assert taken.take([1]).rows.tolist() == [1]
    assert taken.labels == ("oos", "x")
    assert len(tickets.take([])) == 0


def test_concat_goes_by_role(tickets: Dataset) -> None:
    other = Dataset.from_frame(
        TABLE.rename({"message": "text", "intent": "label"}).with_columns(pl.col("note") + 10),
        **(ROLES | {"text": "text", "label": "label"}),
        source="more",
    )
    both = tickets.concat(other)
    assert both.texts == ["a", "b", "c", "d"] * 2
    assert both.source == "tickets + more"
    assert both.rows.tolist() == [1, 2, 3, 4] * 2
    assert both.frame["note"].to_list() == [1, 2, 3, 4, 11, 12, 13, 14]
    assert tickets.concat(tickets).source == "tickets"
    with pytest.raises(DataError, match="no group nor time nor segment column"):
        tickets.concat(Dataset.from_frame(TABLE, text="message", label="intent"))


def test_a_column_of_two_parts_is_one_column_there_too() -> None:
    table = pl.DataFrame({"body": ["a", "b"], "topic": ["x", "y"], "area": ["n", "s"]})
    both = Dataset.from_frame(table, text="body", label="topic", segment="topic")
    assert both.concat(both).frame["topic"].to_list() == ["x", "y"] * 2
    apart = Dataset.from_frame(table, text="body", label="topic", segment="area", source="apart")
    with pytest.raises(DataError, match="PF103 apart: its segment is 'area', beside 'topic'"):
        both.concat(apart)


def test_the_fingerprint_is_of_rows_and_roles_not_of_names_or_formats(
    tickets: Dataset, tmp_path: Path
) -> None:
    TABLE.write_csv(tmp_path / "t.csv")
    TABLE.write_parquet(tmp_path / "t.parquet")
    TABLE.write_ndjson(tmp_path / "t.jsonl")
    TABLE.write_csv(tmp_path / "t.tsv", separator="\t")
    for file in sorted(tmp_path.iterdir()):
        read = Dataset.from_file(file, **ROLES, out_of_scope="oos")
        assert read.fingerprint == tickets.fingerprint, file
    renamed = Dataset.from_frame(
        TABLE.rename({"message": "m"}), **(ROLES | {"text": "m"}), out_of_scope="oos"
    )
    assert renamed.fingerprint == tickets.fingerprint
    assert len(tickets.fingerprint) == 64


def test_the_fingerprint_tells_data_apart(tickets: Dataset) -> None:
    moved = TABLE.with_columns(message=pl.Series(["ab", "", "c", "d"]))
    variants = [
        tickets,
        tickets.take([1, 0, 2, 3]),
        Dataset.from_frame(TABLE, **ROLES),
        Dataset.from_frame(TABLE, text="message", label="intent", out_of_scope="oos"),
        Dataset.from_frame(TABLE, text="message", out_of_scope="oos"),
        Dataset.from_frame(TABLE, text="message", group="intent", out_of_scope="oos"),
        Dataset.from_frame(moved, **ROLES, out_of_scope="oos"),
        Dataset.from_frame(
            moved.with_columns(message=pl.Series(["a", "b", "c", "d"])[[0, 1, 3, 2]]), **ROLES
        ),
    ]
    assert len({variant.fingerprint for variant in variants}) == len(variants)


def test_the_fingerprint_does_not_change_between_versions() -> None:
    frame = pl.DataFrame({"t": ["hi", "退款"], "y": ["a", "b"]})
    restated = hashlib.sha256(
        b"payoff-data-1\nNone\n"
        + (b"text 2\n" + struct.pack("<QQ", 2, 6) + "hi退款".encode())
        + (b"label 2\n" + struct.pack("<QQ", 1, 1) + b"ab")
    )
    assert Dataset.from_frame(frame, text="t", label="y").fingerprint == restated.hexdigest()


def test_unlabelled_texts_have_no_labels() -> None:
    texts = Dataset.from_frame(TABLE, text="message")
    for name in ("targets", "labels"):
        with pytest.raises(DataError, match="no label column") as caught:
            getattr(texts, name)
        assert caught.value.code == "PF103"
    with pytest.raises(DataError, match="no time column"):
        texts.column("time")


def test_all_missing_columns_are_told_with_near_names() -> None:
    with pytest.raises(Problems) as caught:
        Dataset.from_frame(TABLE, text="mesage", label="zzz", source="t.csv")
    told = str(caught.value)
    assert "PF103 t.csv text: there is no column 'mesage'" in told
    assert "Did you mean 'message'?" in told
    assert "there is no column 'zzz'" in told
    assert "'intent'" in told


@pytest.mark.parametrize("ending", sorted(ENDINGS))
def test_every_ending_has_a_reader(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"no{ending.upper()}"
    with pytest.raises(DataError) as caught:
        Dataset.from_file(path, text="t")
    assert caught.value.code == "PF101"


@pytest.mark.parametrize("name", ["t.docx", "t", "t.json"])
def test_unknown_endings_are_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"\.parquet") as caught:
        Dataset.from_file(tmp_path / name, text="t")
    assert caught.value.code == "PF102"


@pytest.mark.parametrize(
    "labels", [["a", "A"], ["a b", "a  b"], ["a", " a"], ["\u00e9", "e\u0301"]]
)
def test_labels_that_differ_by_case_or_space_are_refused(labels: list[str]) -> None:
    with pytest.raises(DataError, match="differ only by case or white space") as caught:
        Dataset.from_frame(pl.DataFrame({"t": ["x", "y"], "y": labels}), text="t", label="y")
    assert caught.value.code == "PF104"
    assert all(repr(label) in str(caught.value) for label in labels)


def test_many_clashing_labels_are_counted() -> None:
    labels = [f"label{i}" for i in range(8)] + [f"LABEL{i}" for i in range(8)]
    frame = pl.DataFrame({"t": labels, "y": labels})
    with pytest.raises(DataError, match="and 3 more"):
        Dataset.from_frame(frame, text="t", label="y")


def test_rows_without_a_label_are_refused_unless_no_label_is_asked_for() -> None:
    frame = pl.DataFrame({"t": list("abcdefgh"), "y": ["x", None, "", "  ", "y", "", "", ""]})
    with pytest.raises(DataError) as caught:
        Dataset.from_frame(frame, text="t", label="y", source="t.csv")
    assert caught.value.code == "PF107"
    assert "t.csv rows 2, 3, 4, 6, 7 and 1 more: 6 of 8 rows have no label" in str(caught.value)
    assert len(Dataset.from_frame(frame, text="t")) == 8


def test_a_frame_without_rows_or_columns() -> None:
    with pytest.raises(DataError, match="no rows"):
        Dataset.from_frame(pl.DataFrame({"t": []}, schema={"t": pl.String}), text="t")
    with pytest.raises(DataError, match="there is no column 't'"):
        Dataset.from_frame(pl.DataFrame(), text="t")


def test_one_column_may_play_two_parts() -> None:
    read = Dataset.from_frame(TABLE, text="message", label="intent", segment="intent")
    assert read.column("segment") == read.targets


def test_importing_it_imports_no_polars() -> None:
    code = "import payoff.data.dataset, sys; assert 'polars' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
