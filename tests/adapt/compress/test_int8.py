from __future__ import annotations

import errno
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from tests.adapt.tiny_backbones import messages

from payoff.adapt.compress import compress_by, compressors
from payoff.adapt.compress.int8 import Int8
from payoff.adapt.export.tokens_tier import write_encoder_tier, write_static_tier
from payoff.adapt.recipes.linear import LinearHead
from payoff.artifact.runtime import open_tier
from payoff.artifact.tier import TierSpec
from payoff.core.errors import AdaptError, MachineError


def logits(spec: TierSpec, folder: Path, texts: list[str]) -> np.ndarray:
    runtime = open_tier(spec, lambda name: (folder / name).read_bytes(), threads=1)
    return runtime.logits(texts)


def test_an_encoder_becomes_smaller_and_decides_nearly_the_same(
    tier: tuple[TierSpec, Path, list[str]], tmp_path: Path
) -> None:
    spec, folder, texts = tier
    target = tmp_path / "small"
    assert Int8().applies(spec)
    small = Int8().compress(spec, folder, target)
    assert small.name == "tiny int8"
    assert small.settings == spec.settings
    assert sorted(p.name for p in target.iterdir()) == ["model.onnx", "tokenizer.json"]
    before, after = ((f / "model.onnx").stat().st_size for f in (folder, target))
    assert after < 0.6 * before
    assert (target / "tokenizer.json").read_bytes() == (folder / "tokenizer.json").read_bytes()
    plain, compressed = logits(spec, folder, texts), logits(small, target, texts)
    assert np.isfinite(compressed).all()
    assert (plain.argmax(1) == compressed.argmax(1)).mean() > 0.9
    assert 0 < np.abs(plain - compressed).max() < 1


def test_the_same_tier_gives_the_same_bytes(
    tier: tuple[TierSpec, Path, list[str]], tmp_path: Path
) -> None:
    spec, folder, _ = tier
    for name in ("one", "two"):
        Int8().compress(spec, folder, tmp_path / name)
    one, two = ((tmp_path / name / "model.onnx").read_bytes() for name in ("one", "two"))
    assert one == two


def test_what_would_not_become_faster_is_refused(
    make_bench: Callable[..., Any], table_folder: Path, tmp_path: Path
) -> None:
    texts, targets = messages([4, 4])
    opened = make_bench(texts, targets, [table_folder]).opened(str(table_folder))
    head = LinearHead(np.ones((2, 48), np.float32), np.zeros(2, np.float32))
    static = write_static_tier(opened, head, tmp_path / "static", name="static")
    for spec in (static, TierSpec("words", "ngrams")):
        assert not Int8().applies(spec)
        with pytest.raises(AdaptError, match="PF404"):
            Int8().compress(spec, tmp_path / "static", tmp_path / "small")
    assert not (tmp_path / "small").exists()


def test_a_failure_leaves_nothing_half_written(
    tier: tuple[TierSpec, Path, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, folder, _ = tier
    before = sorted(path.name for path in tmp_path.iterdir())

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    level = logging.getLogger().level
    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(MachineError, match="PF801"):
        Int8().compress(spec, folder, tmp_path / "small")
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert logging.getLogger().level == level


def test_every_compressor_has_its_own_name() -> None:
    names = [compressor.name for compressor in compressors()]
    assert "int8" in names
    assert len(set(names)) == len(names)


def test_a_bias_of_scores_is_not_left_out(
    make_bench: Callable[..., Any], mpnet_folder: Path, tmp_path: Path
) -> None:
    """MPNet's relative positions, made to matter more than they do in a random model."""
    texts, targets = messages([20, 20])
    opened = make_bench(texts, targets, [mpnet_folder]).opened(str(mpnet_folder))
    rng = np.random.default_rng(0)
    head = LinearHead(rng.normal(size=(2, 32)).astype(np.float32), np.zeros(2, np.float32))
    folder = tmp_path / "tier"
    spec = write_encoder_tier(opened, opened.encoder.layers, head, folder, name="tiny")
    model = onnx.load(folder / "model.onnx")
    relative = next(one for one in model.graph.initializer if one.name == "relative")
    values = onnx.numpy_helper.to_array(relative)

    def found(strength: float) -> np.ndarray:
        relative.CopyFrom(onnx.numpy_helper.from_array(strength * values, "relative"))
        onnx.save(model, folder / "model.onnx")
        return logits(spec, folder, texts)

    without, whole = found(0), found(100)
    small = Int8().compress(spec, folder, tmp_path / "small")
    rounded = logits(small, tmp_path / "small", texts)
    assert np.abs(rounded - whole).mean() < 0.5 * np.abs(rounded - without).mean()


def test_fewer_bits_where_sums_would_not_fit(
    tier: tuple[TierSpec, Path, list[str]], tmp_path: Path
) -> None:
    spec, folder, _ = tier
    compress_by("int8[reduced=1]", spec, folder, tmp_path / "small")
    model = onnx.load(tmp_path / "small" / "model.onnx")
    names = {node.input[1] for node in model.graph.node if node.op_type == "MatMulInteger"}
    weights = [one for one in model.graph.initializer if one.name in names]
    assert len(weights) == len(names) > 0
    assert all(np.abs(onnx.numpy_helper.to_array(one)).max() <= 64 for one in weights)
    for wrong in ("reduced=2", "reduced=0.5", "reduced=x", "reduced="):
        with pytest.raises(AdaptError, match="PF406 compressor 'int8', setting 'reduced'"):
            compress_by(f"int8[{wrong}]", spec, folder, tmp_path / "other")
