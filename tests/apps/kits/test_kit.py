"""What holds of every kit."""

from __future__ import annotations

import errno
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from payoff.apps.kits import requirements
from payoff.apps.kits.kit import MODEL, ROOMS, slug
from payoff.apps.kits.requirements import closure
from payoff.artifact.artifact import Artifact, write_artifact
from payoff.artifact.calibration import Calibration
from payoff.artifact.target import Targets
from payoff.artifact.tier import TierSpec
from payoff.core.errors import ArtifactError, MachineError
from payoff.core.registry import Registry

from .conftest import Write

KITS = (
    "alibaba-function", "aws-lambda", "azure-function", "container", "google-cloud-run",
    "google-function", "kserve", "sagemaker", "systemd",
)  # fmt: skip
WITH_JOURNAL = {"container", "systemd"}


def test_these_are_all() -> None:
    registered = Registry("payoff.targets", "target")._entries.values()
    assert sorted(e.name for e in registered if e.value.startswith("payoff.apps.kits")) == [*KITS]


@pytest.mark.parametrize("name", KITS)
def test_each_is_whole_and_says_what_was_not_run(name: str, write: Write, words: Path) -> None:
    written = write(name, words)
    kit = written.path
    readme = (kit / "README.md").read_text("utf-8")
    named = set(re.findall(r"^\| `([^`]+)` \|", readme, re.MULTILINE))
    found = {f.name + "/" * f.is_dir() for f in kit.iterdir()} - {"README.md"}
    assert named == found
    assert len(re.findall(r"^\$ ", readme, re.MULTILINE)) == 3
    tested, not_run = readme.split("Tested, by payoff's own tests:")[1].split("Not run:")
    assert tested.count("\n- ") > 0
    assert [f"- {n[9:]}" for n in written.notes if n.startswith("not run: ")] == [
        line for line in not_run.splitlines() if line
    ]
    assert ("No journal is kept" in readme) == (name not in WITH_JOURNAL)
    assert any("No journal" in note for note in written.notes) == (name not in WITH_JOURNAL)
    assert written.next_step
    assert Targets().named(name).name == name
    assert (kit / MODEL).read_bytes() == words.read_bytes()
    for file in (one for one in kit.iterdir() if one.is_file() and one.name != MODEL):
        text = file.read_text("utf-8")
        assert not re.search(r"\{\{|\}\}", text), file
        assert text.endswith("\n"), file
        assert not re.search(r"(?i)secret|token=|password=|pypi", text), file


@pytest.mark.parametrize("name", KITS)
def test_its_code_is_well_formed(name: str, write: Write, words: Path) -> None:
    kit = write(name, words).path
    for file in kit.glob("*.py"):
        compile(file.read_text("utf-8"), str(file), "exec")
        for words_of in (["check", "--isolated", "--select", "E,F,I,B,UP"], ["format", "--check"]):
            ran = subprocess.run(
                [sys.executable, "-m", "ruff", *words_of, "--line-length", "100", str(file)],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert ran.returncode == 0, ran.stdout
    assert {one.name for one in (kit / "payoff").iterdir() if one.is_dir()} == set(ROOMS)
    assert not list(kit.rglob("__pycache__"))


@pytest.mark.parametrize("name", KITS)
def test_an_artifact_that_decides_nothing_is_refused(
    name: str, write: Write, tokens: Path, tmp_path: Path
) -> None:
    spec = TierSpec("tiny", "tokens", settings={"max_tokens": 8, "pad_id": 0})
    made: dict[str, Any] = {
        "name": "x", "labels": ("a", "b", "c"), "tiers": [(spec, tokens.parent)],
        "calibrations": [Calibration(1.0)], "seed": 0, "data_fingerprint": "",
    }  # fmt: skip
    bare = write_artifact(tmp_path / "bare.payoff", documents={}, **made)
    with pytest.raises(ArtifactError, match=r"PF506 .*policy.json"):
        write(name, bare)
    assert [file.name for file in tmp_path.iterdir()] == ["bare.payoff"]


@pytest.mark.parametrize("name", KITS)
def test_endpoints_go_only_where_their_books_are_kept(
    name: str, write: Write, words: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = (replace(TierSpec("gpt", "endpoint"), members=()),)
    monkeypatch.setattr(Artifact, "tiers", property(lambda self: asked))
    if name not in WITH_JOURNAL:
        with pytest.raises(ArtifactError, match=r"PF506 .*endpoint.*--target container"):
            write(name, words)
        return
    pins = (write(name, words).path / "requirements.txt").read_text("utf-8")
    assert {"httpx", "genai-prices"} <= {line.split("==")[0] for line in pins.splitlines()}


def test_an_artifact_may_be_a_folder(
    write: Write, words: Path, tmp_path: Path, run_alone: Callable[..., Any]
) -> None:
    folder = tmp_path / "tickets"
    shutil.unpack_archive(words, folder)
    kit = write("aws-lambda", folder).path
    code = "import handler, json; print(json.dumps(handler.answer({'text': 'my card'}, None)))"
    assert run_alone(kit, code)["decision"]["label"] == "card"


def test_nothing_is_left_of_a_kit_that_could_not_be_written(
    write: Write, words: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(MachineError, match="PF801"):
        write("container", words)
    assert not list(tmp_path.iterdir())


def test_what_is_not_installed_cannot_be_pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(requirements, "distribution", absent)
    with pytest.raises(MachineError, match=r"PF803 uvicorn.*pip install uvicorn"):
        list(closure(["uvicorn"], "3.11"))


def test_pins_are_closed_under_what_linux_needs(repository: Path) -> None:
    roots = {*requirements.DECIDING, *requirements.SERVING, *requirements.ONNX}
    pins = {pin.name for pin in closure(roots, "3.11")}
    place = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix", "extra": ""}
    for name in pins:
        for line in distribution(name).requires or ():
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate(place):
                assert canonicalize_name(needed.name) in pins, (name, line)
    assert roots <= pins
    project = tomllib.loads((repository / "pyproject.toml").read_text("utf-8"))["project"]
    declared = [*project["dependencies"], *project["optional-dependencies"]["api"]]
    base = {Requirement(line).name for line in declared}
    assert roots | set(requirements.PACKED) | set(requirements.PAID) <= base


@pytest.mark.parametrize(
    ("name", "slugged"),
    [
        ("Bank desk (v2)", "bank-desk-v2"),
        ("--", "payoff"),
        ("7up", "payoff-7up"),
        ("客服", "payoff"),
        ("a\nb: c", "a-b-c"),
        ("x" * 99, "x" * 40),
        ("ab-" * 20, "ab-" * 13 + "a"),
    ],
)
def test_names_as_hosts_take_them(name: str, slugged: str) -> None:
    assert slug(name) == slugged
    assert re.fullmatch(r"[a-z][a-z0-9-]{0,38}[a-z0-9]|[a-z]", slug(name))
