"""Benchmarks are run by hand, so that nothing else tells where the product has moved on."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted([*(ROOT / "benchmarks").glob("*.py"), *(ROOT / "tools").glob("*.py")])


def imported(path: Path) -> list[tuple[str, str]]:
    """Modules of the product and the names that a file takes from them."""
    return [
        (node.module, alias.name)
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("payoff")
        for alias in node.names
        if node.module
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_what_is_imported_is_there(path: Path) -> None:
    for module, name in imported(path):
        found = importlib.import_module(module)
        if not hasattr(found, name):
            importlib.import_module(f"{module}.{name}")


def test_some_files_import_something() -> None:
    assert sum(bool(imported(path)) for path in FILES) > 20
