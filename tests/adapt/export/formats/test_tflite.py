"""The file is run by LiteRT itself, in its own program, and answers as the artifact does."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.adapt.export.formats.conftest import Compared, said

from payoff.adapt.export.formats.tflite import TfLite, lengths_of
from payoff.artifact.artifact import Artifact
from payoff.artifact.target import Written
from payoff.core.errors import ArtifactError, MachineError

# Its converter asks for an older typing-extensions than others need: see decision 22.
CONVERTER = find_spec("litert_torch") is not None
needs_converter = pytest.mark.skipif(
    not CONVERTER, reason="litert-torch is not installed (the extra tflite, in its own environment)"
)


def exported(artifact: Path, out: Path, **options: str) -> Written:
    with Artifact.open(artifact) as opened:
        return TfLite().write(opened, out, options=options)


@needs_converter
@pytest.mark.filterwarnings("ignore")  # of the converter's own code
@pytest.mark.parametrize(
    ("kind", "settings"),
    [("bert", {"calibration": "vector"}), ("mpnet", {"calibration": "isotonic"})],
)
def test_the_example_gives_the_artifacts_calibrated_probabilities(
    kind: str,
    settings: dict[str, Any],
    make_artifact: Callable[..., Path],
    texts: list[str],
    compare: Callable[..., Compared],
    tmp_path: Path,
) -> None:
    artifact = make_artifact(kind, **settings)
    written = exported(artifact, tmp_path / "out", lengths="20")
    told = json.loads((written.path / "settings.json").read_text("utf-8"))
    assert told["lengths"] == [20, 48]
    found = compare(artifact, texts, said(written.path, texts))
    assert found.difference < 1e-4
    assert found.flipped <= 0.005 * found.n


@pytest.mark.skipif(CONVERTER, reason="litert-torch is installed")
def test_without_the_converter_its_pip_line_is_told(bert_artifact: Path, tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="PF803") as told:
        exported(bert_artifact, tmp_path / "out")
    assert "pip install 'payoff[tflite]'" in told.value.mend
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("lengths", ["0", "a", "16,,32", "-4", "1.5", "16,200"])
def test_lengths_that_are_none_are_refused(
    lengths: str, bert_artifact: Path, tmp_path: Path
) -> None:
    with pytest.raises(ArtifactError, match="PF507"):
        exported(bert_artifact, tmp_path / "out", lengths=lengths)
    assert not (tmp_path / "out").exists()


@given(st.integers(1, 600), st.lists(st.integers(1, 600), max_size=6))
def test_every_text_has_a_signature(max_tokens: int, told: list[int]) -> None:
    wanted = [one for one in told if one <= max_tokens]
    lengths = lengths_of(",".join(map(str, wanted)), max_tokens)
    assert lengths == sorted(set(lengths))
    assert lengths[-1] == max_tokens
    assert set(wanted) <= set(lengths)
