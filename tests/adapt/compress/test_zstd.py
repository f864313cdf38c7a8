"""A packed tier is smaller and answers bit for bit as before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zstandard
from tests.adapt.compress.test_int8 import logits

from payoff.adapt.compress import compress_by
from payoff.adapt.compress.zstd import Zstd
from payoff.artifact.artifact import Artifact
from payoff.artifact.calibration import Calibration
from payoff.artifact.runtime.packed import MOST_BYTES
from payoff.artifact.tier import TierSpec
from payoff.artifact.write import write_artifact
from payoff.core.errors import AdaptError, ArtifactError

Tier = tuple[TierSpec, Path, list[str]]


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def test_it_is_smaller_and_the_same(tier: Tier, tmp_path: Path) -> None:
    spec, folder, texts = tier
    small = Zstd().compress(spec, folder, tmp_path / "small")
    assert small.members == ("model.onnx.zst", "tokenizer.json.zst")
    assert sorted(p.name for p in (tmp_path / "small").iterdir()) == sorted(small.members)
    assert size(tmp_path / "small") < size(folder)
    for member in spec.members:
        packed = (tmp_path / "small" / f"{member}.zst").read_bytes()
        assert zstandard.ZstdDecompressor().decompress(packed) == (folder / member).read_bytes()
    np.testing.assert_array_equal(
        logits(small, tmp_path / "small", texts), logits(spec, folder, texts)
    )


def test_it_is_served_from_an_artifact(tier: Tier, tmp_path: Path) -> None:
    spec, folder, texts = tier
    found = []
    for way in ("int8", "int8+zstd"):
        place = tmp_path / way
        write_artifact(
            tmp_path / f"{way}.payoff",
            name="tiny",
            labels=["a", "b", "c"],
            tiers=[(compress_by(way, spec, folder, place), place)],
            calibrations=[Calibration()],
            documents={},
            seed=0,
            data_fingerprint="",
        )
        with Artifact.open(tmp_path / f"{way}.payoff", threads=1) as artifact:
            found.append(artifact.probabilities(texts))
    np.testing.assert_array_equal(*found)
    plain, packed = ((tmp_path / f"{way}.payoff").stat().st_size for way in ("int8", "int8+zstd"))
    assert packed < plain


def test_what_does_not_become_smaller_stays_as_it_is(tier: Tier, tmp_path: Path) -> None:
    spec, folder, _ = tier
    (folder / "tokenizer.json").write_bytes(np.random.default_rng(0).bytes(5000))
    small = Zstd().compress(spec, folder, tmp_path / "small")
    assert small.members == ("model.onnx.zst", "tokenizer.json")


class TestRefusals:
    def test_packing_twice(self, tier: Tier, tmp_path: Path) -> None:
        spec, folder, _ = tier
        small = Zstd().compress(spec, folder, tmp_path / "small")
        assert not Zstd().applies(small)
        with pytest.raises(AdaptError, match="PF404 tier 'tiny zstd'"):
            Zstd().compress(small, tmp_path / "small", tmp_path / "again")

    @pytest.mark.parametrize("harm", ["cut", "changed", "another"])
    def test_a_broken_frame(self, harm: str, tier: Tier, tmp_path: Path) -> None:
        spec, folder, texts = tier
        small = Zstd().compress(spec, folder, tmp_path / "small")
        path = tmp_path / "small" / "model.onnx.zst"
        whole = path.read_bytes()
        path.write_bytes(
            {
                "cut": whole[: len(whole) // 2],
                "changed": whole[:100] + bytes([whole[100] ^ 0xFF]) * 40 + whole[140:],
                "another": b"no frame at all",
            }[harm]
        )
        with pytest.raises(ArtifactError, match="PF504"):
            logits(small, tmp_path / "small", texts)

    def test_a_frame_that_says_it_is_too_large(self, tier: Tier, tmp_path: Path) -> None:
        spec, folder, texts = tier
        small = Zstd().compress(spec, folder, tmp_path / "small")
        # Magic number, a descriptor with eight bytes of content size, then that size.
        huge = b"\x28\xb5\x2f\xfd" + bytes([0b11100000]) + (MOST_BYTES + 1).to_bytes(8, "little")
        bomb = zstandard.compress(bytes(10_000_000))
        for frame in (huge, bomb):
            (tmp_path / "small" / "model.onnx.zst").write_bytes(frame)
            with pytest.raises(ArtifactError, match=r"PF504 .* model\.onnx\.zst says that it has"):
                logits(small, tmp_path / "small", texts)

    def test_what_would_look_like_a_bomb_is_not_packed(self, tier: Tier, tmp_path: Path) -> None:
        spec, folder, _ = tier
        (folder / "tokenizer.json").write_bytes(b" " * 1_000_000)
        small = Zstd().compress(spec, folder, tmp_path / "small")
        assert small.members == ("model.onnx.zst", "tokenizer.json")
