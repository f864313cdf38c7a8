from __future__ import annotations

import json
import resource
from pathlib import Path

import numpy as np
import pytest

from payoff.core.errors import MachineError
from payoff.plan.runs import Run

LEARNING = {"data": "abc", "seed": 0}
CHOOSING = {"terms": {"correct": 3.0}}
LOGITS = np.arange(6, dtype=np.float32).reshape(3, 2)


def opened(root: Path, **choosing: object) -> Run:
    return Run.open(root, "desk", learning=LEARNING, choosing=CHOOSING | choosing)


def write_weights(folder: Path) -> None:
    (folder / "weights").write_bytes(b"1234")


def test_other_terms_share_what_was_learnt(runs: Path) -> None:
    one, two = opened(runs), opened(runs, minutes=5)
    assert one.trained == two.trained
    assert one.folder != two.folder
    assert one.folder.name.startswith("desk-")
    assert one.trained.name.startswith("trained-")
    assert opened(runs) == one
    other = Run.open(runs, "desk", learning=LEARNING | {"seed": 1}, choosing=CHOOSING)
    assert other.trained != one.trained
    assert other.folder != one.folder
    assert json.loads((one.trained / "inputs.json").read_text()) == LEARNING
    assert json.loads((one.folder / "inputs.json").read_text()) == LEARNING | CHOOSING


def test_what_is_recorded_is_found_by_another_process(runs: Path) -> None:
    run = opened(runs)
    assert run.recorded("a") is None
    run.record("a", {"share": 1.0, "seconds": 2.5}, LOGITS, write_weights)
    kept = opened(runs).recorded("a")
    assert kept is not None
    assert kept[0] == {"share": 1.0, "seconds": 2.5}
    np.testing.assert_array_equal(kept[1], LOGITS)
    assert (run.attempt("a") / "weights").read_bytes() == b"1234"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_attempt_that_fails_to_be_saved_leaves_the_one_before(
    runs: Path, error: type[BaseException]
) -> None:
    run = opened(runs)
    run.record("a", {"share": 0.3}, LOGITS, write_weights)

    def broken(folder: Path) -> None:
        (folder / "weights").write_bytes(b"12")
        raise error

    with pytest.raises(error):
        run.record("a", {"share": 1.0}, LOGITS, broken)
    kept = run.recorded("a")
    assert kept is not None
    assert kept[0] == {"share": 0.3}
    assert (run.attempt("a") / "weights").read_bytes() == b"1234"
    assert [path.name for path in run.attempt("a").parent.iterdir()] == ["a"]


@pytest.mark.parametrize("large", ["weights", "logits"])
def test_a_full_disk_is_told_and_leaves_nothing_half_written(runs: Path, large: str) -> None:
    run = opened(runs)
    logits = np.zeros((9000, 2)) if large == "logits" else LOGITS

    def save(folder: Path) -> None:
        if large == "weights":
            (folder / "weights").write_bytes(bytes(200_000))

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(MachineError, match="PF801"):
            run.record("a", {"share": 1.0}, logits, save)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert run.recorded("a") is None
    assert list(run.attempt("a").parent.iterdir()) == []


def test_time_spent_is_kept_until_the_run_is_finished(runs: Path) -> None:
    run = opened(runs)
    assert run.spent_before_s == 0
    run.note_spent(12.5)
    assert opened(runs).spent_before_s == 12.5
    assert opened(runs, minutes=5).spent_before_s == 0, "another run has its own budget"
    (run.folder / "summary.json").write_text("{}")
    assert opened(runs).spent_before_s == 0, "a finished run begins anew"


def test_tidying_removes_the_activations_only(runs: Path) -> None:
    run = opened(runs)
    run.record("a", {"share": 1.0}, LOGITS, write_weights)
    run.activations.mkdir()
    (run.activations / "pooled.npy").touch()
    run.tidy()
    assert not run.activations.exists()
    assert run.recorded("a") is not None
    run.tidy()


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file is in the way")
    with pytest.raises((MachineError, FileExistsError, NotADirectoryError)):
        opened(tmp_path / "runs")
