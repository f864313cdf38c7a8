"""The ONNX graph of a decoder gives what the torch decoder gives, with and without a past."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from tests.adapt.plain_decoder import random_decoder

from payoff.adapt.engine.decoder import Decoder
from payoff.adapt.export import onnx_decoder
from payoff.adapt.export.onnx_decoder import write_decoder_onnx
from payoff.artifact.runtime.decoder import DecoderSession, joined
from payoff.artifact.tier import TierSpec
from payoff.core.errors import AdaptError

SPEC = TierSpec("tiny", "prompted")


def opened(decoder: Decoder, folder: Path) -> DecoderSession:
    write_decoder_onnx(decoder, folder / "model.onnx")
    return DecoderSession.open(SPEC, lambda name: (folder / name).read_bytes(), threads=1)


@pytest.fixture(params=[1, 2, 6], ids=lambda n: f"{n}_key_heads")
def decoder(request: pytest.FixtureRequest) -> Decoder:
    return random_decoder(key_heads=request.param)


@pytest.mark.parametrize(("n", "length"), [(1, 1), (1, 40), (3, 7), (5, 1)])
def test_tokens_without_and_with_a_past(
    decoder: Decoder, n: int, length: int, tmp_path: Path
) -> None:
    session = opened(decoder, tmp_path)
    rng = np.random.default_rng(0)
    first, second, third = (rng.integers(0, 264, (n, size)) for size in (length, 4, 1))
    past, before = session.empty_past(), None
    for ids in (first, second, third):
        scores, new = session.run(ids, past, range(ids.shape[1]))
        hidden, before = decoder(torch.from_numpy(ids), before)
        past = joined(past, new)
        np.testing.assert_allclose(scores, decoder.scores(hidden).numpy(), atol=1e-4)
        np.testing.assert_allclose(past, before.numpy(), atol=1e-4)
    assert past.shape == (*session.empty_past(n).shape[:4], length + 5, 4)


def test_scores_are_given_only_where_they_are_wanted(tmp_path: Path) -> None:
    session = opened(random_decoder(), tmp_path)
    ids = np.random.default_rng(0).integers(0, 264, (2, 9))
    everywhere, _ = session.run(ids, session.empty_past(), range(9))
    some, _ = session.run(ids, session.empty_past(), [8, 0, 3])
    assert some.shape == (2, 3, 264)
    np.testing.assert_allclose(some, everywhere[:, [8, 0, 3]], atol=1e-5)


def test_one_past_serves_many_texts(tmp_path: Path) -> None:
    decoder = random_decoder()
    session = opened(decoder, tmp_path)
    rng = np.random.default_rng(0)
    before, ids = rng.integers(0, 264, (1, 11)), rng.integers(0, 264, (4, 5))
    past = session.run(before, session.empty_past(), [0])[1]
    scores, new = session.run(ids, past, range(5))
    hidden, kept = decoder(torch.from_numpy(np.concatenate([np.tile(before, (4, 1)), ids], 1)))
    np.testing.assert_allclose(scores, decoder.scores(hidden).numpy()[:, 11:], atol=1e-4)
    np.testing.assert_allclose(joined(past, new), kept.numpy(), atol=1e-4)


def test_continuations_side_by_side_do_not_see_each_other(tmp_path: Path) -> None:
    session = opened(random_decoder(), tmp_path)
    rng = np.random.default_rng(0)
    stem, one, other = rng.integers(0, 264, (1, 6)), *rng.integers(0, 264, (2, 1, 3))
    seen = np.tri(12, dtype=np.bool_)
    seen[9:, 6:9] = False
    depths = np.array([*range(9), 6, 7, 8])
    empty = session.empty_past()
    ids = np.concatenate([stem, one, other], axis=1)
    together, _ = session.run(ids, empty, range(12), depths=depths, seen=seen)
    alone, _ = session.run(np.concatenate([stem, other], axis=1), empty, range(9))
    np.testing.assert_allclose(together[:, 9:], alone[:, 6:], atol=1e-4)


def test_the_same_weights_give_the_same_bytes_and_the_table_is_held_once(tmp_path: Path) -> None:
    decoder = random_decoder()
    paths = [tmp_path / name for name in ("one.onnx", "two.onnx")]
    for path in paths:
        write_decoder_onnx(decoder, path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    weights = onnx.load(paths[0]).graph.initializer
    n_numbers = sum(int(np.prod(one.dims)) for one in weights if one.data_type == 1)
    rates = decoder.shape.head_width // 2
    n_parameters = sum(one.numel() for one in decoder.parameters())
    assert n_numbers == n_parameters + rates + 2  # and the two values of the mask


def test_weights_beyond_one_file_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_decoder, "MAX_BYTES", 1000)
    with pytest.raises(AdaptError, match=r"PF405.*take [\d,]+ bytes.*at most 1,000"):
        write_decoder_onnx(random_decoder(), tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()
