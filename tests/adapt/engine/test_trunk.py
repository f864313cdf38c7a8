from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from payoff.adapt.engine.batches import pack, places
from payoff.adapt.engine.encoder import Encoder, EncoderShape, mean_of_tokens
from payoff.adapt.engine.tokens import Tokens
from payoff.adapt.engine.trunk import Trunk, _from_16_bits, _to_16_bits
from payoff.core.errors import MachineError
from payoff.core.progress import Silent

MakeTrunk = Callable[[], Trunk]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_pooled_vectors_equal_those_of_each_text_alone(
    make_trunk: MakeTrunk, encoder: Encoder, some_tokens: Tokens
) -> None:
    trunk = make_trunk()
    assert not trunk.is_prepared()
    pooled = trunk.pooled()
    assert trunk.is_prepared()
    assert pooled.shape == (60, 32)
    for row in range(60):
        batch = pack(some_tokens, np.array([row]))
        with torch.inference_mode():
            hidden = encoder.run(encoder.embed(batch), batch)
            alone = functional.normalize(mean_of_tokens(hidden, batch.groups), dim=1)
        np.testing.assert_allclose(pooled[row], alone[0].numpy(), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(pooled, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("depth", [0, 1])
def test_the_layers_above_a_depth_complete_it(
    make_trunk: MakeTrunk, encoder: Encoder, some_tokens: Tokens, depth: int
) -> None:
    trunk = make_trunk()
    rows = np.array([59, 3, 17, 4])
    batch = pack(some_tokens, rows)
    with torch.inference_mode():
        whole = encoder.run(encoder.embed(batch), batch)
        upper = encoder.run(trunk.below(depth, batch), batch, first=depth)
    # Above depth 0 they were kept in 16 bits, whose error the layer makes no smaller.
    torch.testing.assert_close(upper, whole, atol=1e-4 if depth else 1e-5, rtol=0)


def test_one_pass_serves_several_depths_and_later_askers(
    make_trunk: MakeTrunk, some_tokens: Tokens
) -> None:
    trunk = make_trunk()
    assert trunk.forward_seconds is None
    trunk.prepare([1, 0, 1])
    trunk.pooled()
    trunk.below(0, pack(some_tokens, np.array([0])))
    assert trunk.n_passes == 1
    assert trunk.forward_seconds is not None
    again = make_trunk()
    again.prepare([0, 1])
    assert again.is_prepared()
    assert again.n_passes == 0, "another process finds the files"
    np.testing.assert_array_equal(again.pooled(), trunk.pooled())
    batch = pack(some_tokens, np.arange(60))
    assert torch.equal(again.below(1, batch), trunk.below(1, batch))


def test_a_depth_that_comes_later_costs_only_the_layers_below_it(
    make_trunk: MakeTrunk, encoder: Encoder, some_tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    trunk = make_trunk()
    pooled = trunk.pooled()
    whole_pass = trunk.forward_seconds
    layers = []
    run = encoder.run

    def counted(*args: object, first: int = 0, last: int | None = None) -> object:
        layers.append((first, last))
        return run(*args, first=first, last=last)  # type: ignore[arg-type]

    monkeypatch.setattr(encoder, "run", counted)
    trunk.prepare([0])
    assert layers == []
    trunk.prepare([1])
    assert set(layers) == {(0, 1)}
    assert trunk.forward_seconds == whole_pass, "a part is not taken for the whole"
    np.testing.assert_array_equal(trunk.pooled(), pooled)


def test_drafts_of_a_killed_process_are_not_trusted(
    make_trunk: MakeTrunk, tmp_path: Path, some_tokens: Tokens
) -> None:
    folder = tmp_path / "trunk"
    folder.mkdir()
    for name, rows in (("pooled", 60), ("below-1", len(some_tokens.ids))):
        np.save(folder / f"{name}.npy", np.zeros((rows, 32), np.float32))
        (folder / f"{name}.npy").rename(folder / f"{name}.draft")
    trunk = make_trunk()
    assert not trunk.is_prepared()
    trunk.prepare([1])
    assert trunk.n_passes == 1
    assert np.abs(trunk.pooled()).max() > 0
    assert names(folder) == {"pooled.npy", "below-1.npy"}


class _Stopped(Silent):
    def step(self, what: str, done: float, total: float) -> None:
        raise KeyboardInterrupt


def test_a_pass_that_is_broken_off_leaves_nothing(
    encoder: Encoder, some_tokens: Tokens, tmp_path: Path
) -> None:
    trunk = Trunk(encoder, some_tokens, _Stopped(), folder=tmp_path)
    with pytest.raises(KeyboardInterrupt):
        trunk.prepare([0])
    assert names(tmp_path) == set()
    assert trunk.n_passes == 0


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="needs posix_fallocate")
def test_a_full_disk_is_told_and_does_not_end_the_process(
    make_trunk: MakeTrunk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def full(handle: int, offset: int, size: int) -> None:
        asked.append((offset, size))
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(MachineError, match="PF801"):
        make_trunk().prepare([0])
    (offset, size) = asked[0]
    assert offset == 0
    assert size > 60 * 32 * 4, "the room is asked for before anything is written into the map"
    assert names(tmp_path / "trunk") == set()


def test_the_estimate_counts_tokens(make_trunk: MakeTrunk, some_tokens: Tokens) -> None:
    trunk = make_trunk()
    ticks = iter([0.0, 5.0, 6.0])
    trunk.measure(seconds=1.0, clock=lambda: next(ticks))
    assert trunk.forward_seconds == pytest.approx(6.0), "all texts were in the one batch"
    assert trunk.n_passes == 0
    assert not trunk.is_prepared()


class _Heard(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, message: str) -> None:
        self.said.append(message)


@pytest.fixture
def deep(some_tokens: Tokens) -> Encoder:
    """Four layers, so that there are depths to choose from."""
    torch.manual_seed(0)
    ids = int(some_tokens.ids.max()) + 1
    return Encoder(EncoderShape(ids, 16, 4, 2, 32, 64, 0, 1e-12)).eval()


def test_activations_beyond_the_limit_are_computed_again_with_the_same_result(
    deep: Encoder, some_tokens: Tokens, tmp_path: Path
) -> None:
    one = len(some_tokens.ids) * (16 + 2) * 2
    batch = pack(some_tokens, np.arange(5, 50))
    heard = _Heard()
    kept = Trunk(deep, some_tokens, heard, folder=tmp_path / "kept")
    kept.prepare([1, 2, 3])
    assert heard.said == []
    assert kept.below(2, batch).dtype == torch.float32
    tight = Trunk(deep, some_tokens, heard, folder=tmp_path / "tight", limit_bytes=one + one // 2)
    tight.expected.add(1)
    tight.prepare([3, 2])
    assert names(tmp_path / "tight") == {"pooled.npy", "below-3.npy"}, "the dearest is kept"
    for depth in (0, 1, 2, 3):
        found, expected = tight.below(depth, batch), kept.below(depth, batch)
        assert not found.requires_grad
        torch.testing.assert_close(found, expected, atol=2e-4, rtol=0)
        assert (found == expected).float().mean() > 0.99 or depth == 0
    assert tight.n_passes == 1, "no pass over all texts for what is not kept"
    assert len(heard.said) == 1, "and it is said once"
    assert "below layer 1, 2" in heard.said[0]
    np.testing.assert_array_equal(kept.pooled(), tight.pooled())


def test_what_another_process_kept_counts(
    deep: Encoder, some_tokens: Tokens, tmp_path: Path
) -> None:
    one = len(some_tokens.ids) * (16 + 2) * 2
    make = lambda: Trunk(  # noqa: E731
        deep, some_tokens, Silent(), folder=tmp_path, limit_bytes=2 * one + 300
    )
    make().prepare([1])
    make().prepare([2, 3])
    assert names(tmp_path) == {"pooled.npy", "below-1.npy"} | {"below-3.npy"}


def test_without_a_limit_a_quarter_of_the_free_disk_is_taken(
    deep: Encoder, some_tokens: Tokens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = len(some_tokens.ids) * (16 + 2) * 2
    usage = type(shutil.disk_usage(tmp_path))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, 4 * one + 8))
    trunk = Trunk(deep, some_tokens, Silent(), folder=tmp_path / "not" / "yet")
    trunk.prepare([1, 2])
    assert names(tmp_path / "not" / "yet") == {"pooled.npy", "below-2.npy"}


def test_activations_of_an_earlier_version_serve_and_those_of_other_texts_do_not(
    deep: Encoder, some_tokens: Tokens, tmp_path: Path
) -> None:
    batch = pack(some_tokens, np.arange(60))
    with torch.no_grad():
        hidden = deep.run(deep.embed(batch), batch, last=1)
    floats = np.empty((len(some_tokens.ids), 16), np.float32)
    floats[places(some_tokens, batch)] = hidden.numpy()
    np.save(tmp_path / "below-1.npy", floats)
    np.save(tmp_path / "below-2.npy", floats[1:])
    np.save(tmp_path / "below-3.npy", floats.astype(np.float16))
    trunk = Trunk(deep, some_tokens, Silent(), folder=tmp_path)
    assert torch.equal(trunk.below(1, batch), hidden)
    for depth in (2, 3):
        with torch.no_grad():
            hidden = deep.run(hidden, batch, first=depth - 1, last=depth)
        torch.testing.assert_close(trunk.below(depth, batch), hidden, atol=2e-4, rtol=0)


def test_sixteen_bits_err_by_half_a_step_of_the_largest_value() -> None:
    torch.manual_seed(0)
    hidden = torch.randn(50, 12) * torch.logspace(-3, 6, 50)[:, None]
    hidden[7] = 0
    found = _from_16_bits(_to_16_bits(hidden))
    step = hidden.abs().amax(dim=1, keepdim=True) / 32767
    assert ((found - hidden).abs() <= 0.51 * step).all()
    hidden[3, 4], hidden[5, 6] = torch.nan, torch.inf
    found = _from_16_bits(_to_16_bits(hidden))
    finite = torch.isfinite(found).all(dim=1)
    assert (~finite).nonzero().flatten().tolist() == [3, 5], "so that training says so"


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_pooled_vectors_of_long_texts_are_means_of_those_of_their_pieces(
    deep: Encoder, tmp_path: Path, pooling: str
) -> None:
    rng = np.random.default_rng(0)
    texts = [[5], [9, 8, 9], [4, 4], [30]]
    pieces = np.concatenate([[0], np.cumsum([n for text in texts for n in text])])
    offsets = np.concatenate([[0], np.cumsum([sum(text) for text in texts])])
    tokens = Tokens(rng.integers(0, 40, offsets[-1]), offsets, pieces)
    deep.pooling = pooling
    trunk = Trunk(deep, tokens, Silent(), folder=tmp_path)
    pooled = trunk.pooled()
    assert trunk.pooled() is pooled
    place = 0
    for row, text in enumerate(texts):
        summed = np.zeros(16)
        for length in text:
            ids = tokens.ids[pieces[place] : pieces[place + 1]]
            alone = pack(Tokens(ids, np.array([0, length])), np.array([0]))
            with torch.inference_mode():
                hidden = deep.run(deep.embed(alone), alone)
            vector = (hidden.mean(dim=0) if pooling == "mean" else hidden[0]).numpy()
            summed += length * vector / np.linalg.norm(vector)
            place += 1
        np.testing.assert_allclose(pooled[row], summed / sum(text), atol=1e-5)
    head = np.random.default_rng(1).normal(size=(16, 3)).astype(np.float32)
    rows = np.array([3, 1, 2])
    linear = trunk.by_piece(lambda vectors: vectors @ head, rows)
    np.testing.assert_allclose(linear, pooled[rows] @ head, atol=1e-5)
    norms = trunk.by_piece(lambda v: np.linalg.norm(v, axis=1, keepdims=True), rows)
    np.testing.assert_allclose(norms, 1, atol=1e-5)
    assert np.linalg.norm(pooled[1]) < 0.999, "the norm of a mean is not the mean of norms"
    batch = pack(tokens, np.arange(4))
    assert trunk.below(2, batch).shape == (offsets[-1], 16)
