"""What every compressor promises, checked for all that are registered."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from tests.adapt.compress.test_int8 import logits
from tests.adapt.plain_decoder import byte_tokenizer, random_decoder
from tests.adapt.tiny_backbones import messages

from payoff.adapt.compress import compress_by, compressors
from payoff.adapt.compress.compressor import Compressor
from payoff.adapt.export.decoder_tier import write_prompted_tier
from payoff.artifact.artifact import Artifact
from payoff.artifact.calibration import Calibration
from payoff.artifact.runtime.prompt import Prompt
from payoff.artifact.tier import TierSpec
from payoff.artifact.write import write_artifact
from payoff.core.errors import AdaptError, MachineError

Tier = tuple[TierSpec, Path, list[str]]

ALL = compressors()
LABELS = ("a", "b", "c")
by_compressor = pytest.mark.parametrize("one", ALL, ids=[one.name for one in ALL])


@pytest.fixture
def given(one: Compressor, tier: Tier, tmp_path: Path) -> Tier:
    """An encoder, or a decoder for what serves those alone."""
    if one.applies(tier[0]):
        return tier
    prompt = Prompt("Topic of: ", " is", (" card", " refund", " car lost"), 64).as_dict()
    folder = tmp_path / "decoder"
    spec = write_prompted_tier(random_decoder(), byte_tokenizer(), prompt, folder, name="tiny")
    assert one.applies(spec)
    return spec, folder, tier[2]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@by_compressor
def test_a_smaller_tier_answers_nearly_the_same(
    one: Compressor, given: Tier, tmp_path: Path
) -> None:
    spec, folder, texts = given
    before = contents(folder)
    small = one.compress(spec, folder, tmp_path / "small", texts=texts)
    assert contents(folder) == before
    found = contents(tmp_path / "small")
    assert sorted(found) == sorted(small.members)
    more = 1.05 if one.stage == "exits" else 1.0  # another head
    assert sum(map(len, found.values())) <= more * sum(map(len, before.values()))
    assert small.name.startswith(f"{spec.name} ")
    assert small.kind == spec.kind
    whole, new = logits(spec, folder, texts), logits(small, tmp_path / "small", texts)
    assert np.isfinite(new).all()
    assert np.abs(new - whole).mean() < 0.1 * whole.std()
    assert (new.argmax(1) == whole.argmax(1)).mean() > 0.9
    unseen = messages([3, 3, 3], seed=5)[0] + ["", "⚡ 什么", "zzz " * 90]
    assert np.isfinite(logits(small, tmp_path / "small", unseen)).all()


@by_compressor
def test_the_same_tier_gives_the_same_bytes(one: Compressor, given: Tier, tmp_path: Path) -> None:
    spec, folder, texts = given
    specs = [one.compress(spec, folder, tmp_path / name, texts=texts) for name in ("i", "ii")]
    assert specs[0] == specs[1]
    assert contents(tmp_path / "i") == contents(tmp_path / "ii")


@by_compressor
def test_an_artifact_holds_it(one: Compressor, given: Tier, tmp_path: Path) -> None:
    spec, folder, texts = given
    small = one.compress(spec, folder, tmp_path / "small", texts=texts)
    assert TierSpec(**small.as_dict()) == small
    write_artifact(
        tmp_path / "tiny.payoff",
        name="tiny",
        labels=LABELS,
        tiers=[(small, tmp_path / "small")],
        calibrations=[Calibration()],
        documents={},
        seed=0,
        data_fingerprint="",
    )
    with Artifact.open(tmp_path / "tiny.payoff", threads=1) as artifact:
        found = artifact.probabilities(texts[:20])
    scores = logits(small, tmp_path / "small", texts[:20])
    assert (found.argmax(1) == scores.argmax(1)).all()


NEEDS_NO_TEXTS = {"fp16", "int8", "int8-blocks", "zstd"}
NEEDS_ONE = {"trim"}


@by_compressor
@pytest.mark.parametrize("n", [0, 5])
def test_few_texts_are_enough_or_refused(
    n: int, one: Compressor, given: Tier, tmp_path: Path
) -> None:
    spec, folder, texts = given
    if one.name in NEEDS_NO_TEXTS or (n and one.name in NEEDS_ONE):
        one.compress(spec, folder, tmp_path / "small", texts=texts[:n])
        return
    with pytest.raises(AdaptError, match="PF412 .* 5 different" if n else "PF411"):
        one.compress(spec, folder, tmp_path / "small", texts=texts[:n] * 20)
    assert not (tmp_path / "small").exists()


@by_compressor
def test_what_it_is_not_for_is_refused(one: Compressor, given: Tier, tmp_path: Path) -> None:
    _, folder, texts = given
    endpoint = {"base_url": "http://127.0.0.1:1", "model": "m", "key_variable": "K"}
    others = [
        TierSpec("words", "ngrams"),
        TierSpec("far", "endpoint", settings=endpoint),
        TierSpec("packed", "tokens", ("model.onnx.zst", "tokenizer.json")),
    ]
    for other in others:
        assert not one.applies(other)
        with pytest.raises(AdaptError, match=f"PF404 tier '{other.name}'"):
            one.compress(other, folder, tmp_path / "small", texts=texts)
    assert not (tmp_path / "small").exists()


@contextmanager
def full_after(n_bytes: int) -> Iterator[None]:
    """No file can become longer than this."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@by_compressor
