"""Artifacts that somebody changed, with all hashes made right again: told, never a crash.

A changed byte under its old hash is refused before it is read (tests/artifact/test_artifact.py).
Here whoever changed it could also sign the manifest anew. What opens must answer like a desk; all
else is a coded error. ``PAYOFF_FUZZ=2000 pytest tests/economics/test_hostile_artifacts.py`` tries
so many, with another seed each time.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.artifact.conftest import build_onnx, build_tokenizer, sign

from payoff.artifact.artifact import write_artifact
from payoff.artifact.calibration import Calibration
from payoff.artifact.runtime.ngrams import NgramRuntime, NgramVectoriser
from payoff.artifact.tier import TierSpec
from payoff.core.errors import PayoffError
from payoff.economics.cascades.cascade_gain import Gain
from payoff.economics.cascades.cascade_policy import CascadePolicy
from payoff.economics.desk import load, policy_document
from payoff.economics.payoff import Payoff
from payoff.economics.policy import Policy
from payoff.serve.service import Service

N = int(os.environ.get("PAYOFF_FUZZ", "0"))
LABELS = ("a", "b", "c")
TEXTS = ["my card", "refund money", "lost 退款 card", "x"]
JUNK: list[Any] = [
    None, True, False, -1, 0, 1, 3, 7, 1e308, -1e308, 10**30, 0.5, float("nan"), "", "a", "x" * 500,
    "\0", "../a", "ngrams", "tokens", "endpoint", "entities", "answers", "stacked", "prompted",
    [], {}, [[]], [{}], {"": []}, [1, 2, 3], [0.1, 0.2, 0.7], {"a": 1}, [["a", "b"]],
]  # fmt: skip


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models of different kinds in a cascade, as a folder."""
    folder = tmp_path_factory.mktemp("original")
    small, large = folder / "small", folder / "large"
    small.mkdir()
    large.mkdir()
    vectoriser = NgramVectoriser(["card", "lost", "refund"], ["ar"], [1.0] * 4, word=(1, 1))
    ngrams = NgramRuntime(vectoriser, np.eye(4, 3) * 4, [0.0] * 3)
    build_onnx(large / "model.onnx")
    build_tokenizer(large / "tokenizer.json")
    ends = np.array([-10.0, 10.0])
    cascade = CascadePolicy(
        ("small", "large"),
        (0.0001, 0.02),
        (Gain(np.eye(5)[0], np.zeros(3), -3.5, ends, ends, "linear"),),
    )
    payoff = Payoff(correct=3, wrong=-8, handoff=-2, currency="USD")
    policy = Policy.from_payoff(payoff, LABELS)
    return write_artifact(
        folder / "artifact",
        name="desk",
        labels=LABELS,
        tiers=[
            (TierSpec("small", "ngrams", members=ngrams.save(small)), small),
            (TierSpec("large", "tokens", settings={"max_tokens": 8, "pad_id": 0}), large),
        ],
        calibrations=[Calibration(2.0), Calibration()],
        documents={
            "policy.json": policy_document(policy, "USD", cascade=cascade),
            "evidence.json": {"rows": {"accuracy": 0.9}},
        },
        seed=0,
        data_fingerprint="",
        as_folder=True,
    )


