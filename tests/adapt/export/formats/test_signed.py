"""The signed copy is the artifact; whoever wants signatures takes no other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.artifact.test_signature import make_pair

import payoff
from payoff.adapt.export.formats.signed import Signed
from payoff.artifact.artifact import Artifact
from payoff.core.errors import ArtifactError


def test_a_signed_copy_answers_alike_and_the_unsigned_one_is_refused(
    bert_artifact: Path, texts: list[str], tmp_path: Path
) -> None:
    private, public = make_pair(tmp_path / "keys", "mine")
    with Artifact.open(bert_artifact) as opened:
        written = Signed().write(opened, tmp_path / "s.payoff", options={"key": str(private)})
    assert "PAYOFF_TRUSTED_KEYS" in written.notes[0]
    with (
        payoff.load(written.path, threads=1, trusted_keys=public) as signed,
        payoff.load(bert_artifact, threads=1) as plain,
    ):
        expected = plain.probabilities(texts[:20])
        np.testing.assert_array_equal(signed.probabilities(texts[:20]), expected)
    with pytest.raises(ArtifactError, match="PF508"):
        payoff.load(bert_artifact, trusted_keys=public)


def test_a_key_is_needed(bert_artifact: Path, tmp_path: Path) -> None:
    with Artifact.open(bert_artifact) as opened, pytest.raises(ArtifactError, match="PF507"):
        Signed().write(opened, tmp_path / "s.payoff", options={})
    assert not list(tmp_path.iterdir())
