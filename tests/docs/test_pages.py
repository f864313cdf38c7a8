"""The pages say what the source says."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from payoff.plan.project import SCHEMA


def test_the_generated_pages_are_fresh(repository: Path) -> None:
    result = subprocess.run(
        [sys.executable, str(repository / "tools" / "make_docs.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")


def test_the_project_page_names_every_key_and_no_other(repository: Path) -> None:
    page = (repository / "docs" / "project-file.md").read_text("utf-8")
    page = re.sub(r"^### .+?(?=^##? )", "", page, flags=re.MULTILINE | re.DOTALL)  # within a key
    sections = dict(
        zip(*[iter(re.split(r"^## (.+)$", page, flags=re.MULTILINE)[1:])] * 2, strict=True)
    )
    assert sections.keys() == {f"[{name}]" if name else "Top" for name in SCHEMA}
    for name, keys in SCHEMA.items():
        rows = re.findall(r"^\| (`.+?) \|", sections[f"[{name}]" if name else "Top"], re.MULTILINE)
        named = {key for row in rows for key in re.findall(r"`(\w+)`", row)}
        assert named == set(keys), name


def test_the_dependency_page_names_every_dependency(repository: Path) -> None:
    page = (repository / "docs" / "decisions" / "0004-dependencies.md").read_text("utf-8")
    project = tomllib.loads((repository / "pyproject.toml").read_text("utf-8"))["project"]
    # What cannot be installed beside the rest has its sizes in a decision of its own.
    page += (repository / "docs" / "decisions" / "0022-exports.md").read_text("utf-8")
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    names = {re.split(r"[\[<>=~!; ]", line)[0].lower() for group in groups for line in group}
    lacking = {name for name in names - {"payoff"} if not re.search(rf"\n\| {name}[ |]", page)}
    assert lacking == set()


@pytest.mark.parametrize("pattern", ["*.md", "docs/**/*.md"])
def test_links_within_the_repository_lead_somewhere(repository: Path, pattern: str) -> None:
    dead = []
    for path in repository.glob(pattern):
        for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text("utf-8")):
            place = urlsplit(target)
            if not place.scheme and place.path and not (path.parent / place.path).exists():
                dead.append(f"{path.name}: {target}")
    assert not dead


def test_every_decision_is_in_the_index(repository: Path) -> None:
    folder = repository / "docs" / "decisions"
    index = (folder / "index.md").read_text("utf-8")
    records = sorted(path.name for path in folder.glob("[0-9]*.md"))
    assert [name for name in records if name not in index] == []
