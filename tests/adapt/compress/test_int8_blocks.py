"""A decoder in 8-bit blocks is a third of its size and says nearly the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from tests.adapt.plain_decoder import byte_tokenizer, random_decoder

from payoff.adapt.compress import int8_blocks
from payoff.adapt.compress.int8_blocks import Int8Blocks
from payoff.adapt.export.decoder_tier import write_answers_tier, write_prompted_tier
from payoff.artifact.runtime import open_tier
from payoff.artifact.runtime.answers import AnswerRuntime
from payoff.artifact.runtime.prompt import AnswerPrompt, Prompt
from payoff.artifact.tier import TierSpec
from payoff.core.errors import AdaptError

LABELS = (" card", " refund", " car lost", "Z")
TEXTS = ["where is my card?", "退款", "", "a car"]


@pytest.fixture
def tier(tmp_path: Path) -> tuple[TierSpec, Path]:
    prompt = Prompt("Topic of: ", " is", LABELS, 64).as_dict()
    folder = tmp_path / "tier"
    return write_prompted_tier(
        random_decoder(), byte_tokenizer(), prompt, folder, name="tiny"
    ), folder


def scores(spec: TierSpec, folder: Path) -> np.ndarray:
    return open_tier(spec, lambda name: (folder / name).read_bytes(), threads=1).logits(TEXTS)


def test_scores_stay_nearly_the_same(tier: tuple[TierSpec, Path], tmp_path: Path) -> None:
    spec, folder = tier
    target = tmp_path / "small"
    assert Int8Blocks().applies(spec)
    small = Int8Blocks().compress(spec, folder, target)
    assert (small.name, small.kind, small.members) == ("tiny int8", "prompted", spec.members)
    for name in ("tokenizer.json", "prompt.json"):
        assert (target / name).read_bytes() == (folder / name).read_bytes()
    whole, found = scores(spec, folder), scores(small, target)
    assert 0 < np.abs(found - whole).max() < 0.1 * whole.std()
    again = Int8Blocks().compress(spec, folder, tmp_path / "again")
    assert again == small
    files = [f / "model.onnx" for f in (target, tmp_path / "again")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_no_matrix_is_left_in_floats(tier: tuple[TierSpec, Path], tmp_path: Path) -> None:
    Int8Blocks().compress(*tier, tmp_path / "small")
    graph = onnx.load(tmp_path / "small" / "model.onnx").graph
    n_bytes = {one.name: int(np.prod(one.dims)) for one in graph.initializer if one.data_type == 2}
    assert len(n_bytes) == 3 * 4 + 1  # four matrices a layer, and the table of words once
    floats = [one for one in graph.initializer if one.data_type == 1 and len(one.dims) == 2]
    assert {one.name.rsplit(".", 1)[1] for one in floats} == {"scales"}


def test_weights_are_off_by_half_a_step_at_most() -> None:
    rows = np.random.default_rng(0).normal(size=(5, 70)).astype(np.float32)
    rows[2] = 0
    made = int8_blocks._blocks(rows)
    assert made["bytes"].shape == (5, 5, 16)
    again = (made["bytes"].astype(np.float32) - 128) * made["scales"][..., None]
    flat = again.reshape(5, 80)
    assert (flat[:, 70:] == 0).all()
    steps = np.repeat(made["scales"], 16, axis=1)[:, :70]
    assert (np.abs(flat[:, :70] - rows) <= steps * 0.5001).all()
    assert (flat[2] == 0).all()


def test_answers_go_on_as_before(tmp_path: Path) -> None:
    prompt = AnswerPrompt("Q: ", " A:", ("<|im_end|>",), 32, 4).as_dict()
    spec = write_answers_tier(
        random_decoder(), byte_tokenizer(), prompt, tmp_path / "tier", name="tiny"
    )
    small = Int8Blocks().compress(spec, tmp_path / "tier", tmp_path / "small")

    def answers(one: TierSpec, folder: Path) -> list[str]:
        return AnswerRuntime.open(one, lambda name: (folder / name).read_bytes()).answers(TEXTS)

    whole, found = answers(spec, tmp_path / "tier"), answers(small, tmp_path / "small")
    assert sum(a == b for a, b in zip(whole, found, strict=True)) >= 3


def test_other_tiers_are_refused(tmp_path: Path) -> None:
    spec = TierSpec("words", "ngrams")
    assert not Int8Blocks().applies(spec)
    with pytest.raises(AdaptError, match="PF404 tier 'words'"):
        Int8Blocks().compress(spec, tmp_path, tmp_path / "small")
