"""Tracked files: nothing of one machine in them, and versions that agree."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import payoff

# Put together here, so that this file does not hold what it looks for.
OF_A_MACHINE = re.compile(
    "|".join(
        [
            r"(?<![\w.])/" + r"(?:work|root)/",
            r"(?<![\w.])/" + r"home/\w+/",
            r"/" + r"tmp/[a-z]",
            r"(?:files\.)?python" + r"hosted\.org",
            r"py" + r"pi\.org",
            r"npm" + r"js\.(?:org|com)",
        ]
    )
)


APART = {"tflite"}
"""Extras that cannot be installed beside the others: see decision 22."""


@pytest.fixture(scope="module")
def tracked(repository: Path) -> list[Path]:
    result = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        pytest.skip("this is no git work tree, so there is no list of tracked files")
    paths = [repository / line for line in result.stdout.splitlines()]
    return [path for path in paths if path.is_file()]


def texts(paths: list[Path]) -> dict[Path, str]:
    found = {}
    for path in paths:
        content = path.read_bytes()
        if b"\0" not in content[:8192]:
            found[path] = content.decode("utf-8", errors="replace")
    return found


def test_no_file_names_a_place_of_one_machine(tracked: list[Path]) -> None:
    found = {
        str(path): match[0]
        for path, text in texts(tracked).items()
        if (match := OF_A_MACHINE.search(text))
    }
    assert not found


def test_no_file_names_the_index_that_pip_uses_here(tracked: list[Path]) -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    hosts = {urlsplit(url).hostname for url in re.findall(r"https?://[^\s'\"]+", listed)} - {None}
    if not hosts:
        pytest.skip("pip is not configured with an index of its own here")
    content = texts(tracked)
    assert not {(str(p), h) for p, text in content.items() for h in hosts if str(h) in text}


def test_the_version_is_the_same_everywhere(repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == payoff.__version__
    changelog = (repository / "CHANGELOG.md").read_text("utf-8")
    assert f"## [{payoff.__version__}]" in changelog


def test_the_constraints_pin_every_dependency_once(repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text("utf-8"))["project"]
    lines = (repository / "constraints.txt").read_text("utf-8").splitlines()
    pins = [line.split("==")[0] for line in lines if not line.startswith("#")]
    assert pins == sorted(set(pins))
    assert all(re.fullmatch(r"[a-z0-9-]+==[\w.]+", line) for line in lines if line[0] != "#")
    extras = project["optional-dependencies"]
    tested = [lines for extra, lines in extras.items() if extra not in APART]
    assert not any(extra in line for extra in APART for line in chain(*tested))
    needed = [*project["dependencies"], *chain(*tested)]
    names = {re.split(r"[\[<>=~!; ]", line)[0].lower() for line in needed} - {"payoff"}
    assert names <= set(pins)
