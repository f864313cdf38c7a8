"""The unit, looked at by systemd's own tools, and its command run as it stands there."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from payoff.learn.journal import Journal

from .conftest import Write, alone, serving

MOST_EXPOSED = 20
"""Tenths: what systemd calls OK; a unit without any confinement has 96."""


def settings(unit: Path, name: str) -> list[str]:
    """All values of a setting."""
    lines = [line.partition("=") for line in unit.read_text("utf-8").splitlines()]
    return [value for key, _, value in lines if key == name]


def unit_of(kit: Path) -> Path:
    (unit,) = kit.glob("*.service")
    return unit


@pytest.fixture
def analyse() -> Callable[..., tuple[int, str]]:
    """Run ``systemd-analyze``."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd-analyze on this machine")

    def _run(*words: str | Path) -> tuple[int, str]:
        ran = subprocess.run(
            ["systemd-analyze", *map(str, words)], capture_output=True, text=True, check=False
        )
        return ran.returncode, ran.stdout + ran.stderr

    return _run


def test_the_unit_is_one(
    write: Write, tokens: Path, analyse: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    kit = write("systemd", tokens, port="8123").path
    unit = unit_of(kit)
    assert unit.name == "tiny-desk-v2.service"
    python = kit / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    here = tmp_path / unit.name
    text = unit.read_text("utf-8")
    here.write_text(text.replace("/opt/tiny-desk-v2", str(kit)), "utf-8")
    assert analyse("verify", "--man=no", here) == (0, "")
    code, told = analyse("security", "--offline=true", f"--threshold={MOST_EXPOSED}", here)
    assert code == 0, told
    here.write_text(text.replace("ProtectSystem=", "ProtectSystems="), "utf-8")
    assert "ProtectSystems" in analyse("verify", "--man=no", here)[1]
    loose = "\n".join(line for line in text.splitlines() if "Protect" not in line)
    here.write_text(loose.replace("DynamicUser=yes", ""), "utf-8")
    assert analyse("security", "--offline=true", f"--threshold={MOST_EXPOSED}", here)[0] == 1


def test_its_command_serves_and_keeps_the_journal(
    write: Write, words: Path, environment: Callable[[Path], dict[str, str]], tmp_path: Path
) -> None:
    kit = write("systemd", words, port="8123").path
    unit = unit_of(kit)
    (line,) = settings(unit, "ExecStart")
    assert settings(unit, "WorkingDirectory") == ["/opt/tickets"]
    assert settings(unit, "StateDirectory") == ["tickets"]
    assert settings(unit, "DynamicUser") == settings(unit, "NoNewPrivileges") == ["yes"]
    state = tmp_path / "state"
    (state / "tickets").mkdir(parents=True)
    command = line.replace("%S", str(state)).replace("--port 8123", "--port 0").split()
    assert command[0] == "/opt/tickets/venv/bin/python"
    with serving(alone(command), kit, environment(kit)) as url:
        answer = httpx.post(f"{url}/v1/decide", json={"text": "我要退款"}, timeout=60)
        assert answer.json()["decision"]["action"] == "refund"
    with Journal.open(state / "tickets" / "decisions.db") as journal:
        assert journal.count() == 1
