"""The ONNX folder is run by its own program, which knows nothing of payoff."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import zstandard
from tests.adapt.export.formats.conftest import CALIBRATIONS, Compared, said

from payoff.adapt.compress.early_exit import EarlyExit
from payoff.adapt.compress.int8 import Int8
from payoff.adapt.compress.zstd import Zstd
from payoff.adapt.export.formats.onnx_model import OnnxModel
from payoff.artifact.artifact import Artifact
from payoff.artifact.target import Written
from payoff.artifact.tier import TierSpec
from payoff.core.errors import ArtifactError


def exported(artifact: Path, out: Path) -> Written:
    with Artifact.open(artifact) as opened:
        return OnnxModel().write(opened, out, options={})


def packed(spec: TierSpec, tier: Path, target: Path) -> TierSpec:
    Int8().compress(spec, tier, target.parent / "between")
    return Zstd().compress(spec, target.parent / "between", target)


@pytest.mark.parametrize("calibration", CALIBRATIONS)
def test_the_example_gives_the_artifacts_calibrated_probabilities(
    calibration: str,
    make_artifact: Callable[..., Path],
    texts: list[str],
    compare: Callable[..., Compared],
    tmp_path: Path,
) -> None:
    artifact = make_artifact(calibration=calibration, prefix="query: ")
    written = exported(artifact, tmp_path / "out")
    found = compare(artifact, texts, said(written.path, texts))
    assert found.difference < 1e-5
    assert found.flipped == 0


def test_packed_members_are_unpacked(
    make_artifact: Callable[..., Path], texts: list[str], tmp_path: Path
) -> None:
    artifact = make_artifact("mpnet", compress=packed)
    written = exported(artifact, tmp_path / "out")
    with Artifact.open(artifact, threads=1) as opened:
        for member in ("model.onnx", "tokenizer.json"):
            whole = zstandard.decompress(opened.read(f"{member}.zst"))
            assert (written.path / member).read_bytes() == whole
        # One text alone: in int8, its activations are scaled by those of the texts beside it.
        expected = opened.probabilities(texts[:1])
    np.testing.assert_allclose(said(written.path, texts[:1]), expected, atol=1e-5)


def test_what_it_lacks_is_said(make_artifact: Callable[..., Path], tmp_path: Path) -> None:
    notes = exported(make_artifact(max_pieces=4, separator="[SEP]"), tmp_path / "out").notes
    assert any("pairs" in note and "'[SEP] '" in note for note in notes)
    assert any("48 tokens" in note and "4 pieces" in note for note in notes)
    assert any("com.microsoft" in note for note in notes)
    assert any("policy" in note for note in notes)


def test_a_model_that_is_no_graph_over_tokens_is_refused(tmp_path: Path) -> None:
    frozen = Path(__file__).parents[3] / "artifact" / "frozen" / "format-1.zip"
    with pytest.raises(ArtifactError, match="PF506") as told:
        exported(frozen, tmp_path / "out")
    assert "ngrams" in str(told.value)
    assert "mlflow" in told.value.mend
    assert not list(tmp_path.iterdir())


def test_a_model_in_two_parts_is_refused(
    make_artifact: Callable[..., Path], texts: list[str], tmp_path: Path
) -> None:
    def cut(spec: TierSpec, folder: Path, target: Path) -> TierSpec:
        return EarlyExit().compress(spec, folder, target, texts=texts)

    with pytest.raises(ArtifactError, match=r"PF506.*two parts"):
        exported(make_artifact(compress=cut), tmp_path / "out")
