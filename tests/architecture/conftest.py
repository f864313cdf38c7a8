"""The package's source, parsed once, as the tests of this folder look at it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "payoff"
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True)
class Module:
    """One file of the package."""

    path: Path

    @cached_property
    def text(self) -> str:
        return self.path.read_text("utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def name(self) -> str:
        """Path below the package, such as ``core/money.py``."""
        return self.path.relative_to(SOURCE).as_posix()

    @property
    def room(self) -> str:
        """The first folder; empty for the package's own files."""
        parts = self.path.relative_to(SOURCE).parts
        return parts[0] if len(parts) > 1 else ""

    def public(self, body: list[ast.stmt] | None = None) -> Iterator[ast.stmt]:
        """Definitions whose names do not begin with an underscore."""
        for node in self.tree.body if body is None else body:
            if isinstance(node, DEFINITIONS) and not node.name.startswith("_"):
                yield node

    def constants(self) -> Iterator[str]:
        """Texts in the code that are no docstrings."""
        docstrings = {id(node.value) for node in ast.walk(self.tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(self.tree):
            text = isinstance(node, ast.Constant) and isinstance(node.value, str)
            if text and id(node) not in docstrings:
                yield node.value


@pytest.fixture(scope="session")
def modules() -> tuple[Module, ...]:
    """Every Python file of the package."""
    return tuple(Module(path) for path in sorted(SOURCE.rglob("*.py")))
