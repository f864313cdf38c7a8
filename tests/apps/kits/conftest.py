"""Kits written from small artifacts, and processes that find only what a kit brings."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.artifact.conftest import LABELS, build_onnx, build_tokenizer

from payoff.apps.kits.requirements import closure
from payoff.artifact.artifact import Artifact, write_artifact
from payoff.artifact.calibration import Calibration
from payoff.artifact.target import Targets, Written
from payoff.artifact.tier import TierSpec
from payoff.economics.desk import policy_document
from payoff.economics.policy import Policy


@pytest.fixture(scope="session")
def words(repository: Path) -> Path:
    """An artifact that needs no ONNX runtime."""
    return repository / "tests/artifact/frozen/format-1.zip"


@pytest.fixture(scope="session")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny artifact that needs the ONNX runtime and a tokenizer."""
    folder = tmp_path_factory.mktemp("tokens")
    build_onnx(folder / "model.onnx")
    build_tokenizer(folder / "tokenizer.json")
    policy = Policy(LABELS, np.eye(3, 4) * 10 - 5)
    return write_artifact(
        folder / "tiny.payoff",
        name="Tiny desk (v2)",
        labels=LABELS,
        tiers=[(TierSpec("tiny", "tokens", settings={"max_tokens": 8, "pad_id": 0}), folder)],
        calibrations=[Calibration(1.0)],
        documents={"policy.json": policy_document(policy, "USD")},
        seed=3,
        data_fingerprint="f" * 64,
    )


Write = Callable[..., Written]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write the kit of an artifact."""

    def _write(target: str, artifact: Path, **options: str) -> Written:
        with Artifact.open(artifact) as opened:
            out = tmp_path / f"{artifact.stem}-{target}"
            return Targets().named(target).write(opened, out, options=options)

    return _write


def installed(text: str) -> Iterator[tuple[str, str]]:
    """Names and versions that pip installs; a line that leaves the version open brings its own."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    for line in text.splitlines():
        name, _, version = line.partition("==")
        if "*" in version:
            yield from ((pin.name, "*") for pin in closure([name], python))
        else:
            yield name, version


@pytest.fixture(scope="session")
def pinned(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """A folder that holds what a kit pins, and nothing else of what is installed."""
    made: dict[str, Path] = {}

    def _pinned(kit: Path) -> Path:
        text = (kit / "requirements.txt").read_text("utf-8")
        if text not in made:
            folder = made[text] = tmp_path_factory.mktemp("pinned")
            for name, version in installed(text):
                found = distribution(name)
                assert version in {"*", found.version.partition("+")[0]}
                for file in found.files or ():
                    top = folder / file.parts[0]
                    if file.parts[0] not in {"..", "__pycache__"} and not top.exists():
                        top.symlink_to(Path(str(found.locate_file(file.parts[0]))))
        return made[text]

    return _pinned


@pytest.fixture
def environment(pinned: Callable[[Path], Path]) -> Callable[[Path], dict[str, str]]:
    """The environment of a process that finds the kit and what it pins."""

    def _environment(kit: Path) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if k in {"PATH", "LANG", "OMP_NUM_THREADS"}}
        return kept | {"PYTHONPATH": f"{kit}{os.pathsep}{pinned(kit)}", "PYTHONUNBUFFERED": "1"}

    return _environment


def alone(words: list[str]) -> list[str]:
    """A command line of ``python …`` by this Python, without what is installed beside it."""
    assert words[0] == "python" or words[0].endswith("/python")
    return [sys.executable, "-S", *words[1:]]


@pytest.fixture
def run_alone(environment: Callable[[Path], dict[str, str]]) -> Callable[..., Any]:
    """What a program in a kit's folder prints as JSON, run with what the kit pins."""

    def _run(kit: Path, code: str, **more: str) -> Any:
        ran = subprocess.run(
            alone(["python", "-c", code]),
            cwd=kit,
            env=environment(kit) | more,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout.splitlines()[-1])

    return _run


@contextmanager
def serving(command: list[str], kit: Path, environment: dict[str, str]) -> Iterator[str]:
    """The address at which a kit's service answers, until the block ends."""
    process = subprocess.Popen(
        command, cwd=kit, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
        text=True,
    )  # fmt: skip
    told: list[str] = []
    found = threading.Event()

    def read() -> None:
        for line in process.stderr or ():
            told.append(line)
            if " on http://" in line:
                found.set()
        found.set()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        assert found.wait(120)
        address = re.search(r"on http://\S+:(\d+)", "".join(told))
        assert address, told
        yield f"http://127.0.0.1:{address[1]}"
    finally:
        process.terminate()
        process.wait(60)
        reader.join()
        if process.stderr:
            process.stderr.close()
