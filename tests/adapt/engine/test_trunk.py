from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from payoff.adapt.engine.batches import pack
from payoff.adapt.engine.encoder import Encoder, mean_of_tokens
from payoff.adapt.engine.tokens import Tokens
from payoff.adapt.engine.trunk import Trunk
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
    torch.testing.assert_close(upper, whole, atol=1e-5, rtol=0)


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
