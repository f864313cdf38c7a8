"""Linters that pip installs, where it puts them: beside the interpreter, on the path or not."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest


def linter(name: str, package: str) -> str:
    """The path of a linter; skips the test without it."""
    places = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    found = shutil.which(name, path=places)
    if found is None:
        pytest.skip(f"{name} is not installed: pip install {package}")
    return found