def test_a_full_disk_leaves_nothing_half_written(
    one: Compressor, given: Tier, tmp_path: Path
) -> None:
    spec, folder, texts = given
    before = sorted(path.name for path in tmp_path.iterdir())
    with full_after(500), pytest.raises(MachineError, match="PF801"):
        one.compress(spec, folder, tmp_path / "small", texts=texts)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


ENCODERS = [one.name for one in ALL if one.applies(TierSpec("small", "tokens"))]
NEXT = {"int8": "int8", "trim": "trim[general=0]", "zstd": "zstd"}
REFUSED = {
    *((first, "int8") for first in ("early-exit", "fp16", "int8", "int8-static", "zstd")),
    ("zstd", "trim"),
    ("zstd", "zstd"),
}
"""What has no whole weights left cannot be rounded again, and what is packed not be changed."""


@pytest.mark.parametrize("first", ENCODERS)
@pytest.mark.parametrize("then", NEXT)
def test_others_follow_or_say_why_not(first: str, then: str, tier: Tier, tmp_path: Path) -> None:
    spec, folder, texts = tier
    way = f"{first}+{NEXT[then]}"
    if (first, then) in REFUSED:
        with pytest.raises(AdaptError, match="PF404"):
            compress_by(way, spec, folder, tmp_path / "small", texts=texts)
        assert not (tmp_path / "small").exists()
        return
    small = compress_by(way, spec, folder, tmp_path / "small", texts=texts)
    whole, found = logits(spec, folder, texts), logits(small, tmp_path / "small", texts)
    assert np.isfinite(found).all()
    assert (found.argmax(1) == whole.argmax(1)).mean() > 0.85


class TestSettings:
    @pytest.mark.parametrize(
        ("way", "found"),
        [
            ("prune[head=0.5]", "setting 'head': there is none of that name"),
            ("fp16[bits=3]", "setting 'bits': there is none of that name"),
            ("prune[heads=0]", "setting 'heads': 0.0"),
            ("prune[heads=nan]", "setting 'heads': 'nan'"),
            ("prune[heads=half]", "setting 'heads': 'half'"),
            ("prune[heads=0.5,heads=0.6]", "setting 'heads': it is given twice"),
            ("trim[general=0.5]", "setting 'general': '0.5'"),
            ("int4[block=20]", "setting 'block': 20"),
            ("few-levels[levels=16]", "setting 'levels': 16"),
            ("int8+prune[heads", "brackets that do not match"),
            ("prune[heads=0.5]x", "brackets that do not match"),
        ],
    )
    def test_wrong_ones_are_told_before_anything_is_read(
        self, way: str, found: str, tmp_path: Path
    ) -> None:
        with pytest.raises(AdaptError) as error:
            compress_by(way, TierSpec("small", "tokens"), tmp_path / "none", tmp_path / "small")
        assert error.value.code == "PF406"
        assert found in str(error.value)
        assert not (tmp_path / "small").exists()

    def test_one_is_the_same_as_the_class_with_it(self, tier: Tier, tmp_path: Path) -> None:
        from payoff.adapt.compress.prune import Prune

        spec, folder, texts = tier
        compress_by("prune[neurons=0.5]", spec, folder, tmp_path / "i", texts=texts)
        Prune(neurons=0.5).compress(spec, folder, tmp_path / "ii", texts=texts)
        assert contents(tmp_path / "i") == contents(tmp_path / "ii")
