"""JSON lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payoff.core.errors import DataError
from payoff.data.dataset import Dataset
from payoff.data.readers import json_lines


def laid(folder: Path, content: bytes | str) -> Path:
    path = folder / "t.jsonl"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=1
    ),
    st.booleans(),
)
def test_any_text_survives(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], ascii_only: bool
) -> None:
    lines = [json.dumps({"text": text}, ensure_ascii=ascii_only) for text in texts]
    path = laid(tmp_path_factory.mktemp("round"), "\n".join(lines))
    assert Dataset.from_jsonl(path, text="text").texts == texts


def test_values_of_every_kind(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"text": "a", "label": 1, "more": [1, 2]},
        {"label": 1.0, "text": "b"},
        {"text": None, "label": True, "late": {"x": "é"}},
    ]
    path = laid(tmp_path, "\ufeff" + "\n\n".join(map(json.dumps, rows)) + "\r\n \n")
    read = Dataset.from_jsonl(path, text="text", label="label")
    assert read.texts == ["a", "b", ""]
    assert read.targets == ["1", "1", "true"]
    assert read.frame["more"].to_list() == ["[1, 2]", None, None]
    assert read.frame["late"].to_list() == [None, None, '{"x": "é"}']


def test_batches_with_different_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_lines, "_BATCH", 1)
    path = laid(tmp_path, '{"text": "a"}\n{"text": "b", "label": "x"}')
    assert Dataset.from_jsonl(path, text="text").frame.rows() == [("a", None), ("b", "x")]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"text": "a"', "it is no JSON"),
        ("text,label", "it is no JSON"),
        ('["a"]', "it holds a list"),
        ("7", "it holds a int"),
        ("[" * 100_000, "it is no JSON"),
        ('{"text": ' + "9" * 5000 + "}", "it is no JSON"),
        (b'{"text": "\xff"}', "it is no UTF-8"),
    ],
)
def test_a_malformed_line_is_numbered(tmp_path: Path, line: str | bytes, told: str) -> None:
    raw = line if isinstance(line, bytes) else line.encode()
    with pytest.raises(DataError, match=told) as caught:
        Dataset.from_jsonl(laid(tmp_path, b'{"text": "fine"}\n\n' + raw + b"\n"), text="text")
    assert caught.value.code == "PF102"
    assert caught.value.where.endswith("line 3")


def test_half_a_surrogate_pair_is_told_with_its_row(tmp_path: Path) -> None:
    path = laid(tmp_path, '{"text": "fine"}\n{"text": null}\n{"text": "\\ud800"}\n')
    with pytest.raises(DataError, match="row 3") as caught:
        Dataset.from_jsonl(path, text="text")
    assert caught.value.code == "PF105"


def test_binary_content_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Parquet"):
        Dataset.from_jsonl(laid(tmp_path, b"PAR1...."), text="text")


def test_objects_without_keys_lack_the_column(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a table with columns"):
        Dataset.from_jsonl(laid(tmp_path, "{}\n"), text="text")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"\x0c\n\x0b\n", "PF102"),
        (b'{"\\ud800": 1, "text": "a"}\n', "PF105"),
    ],
)
def test_what_holds_no_table_is_told(tmp_path: Path, content: bytes, code: str) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(content)
    with pytest.raises(DataError) as told:
        json_lines.read_json_lines(path)
    assert told.value.code == code
