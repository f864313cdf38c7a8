"""Fixtures that every test may ask for."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

REPOSITORY = Path(__file__).resolve().parents[1]
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("PAYOFF_PRECISION", "full")  # the same numbers on every processor
os.environ.pop("COLUMNS", None)  # test processes have one, and output is then as wide as that
settings.register_profile("payoff", deadline=None)  # a busy machine is no fault of a test
settings.load_profile("payoff")


def pytest_collection_finish() -> None:
    """Leave thousands of tests and all imported libraries out of every later garbage collection."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder of pyproject.toml."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real labelled data beside the repository; the test is skipped where it is not there."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real data sets are not beside the repository (../shared/data)")
    return folder


@dataclass(frozen=True)
class Ran:
    """What a command line did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


@pytest.fixture
def payoff_command(tmp_path: Path) -> Callable[..., Ran]:
    """Run ``payoff …`` in a process of its own, as a user does; works in ``tmp_path``."""

    def run(*arguments: str | Path, stdin: str | None = None, **environment: str) -> Ran:
        result = subprocess.run(
            [sys.executable, "-m", "payoff.cli.main", *map(str, arguments)],
            cwd=tmp_path,
            env=os.environ | {"PAYOFF_CACHE": str(tmp_path / "cache")} | environment,
            input=stdin,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )
        return Ran(result.returncode, result.stdout, result.stderr)

    return run


@pytest.fixture
def cli(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Ran]:
    """Run ``payoff …`` in this process, in ``tmp_path``: quick, and counted by coverage."""
    from payoff.cli.main import run_command_line

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PAYOFF_CACHE", str(tmp_path / "cache"))

    def run(*arguments: str | Path) -> Ran:
        capsys.readouterr()
        code = run_command_line([str(argument) for argument in arguments])
        told = capsys.readouterr()
        return Ran(code, told.out, told.err)

    return run
