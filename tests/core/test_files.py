from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from payoff.core import files
from payoff.core.errors import MachineError
from payoff.core.files import disk_errors, to_json, whole_folder, write_bytes, write_json


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_with_its_folders_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.json"
    write_json(path, {"b": 1, "a": "退款"})
    assert json.loads(path.read_text("utf-8")) == {"a": "退款", "b": 1}
    write_bytes(path, b"new")
    assert path.read_bytes() == b"new"
    assert names(path.parent) == ["b.json"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_nan_is_refused_rather_than_written() -> None:
    with pytest.raises(ValueError, match="JSON"):
        to_json({"a": float("nan")})


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "PF801"),
        (errno.EDQUOT, "PF801"),
        (errno.EFBIG, "PF801"),
        (errno.EACCES, "PF802"),
        (errno.EPERM, "PF802"),
        (errno.EROFS, "PF802"),
    ],
)
def test_disk_errors_are_told_as_what_they_are(number: int, code: str) -> None:
    with pytest.raises(MachineError) as told, disk_errors("a.csv"):
        raise OSError(number, os.strerror(number))
    assert told.value.code == code
    assert told.value.where == "a.csv"


def test_other_errors_of_the_system_pass() -> None:
    with pytest.raises(IsADirectoryError), disk_errors("a"):
        raise IsADirectoryError(errno.EISDIR, "x")


def test_a_full_disk_leaves_the_old_content_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    write_bytes(path, b"old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(MachineError, match="PF801"):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.txt"]


def test_a_folder_appears_whole_and_replaces_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "made"
    for content in ("one", "two"):
        with whole_folder(target) as draft:
            (draft / content).write_text(content, "utf-8")
            assert not (target / content).exists()
        assert names(target) == [content]
        assert names(target.parent) == ["made"]
    assert target.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_folder_that_fails_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    target = tmp_path / "made"

    def fill() -> None:
        with whole_folder(target) as draft:
            (draft / "half").write_text("half", "utf-8")
            raise error

    with pytest.raises(error):
        fill()
    assert names(tmp_path) == []


def test_a_folder_that_fails_keeps_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "made"
    with whole_folder(target) as draft:
        (draft / "old").touch()
    with pytest.raises(MachineError, match="PF801"), whole_folder(target):
        raise OSError(errno.ENOSPC, "full")
    assert names(target) == ["old"]
    assert names(tmp_path) == ["made"]


@pytest.mark.parametrize("place", ["folder", "file/below"])
def test_what_cannot_be_a_file_is_told(tmp_path: Path, place: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("kept", "utf-8")
    with pytest.raises(MachineError) as told:
        write_bytes(tmp_path / place, b"x")
    assert told.value.code == "PF802"
    assert (tmp_path / "file").read_text("utf-8") == "kept"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]
