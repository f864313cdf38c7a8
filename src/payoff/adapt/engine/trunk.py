"""The trunk cache: what a frozen lower part of a backbone computes is computed once.

Every recipe that keeps the first ``depth`` layers as they are starts from the same activations,
and the head recipes from the same pooled vectors. Both come out of one pass over the texts. They
are kept on disk, memory-mapped, so that their size is bounded by the disk and not by memory, and a
killed process finds them again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from payoff.adapt.engine.batches import Packed, by_tokens, pack
from payoff.adapt.engine.encoder import Encoder
from payoff.adapt.engine.tokens import Tokens
from payoff.core.files import disk_errors
from payoff.core.progress import Progress

BATCH_TOKENS = 2048  # bounds the memory of a pass; its best value was not measured


class Trunk:
    """A frozen encoder over one set of texts, each depth computed at most once.

    Args:
        encoder: The pretrained encoder, in evaluation mode.
        tokens: The texts, ``n_texts`` of them.
        progress: Told how many tokens are done.
        folder: Where activations are kept; the caller makes one for each set of texts and weights.

    Attributes:
        expected: Depths that will be asked for; the first whole pass keeps them too.
        n_passes: How often the texts were run through the encoder by this object.
        forward_seconds: Seconds of one whole pass, once known.
    """

    def __init__(
        self, encoder: Encoder, tokens: Tokens, progress: Progress, *, folder: Path
    ) -> None:
        self.encoder = encoder
        self.tokens = tokens
        self.expected: set[int] = set()
        self.n_passes = 0
        self.forward_seconds: float | None = None
        self._progress = progress
        self._folder = folder
        self._open: dict[str, NDArray[np.float32]] = {}

    def prepare(self, depths: Iterable[int]) -> None:
        """Compute in one pass the pooled vectors and the activations below each of ``depths``.

        Raises:
            MachineError: PF801 where the disk is full.
        """
        asked = set(depths) if self._find("pooled") else self.expected | set(depths)
        wanted = [d for d in sorted(asked) if not self._find(f"below-{d}")]
        if not wanted and self._find("pooled"):
            return
        width = self.encoder.shape.width
        with disk_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            names = [f"below-{d}" for d in wanted] + ["pooled"] * (not self._find("pooled"))
            try:
                below = {d: self._draft(f"below-{d}", len(self.tokens.ids), width) for d in wanted}
                pooled = (
                    self._draft("pooled", len(self.tokens), width) if "pooled" in names else None
                )
                self._fill(pooled, below)
                for name in names:
                    (self._folder / f"{name}.draft").replace(self._folder / f"{name}.npy")
                    self._find(name)
            finally:
                for name in names:
                    (self._folder / f"{name}.draft").unlink(missing_ok=True)

    def _fill(
        self, pooled: NDArray[np.float32] | None, below: dict[int, NDArray[np.float32]]
    ) -> None:
        started = time.perf_counter()
        done = 0
        with torch.inference_mode():
            for rows in by_tokens(self.tokens.lengths, BATCH_TOKENS):
                batch = pack(self.tokens, rows)
                if pooled is None:
                    self._climb(batch, below, max(below))
                else:
                    pooled[batch.rows] = self._one(batch, below).numpy()
                done += batch.n_tokens
                self._progress.step("encoding texts", done, len(self.tokens.ids))
        self.n_passes += 1
        if pooled is not None:
            self.forward_seconds = time.perf_counter() - started

    def _one(self, batch: Packed, below: dict[int, NDArray[np.float32]]) -> torch.Tensor:
        hidden = self._climb(batch, below, self.encoder.shape.layers)
        return self.encoder.pool(hidden, batch)

    def _climb(
        self, batch: Packed, below: dict[int, NDArray[np.float32]], last: int
    ) -> torch.Tensor:
        """Activations below layer ``last``, keeping those of the depths in ``below``."""
        hidden = self.encoder.embed(batch)
        for depth in range(last + 1):
            if depth in below:
                below[depth][self._places(batch)] = hidden.numpy()
            if depth < last:
                hidden = self.encoder.run(hidden, batch, first=depth, last=depth + 1)
        return hidden

    def _draft(self, name: str, n_rows: int, width: int) -> NDArray[np.float32]:
        path = self._folder / f"{name}.draft"
        array = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(n_rows, width))
        if hasattr(os, "posix_fallocate"):  # else a full disk would end the process at a write
            with path.open("r+b") as file:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        return array

    def _find(self, name: str) -> bool:
        if name not in self._open:
            path = self._folder / f"{name}.npy"
            if not path.exists():
                return False
            self._open[name] = np.load(path, mmap_mode="r")
        return True

    def _places(self, batch: Packed) -> NDArray[np.int64]:
        """Where the batch's tokens stand in the flat arrays, ``(n_tokens,)``."""
        starts = np.repeat(self.tokens.offsets[batch.rows], self.tokens.lengths[batch.rows])
        return np.asarray(starts + batch.positions.numpy(), dtype=np.int64)

    def is_prepared(self) -> bool:
        """Whether the pooled vectors are there already."""
        return self._find("pooled")

    def pooled(self) -> NDArray[np.float32]:
        """Normalised mean of the last layer, ``(n_texts, width)``."""
        self.prepare(())
        return self._open["pooled"]

    def below(self, depth: int, batch: Packed) -> torch.Tensor:
        """Activations that enter layer ``depth``, for a batch, ``(n_tokens, width)``."""
        self.prepare((depth,))
        return torch.from_numpy(self._open[f"below-{depth}"][self._places(batch)])

    def measure(self, *, seconds: float, clock: Callable[[], float]) -> None:
        """Estimate `forward_seconds` from batches of all lengths, for about ``seconds``."""
        batches = by_tokens(self.tokens.lengths, BATCH_TOKENS)
        order = np.random.default_rng(0).permutation(len(batches))
        started, done = clock(), 0
        with torch.inference_mode():
            for index in order:
                batch = pack(self.tokens, batches[index])
                self._one(batch, {})
                done += batch.n_tokens
                if clock() - started > seconds:
                    break
        self.forward_seconds = (clock() - started) / done * len(self.tokens.ids)
