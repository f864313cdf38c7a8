from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from payoff.artifact.artifact import Artifact
from payoff.artifact.calibration import Calibration
from payoff.artifact.tier import TierSpec
from payoff.core.errors import ArtifactError, DataError, MachineError

Write = Callable[..., Path]


@pytest.mark.parametrize(
    "name", ["manifest.json", "model.onnx", "calibration.json", "../up", "/root", "a/.b", ""]
)
def test_reserved_and_unsafe_document_names(write: Write, name: str) -> None:
    with pytest.raises(ArtifactError, match="PF505"):
        write(documents={name: "x"})


def test_one_calibration_a_tier(write: Write) -> None:
    with pytest.raises(ArtifactError, match=r"PF505.*2 calibrations"):
        write(calibrations=[Calibration(), Calibration()])


def test_missing_member(write: Write, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    with pytest.raises(ArtifactError, match=r"PF505.*model.onnx"):
        write(folder=tmp_path / "nothing")


@pytest.mark.parametrize("labels", [("a",), ("b", "a"), ("a", "a", "b")])
def test_labels_are_a_sorted_set(write: Write, labels: tuple[str, ...]) -> None:
    with pytest.raises(ArtifactError, match=r"PF504.*labels"):
        write(labels=labels)


def test_labels_are_texts(write: Write) -> None:
    with pytest.raises(DataError, match="PF105"):
        write(labels=("a", "b\ud800"))


def test_no_tier(write: Write) -> None:
    with pytest.raises(ArtifactError, match=r"PF504.*no tier"):
        write(tiers=[], calibrations=[])


def test_a_folder_in_the_way_is_left_alone(write: Write, tmp_path: Path) -> None:
    (tmp_path / "tiny.payoff").mkdir()
    (tmp_path / "tiny.payoff" / "mine.txt").write_text("x")
    with pytest.raises(ArtifactError, match=r"PF505.*in the way"):
        write()
    assert (tmp_path / "tiny.payoff" / "mine.txt").exists()


def test_nothing_is_left_of_a_failed_writing(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(MachineError, match="PF801"):
        write()
    assert not list(tmp_path.iterdir())


def test_file_is_readable_by_others_and_libraries_are_told(write: Write) -> None:
    path = write()
    assert path.stat().st_mode & 0o777 == 0o644
    created_by = Artifact.open(path).manifest.created_by
    assert set(created_by) == {"payoff", "python", "libraries"}
    assert "onnxruntime" in created_by["libraries"]


def test_members_of_a_kind_must_be_there() -> None:
    with pytest.raises(ArtifactError, match=r"PF504.*tokenizer.json"):
        TierSpec("t", "tokens", members=("model.onnx",))
    with pytest.raises(ArtifactError, match=r"PF503.*unknown"):
        TierSpec("t", "images")  # type: ignore[arg-type]
