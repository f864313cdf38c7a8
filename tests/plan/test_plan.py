from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import pytest

from payoff.core.errors import MachineError
from payoff.plan.plan import Plan


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    artifact = tmp_path / "runs" / "desk.payoff"
    artifact.parent.mkdir()
    artifact.write_bytes(b"artifact" * 20_000)
    nothing: Any = None
    return Plan("a plan", nothing, nothing, {"plans": [{"name": "x"}]}, artifact, artifact.parent)


def test_a_plan_is_saved_whole(plan: Plan, tmp_path: Path) -> None:
    target = tmp_path / "new" / "support.payoff"
    for _ in range(2):
        assert plan.save(target) == target
        assert target.read_bytes() == plan.artifact.read_bytes()
    assert [path.name for path in target.parent.iterdir()] == ["support.payoff"]
    assert plan.save(str(plan.artifact)) == plan.artifact, "onto itself"
    assert plan.artifact.stat().st_size == 160_000


def test_what_a_plan_shows(plan: Plan) -> None:
    assert plan.report == plan.folder / "report.html"
    assert plan.table == [{"name": "x"}]


def test_a_full_disk_leaves_what_was_there(plan: Plan, tmp_path: Path) -> None:
    target = tmp_path / "saved" / "support.payoff"
    target.parent.mkdir()
    target.write_bytes(b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(MachineError, match="PF801"):
            plan.save(target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert target.read_bytes() == b"old"
    assert [path.name for path in target.parent.iterdir()] == ["support.payoff"]


def test_a_folder_in_the_way_is_told(plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "saved").mkdir()
    with pytest.raises(MachineError, match="PF802") as told:
        plan.save(tmp_path / "saved")
    assert "NAME.payoff" in told.value.mend