def spots(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something could be changed in JSON."""
    if not isinstance(value, dict | list):
        return [path]
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    return [path] + [spot for key, part in parts for spot in spots(part, (*path, key))]


@st.composite
def changed_json(draw: st.DrawFn, content: bytes) -> bytes:
    """One value replaced, removed, doubled, or put elsewhere."""
    document = json.loads(content)
    places = spots(document)
    path = draw(st.sampled_from(places))
    if not path:
        return json.dumps(draw(st.sampled_from(JUNK))).encode()
    parent = document
    for key in path[:-1]:
        parent = parent[key]
    way = draw(st.sampled_from(["replace", "remove", "double", "move", "deep"]))
    if way == "replace":
        parent[path[-1]] = draw(st.sampled_from(JUNK))
    elif way == "remove":
        del parent[path[-1]]
    elif way == "double":
        if isinstance(parent, list):
            parent.append(deepcopy(parent[path[-1]]))
        else:
            parent["more"] = deepcopy(parent[path[-1]])
    elif way == "move":
        other = draw(st.sampled_from(places))
        found: Any = json.loads(content)
        for key in other:
            found = found[key]
        parent[path[-1]] = found
    else:
        parent[path[-1]] = "DEEP"
        return json.dumps(document).replace('"DEEP"', "[" * 3000 + "]" * 3000).encode()
    return json.dumps(document).encode()


@st.composite
def changed_bytes(draw: st.DrawFn, content: bytes) -> bytes:
    """Cut, with other bytes in it, or something else altogether."""
    at = draw(st.integers(0, len(content)))
    way = draw(st.sampled_from(["cut", "flip", "insert", "junk"]))
    if way == "cut":
        return content[:at]
    if way == "flip":
        return content[:at] + draw(st.binary(min_size=1, max_size=8)) + content[at + 8 :]
    if way == "insert":
        return content[:at] + draw(st.binary(min_size=1, max_size=300)) + content[at:]
    return draw(st.binary(max_size=300))


def put(original: Path, target: Path, name: str, content: bytes) -> Path:
    """The artifact with another member, or another manifest, and all hashes right."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(original, target)
    (target / name).write_bytes(content)
    if name == "manifest.json":
        try:
            document = json.loads(content)
        except (ValueError, RecursionError):
            return target
    else:
        document = json.loads((original / "manifest.json").read_bytes())
        told = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        document["members"][name] = told
    if isinstance(document, dict):
        document.pop("manifest_sha256", None)
        (target / "manifest.json").write_bytes(sign(document))
    return target


def use(path: Path) -> str:
    """Open it and ask it as a service would; what came of it."""
    try:
        with load(path, threads=1) as desk:
            decisions = desk.decide_many(TEXTS)
            for one in decisions:
                assert one.action in (*desk.labels, "handoff")
                assert 0.0 <= one.probability <= 1.0
                json.dumps(one.as_dict())
            service = Service(desk, None)
            json.dumps({**service.facts(), **service.measured()})
            service.check()
    except PayoffError as error:
        return error.code
    return "answers"


def members(original: Path) -> list[str]:
    files = [one for one in sorted(original.rglob("*")) if one.is_file()]
    return [one.relative_to(original).as_posix() for one in files]


def test_the_original_answers(original: Path) -> None:
    assert use(original) == "answers"
    assert {"manifest.json", "policy.json", "calibration.json"} < set(members(original))


def fuzz(n: int) -> Any:
    return settings(
        max_examples=N or n,
        derandomize=not N,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.parametrize(
    ("kind", "n"),
    [("manifest.json", 40), ("policy.json", 40), ("calibration.json", 20), ("tokenizer.json", 25),
     ("ngrams.json", 25), ("evidence.json", 5)],
)  # fmt: skip
def test_documents(original: Path, tmp_path: Path, kind: str, n: int) -> None:
    (name,) = [one for one in members(original) if one.rsplit("/", 1)[-1] == kind]
    content = (original / name).read_bytes()

    @fuzz(n)
    @given(changed_json(content) | changed_bytes(content))
    def hold(changed: bytes) -> None:
        use(put(original, tmp_path / "changed", name, changed))

    hold()


def test_weights_of_numpy(original: Path, tmp_path: Path) -> None:
    (name,) = [one for one in members(original) if one.endswith(".npz")]

    @fuzz(20)
    @given(changed_bytes((original / name).read_bytes()))
    def hold(changed: bytes) -> None:
        use(put(original, tmp_path / "changed", name, changed))

    hold()


PROGRAM = """
import sys
from pathlib import Path
from tests.economics.test_hostile_artifacts import put, use
original, folder = Path(sys.argv[1]), Path(sys.argv[2])
for one in sorted(folder.glob("*.onnx")):
    print(one.name, flush=True)
    print(use(put(original, folder / "changed", sys.argv[3], one.read_bytes())), flush=True)
"""


def test_models(original: Path, tmp_path: Path, repository: Path) -> None:
    """In a process of its own, since onnxruntime is no Python: a crash would be seen."""
    (name,) = [one for one in members(original) if one.endswith(".onnx")]
    n = 0

    @fuzz(25)
    @given(changed_bytes((original / name).read_bytes()))
    def collect(changed: bytes) -> None:
        nonlocal n
        n += 1
        (tmp_path / f"{n:06}.onnx").write_bytes(changed)

    collect()
    paths = [str(repository), str(repository / "src"), *filter(None, sys.path)]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(original), str(tmp_path), name],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=600 + N,
    )
    assert done.returncode == 0, (done.stdout[-300:], done.stderr[-2000:])
    told = done.stdout.split()
    assert len(told) == 2 * n
    assert {code for code in told[1::2] if code != "answers"} <= {"PF504", "PF611"}
