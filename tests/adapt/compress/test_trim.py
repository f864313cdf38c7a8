"""A trimmed tier answers its own texts as before, and others nearly so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from tests.adapt.compress.test_int8 import logits
from tests.adapt.tiny_backbones import messages

from payoff.adapt.compress import compress_by, ways
from payoff.adapt.compress.trim import Trim
from payoff.adapt.export.tokens_tier import write_encoder_tier, write_static_tier
from payoff.adapt.recipes.linear import LinearHead
from payoff.artifact.tier import TierSpec
from payoff.core.errors import AdaptError

Tier = tuple[TierSpec, Path, list[str]]


FEW = Trim(general=0)
"""The tokenizers here are smaller than what is kept by default."""


@pytest.fixture(params=["bert", "mpnet", "static"])
def tier(
    request: pytest.FixtureRequest,
    make_bench: Callable[..., Any],
    bert_folder: Path,
    mpnet_folder: Path,
    table_folder: Path,
    tmp_path: Path,
) -> Tier:
    folder = {"bert": bert_folder, "mpnet": mpnet_folder, "static": table_folder}[request.param]
    texts, targets = messages([8, 8, 8])
    opened = make_bench(texts, targets, [folder]).opened(str(folder))
    width = 48 if request.param == "static" else opened.encoder.shape.width
    rng = np.random.default_rng(0)
    head = LinearHead(rng.normal(size=(3, width)).astype(np.float32), np.zeros(3, np.float32))
    target = tmp_path / "tier"
    if request.param == "static":
        return write_static_tier(opened, head, target, name="tiny"), target, texts
    spec = write_encoder_tier(opened, opened.encoder.layers, head, target, name="tiny")
    return spec, target, texts


def test_its_own_texts_are_answered_bit_for_bit(tier: Tier, tmp_path: Path) -> None:
    spec, folder, texts = tier
    small = FEW.compress(spec, folder, tmp_path / "small", texts=texts)
    assert small.name == "tiny trim"
    np.testing.assert_array_equal(
        logits(small, tmp_path / "small", texts), logits(spec, folder, texts)
    )
    before, after = (
        (place / "model.onnx").stat().st_size + (place / "tokenizer.json").stat().st_size
        for place in (folder, tmp_path / "small")
    )
    assert after < before


def test_other_texts_are_answered_too(tier: Tier, tmp_path: Path) -> None:
    spec, folder, texts = tier
    small = FEW.compress(spec, folder, tmp_path / "small", texts=texts)
    new = messages([4, 4, 4], seed=99)[0] + ["zzzzq qqq", "什么 ⚡", ""]
    found = logits(small, tmp_path / "small", new)
    assert found.shape == (15, 3)
    assert np.isfinite(found).all()


def test_in_any_order_with_int8(tier: Tier, tmp_path: Path) -> None:
    spec, folder, texts = tier
    if spec.settings.get("static"):
        assert ways(spec) == []
        return
    assert ways(spec) == ["int8", "trim+int8"]
    found = [
        logits(compress_by(way, spec, folder, tmp_path / way, texts=texts), tmp_path / way, texts)
        for way in ("int8", "trim[general=0]+int8", "int8+trim[general=0]")
    ]
    np.testing.assert_array_equal(found[2], found[0])
    # A table's single scale is that of the rows that are left.
    np.testing.assert_allclose(found[1], found[0], atol=0.5)
    assert (found[1].argmax(1) == found[0].argmax(1)).mean() > 0.8


def test_the_same_tier_gives_the_same_bytes(tier: Tier, tmp_path: Path) -> None:
    spec, folder, texts = tier
    for name in ("one", "two"):
        FEW.compress(spec, folder, tmp_path / name, texts=texts)
    for member in spec.members:
        one, two = ((tmp_path / name / member).read_bytes() for name in ("one", "two"))
        assert one == two


class TestRefusals:
    def test_without_texts(self, tier: Tier, tmp_path: Path) -> None:
        spec, folder, _ = tier
        with pytest.raises(AdaptError, match="PF411 tier 'tiny': there are no texts"):
            FEW.compress(spec, folder, tmp_path / "small")
        assert not (tmp_path / "small").exists()

    def test_a_tier_without_tokens(self, tmp_path: Path) -> None:
        with pytest.raises(AdaptError, match="PF404"):
            Trim().compress(TierSpec("words", "ngrams"), tmp_path, tmp_path / "x", texts=["a"])

    def test_a_table_that_is_used_elsewhere(self, tier: Tier, tmp_path: Path) -> None:
        spec, folder, texts = tier
        model = onnx.load(folder / "model.onnx")
        table = next(n.input[0] for n in model.graph.node if "input_ids" in n.input[1:])
        model.graph.node.append(onnx.helper.make_node("Shape", [table], ["size"], name="size"))
        onnx.save(model, folder / "model.onnx")
        with pytest.raises(AdaptError, match="PF404 tier 'tiny': no table that tokens alone"):
            FEW.compress(spec, folder, tmp_path / "small", texts=texts)
        assert not (tmp_path / "small").exists()

    def test_an_unknown_compressor(self, tier: Tier, tmp_path: Path) -> None:
        spec, folder, _ = tier
        with pytest.raises(AdaptError, match="PF401 compressor 'int9'"):
            compress_by("trim+int9", spec, folder, tmp_path / "small")
