from __future__ import annotations

from pathlib import Path

import pytest

from payoff.apps import doctor
from payoff.core.findings import Finding, Status


def found(code: str) -> Finding:
    return next(finding for finding in doctor.examine() if finding.code == code)


def test_all_checks_are_made_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYOFF_CACHE", str(tmp_path / "not" / "yet"))
    codes = [finding.code for finding in doctor.examine()]
    assert codes == ["PF850", "PF851", "PF852", "PF853", "PF854", "PF855", "PF856", "PF857"]
    assert found("PF855").status is Status.PASSED  # it can be made
    assert not (tmp_path / "not").exists()  # and was not
    assert found("PF856").failed


def test_an_old_python_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.version_info", (3, 10, 4))
    assert found("PF850").failed


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        doctor, "requires", lambda _: ["click>=8", "no-such-a", "no-such-b>=2; extra == 'tune'"]
    )
    assert found("PF851").detail == "Missing: no-such-a."
    assert found("PF852").detail == "Missing: no-such-b."
    assert found("PF852").mend == "Run: pip install 'payoff[tune]'"


def test_what_cannot_be_known_is_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_: str) -> None:
        raise doctor.PackageNotFoundError

    monkeypatch.setattr(doctor, "requires", absent)
    monkeypatch.setattr(doctor, "_memory_bytes", lambda: 0)
    assert found("PF851").status is Status.NOT_CHECKED
    assert found("PF853").status is Status.NOT_CHECKED
    assert doctor.describe_machine()["memory"] == "unknown"


def test_little_memory_and_little_room_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_memory_bytes", lambda: 10**9)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1})())
    assert found("PF853").detail == "1.0 GB in all."
    assert found("PF853").failed
    assert found("PF854").failed


def test_a_folder_that_cannot_be_written_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refuse)
    assert found("PF855").failed


def test_the_memory_of_a_container_counts(tmp_path: Path) -> None:
    limit = tmp_path / "memory.max"
    machine = doctor._memory_bytes(limit)
    assert machine > 0
    limit.write_text("max\n", "ascii")
    assert doctor._memory_bytes(limit) == machine
    limit.write_text("1000000\n", "ascii")
    assert doctor._memory_bytes(limit) == 1_000_000
