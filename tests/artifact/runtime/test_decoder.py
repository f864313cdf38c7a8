"""What a decoder's session refuses; what it computes is held against torch elsewhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from payoff.artifact.runtime.decoder import DecoderSession
from payoff.artifact.tier import TierSpec
from payoff.core.errors import ArtifactError

from ..conftest import build_onnx

SPEC = TierSpec("tiny", "prompted")


def opened(folder: Path) -> DecoderSession:
    return DecoderSession.open(SPEC, lambda m: (folder / m).read_bytes(), threads=1)


def rewritten(source: Path, target: Path, *, old: str = "", new: str = "", axis: int = -1) -> Path:
    """The graph with another name of an output, or with one size of its past left open."""
    onnx = pytest.importorskip("onnx")
    model = onnx.load(source / "model.onnx")
    for output in model.graph.output:
        output.name = new if output.name == old else output.name
    for node in model.graph.node:
        node.output[:] = [new if name == old else name for name in node.output]
    for one in model.graph.input:
        if one.name == "past" and axis >= 0:
            one.type.tensor_type.shape.dim[axis].dim_param = "open"
    onnx.save(model, target / "model.onnx")
    return target


def test_a_graph_that_is_no_decoder(prompted_folder: Path, tmp_path: Path) -> None:
    build_onnx(tmp_path / "model.onnx")
    with pytest.raises(ArtifactError, match=r"PF504 tier 'tiny': the graph takes"):
        opened(tmp_path)
    rewritten(prompted_folder, tmp_path, old="present", new="gone")
    with pytest.raises(ArtifactError, match=r"PF504 tier 'tiny': the graph gives .*gone"):
        opened(tmp_path)
    rewritten(prompted_folder, tmp_path, axis=3)
    with pytest.raises(ArtifactError, match=r"PF504 tier 'tiny': its past is"):
        opened(tmp_path)


def test_tokens_that_it_does_not_know(prompted_folder: Path) -> None:
    decoder = opened(prompted_folder)
    assert decoder.vocabulary == 264
    with pytest.raises(ArtifactError, match=r"PF504 model.onnx: it failed on \(1, 1\)"):
        decoder.run(np.array([[264]]), decoder.empty_past(), [0])


def test_nothing_is_kept_between_calls(prompted_folder: Path) -> None:
    decoder = opened(prompted_folder)
    ids, other = np.array([[4, 9, 7]]), np.array([[1, 2]])
    first = decoder.run(ids, decoder.empty_past(), [2])[0]
    decoder.run(other, decoder.empty_past(), [1])
    assert (decoder.run(ids, decoder.empty_past(), [2])[0] == first).all()
