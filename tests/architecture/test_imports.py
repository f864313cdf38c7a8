"""Imports go downward only, and the tool that says so really looks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", LINT, "--no-cache", "--config", str(folder / ".importlinter")],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder / "src"), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copied(repository: Path, tmp_path: Path) -> Path:
    """The package and its contracts in a folder where a rule may be broken."""
    shutil.copytree(
        repository / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(repository / ".importlinter", tmp_path)
    return tmp_path


def test_the_contracts_are_kept(repository: Path) -> None:
    result = lint(repository)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("core/money.py", "import payoff.data.wheels", "Imports go downward only"),
        ("evidence/quality.py", "def f():\n    import torch", "Nothing but training imports"),
        ("cli/prices.py", "import uvicorn", "HTTP is the service's business"),
        ("artifact/tier.py", "import polars", "do not know tables"),
    ],
)
def test_a_broken_rule_is_found(copied: Path, file: str, line: str, contract: str) -> None:
    path = copied / "src" / "payoff" / file
    path.write_text(f"{path.read_text('utf-8')}\n\n{line}\n", "utf-8")
    result = lint(copied)
    assert result.returncode == 1
    broken = [told for told in result.stdout.splitlines() if " BROKEN" in told]
    assert any(contract in told for told in broken), result.stdout


def test_a_folder_that_no_layer_lists_is_found(copied: Path) -> None:
    folder = copied / "src" / "payoff" / "cellar"
    folder.mkdir()
    (folder / "__init__.py").write_text("", "utf-8")
    result = lint(copied)
    assert result.returncode == 1
    assert "cellar" in result.stdout
