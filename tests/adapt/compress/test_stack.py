"""A stack is compressed by its member with layers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.adapt.compress.test_int8 import logits
from tests.adapt.tiny_backbones import messages

from payoff.adapt.compress import compress_by, compressed_part, compressors, ways
from payoff.adapt.compress.stages import STAGES, at_stage
from payoff.adapt.recipes.stacked import Stacked
from payoff.artifact.artifact import Artifact
from payoff.artifact.calibration import Calibration
from payoff.artifact.tier import TierSpec
from payoff.artifact.write import write_artifact
from payoff.core.errors import AdaptError

Stack = tuple[TierSpec, Path, list[str]]


@pytest.fixture
def stack(make_bench: Callable[..., Any], bert_folder: Path, tmp_path: Path) -> Stack:
    """A bag of words beside a frozen encoder."""
    texts, targets = messages([40, 40, 40])
    bench = make_bench(texts, targets, [bert_folder], n_train=80)
    (candidate,) = Stacked().standard(bench)
    attempt = Stacked().start(candidate, bench)
    attempt.advance(1.0)
    (tmp_path / "saved").mkdir()
    attempt.save(tmp_path / "saved")
    spec = Stacked().export(candidate, bench, tmp_path / "saved", tmp_path / "stack")
    return spec, tmp_path / "stack", texts


@pytest.mark.parametrize("way", ["int8", "trim+int8", "early-exit", "trim+int8+zstd", "fp16"])
def test_it_answers_nearly_the_same_from_fewer_bytes(
    way: str, stack: Stack, tmp_path: Path
) -> None:
    spec, folder, texts = stack
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    small = compress_by(way, spec, folder, tmp_path / "small", texts=texts)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert small.name == f"{spec.name} {way.replace('+', ' ')}"
    assert sorted(path.name for path in (tmp_path / "small").iterdir()) == sorted(small.members)
    files = (tmp_path / "small").iterdir()
    most = 1.05 if way == "early-exit" else 0.9  # another head
    assert sum(path.stat().st_size for path in files) < most * sum(map(len, before.values()))
    for name in ("0-ngrams.json", "0-weights.npz"):
        assert (tmp_path / "small" / name).read_bytes() == before[name], "not what was asked for"
    kept = json.loads((tmp_path / "small" / "stack.json").read_bytes())
    assert kept["weights"] == json.loads(before["stack.json"])["weights"]
    whole, new = logits(spec, folder, texts), logits(small, tmp_path / "small", texts)
    assert np.abs(new - whole).mean() < 0.1 * whole.std()
    assert (new.argmax(1) == whole.argmax(1)).mean() > 0.9


def test_what_comes_next_is_what_its_member_can_take(stack: Stack, tmp_path: Path) -> None:
    spec, folder, texts = stack
    part = compressed_part(spec, folder)
    assert part.kind == "tokens"
    assert ways(part) == ["int8", "trim+int8"]
    assert "int8" in at_stage("numbers", part, compressors())
    small = compress_by("int8+zstd", spec, folder, tmp_path / "small", texts=texts)
    packed = compressed_part(small, tmp_path / "small")
    assert [at_stage(stage, packed, compressors()) for stage in STAGES] == [[]] * len(STAGES)
    with pytest.raises(AdaptError, match="PF404"):
        compress_by("int8", small, tmp_path / "small", tmp_path / "again", texts=texts)
    assert not (tmp_path / "again").exists()


def test_an_artifact_holds_a_packed_member(stack: Stack, tmp_path: Path) -> None:
    spec, folder, texts = stack
    small = compress_by("trim+int8+zstd", spec, folder, tmp_path / "small", texts=texts)
    write_artifact(
        tmp_path / "desk.payoff",
        name="desk",
        labels=("a", "b", "c"),
        tiers=[(small, tmp_path / "small")],
        calibrations=[Calibration()],
        documents={},
        seed=0,
        data_fingerprint="",
    )
    with Artifact.open(tmp_path / "desk.payoff") as opened:
        said = opened.runtime(0).logits(texts)
    assert np.abs(said - logits(small, tmp_path / "small", texts)).max() < 1e-4


def test_a_stack_without_an_encoder_is_left_alone(stack: Stack, tmp_path: Path) -> None:
    spec, folder, texts = stack
    content = json.loads((folder / "stack.json").read_bytes())
    words = content | {key: content[key][:1] for key in ("members", "weights", "temperatures")}
    (folder / "stack.json").write_text(json.dumps(words), "utf-8")
    alone = replace(spec, members=("stack.json", "0-ngrams.json", "0-weights.npz"))
    assert ways(compressed_part(alone, folder)) == []
    with pytest.raises(AdaptError, match="PF404"):
        compress_by("int8", alone, folder, tmp_path / "small", texts=texts)
