from __future__ import annotations

import errno
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.adapt.tiny_backbones import messages

from payoff.adapt.compress import compressors
from payoff.adapt.compress.int8 import Int8
from payoff.adapt.export.tokens_tier import write_static_tier
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
