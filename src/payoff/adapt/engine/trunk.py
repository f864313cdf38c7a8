"""The trunk cache: what a frozen lower part of a backbone computes is computed once.

Every recipe that keeps the first ``depth`` layers as they are starts from the same activations,
and the head recipes from the same pooled vectors. Both come out of one pass over the texts. They
are kept on disk, memory-mapped, so that a killed process finds them again; activations in 16 bits
and up to a limit, beyond which they are computed again for each batch. The 16 bits are whole
numbers with one scale a token, not half floats: these err twice as much on most backbones.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from payoff.adapt.engine.batches import Packed, by_tokens, pack, places
from payoff.adapt.engine.encoder import Encoder
from payoff.adapt.engine.tokens import Tokens
from payoff.core.files import disk_errors
from payoff.core.progress import Progress

BATCH_TOKENS = 2048  # bounds the memory of a pass; its best value was not measured

MOST_BYTES = 8_000_000_000
"""Activations of one set of texts that are kept on disk, at most."""

_SCALE_COLUMNS = 2  # of 16 bits, for a scale of 32
_SHARE_OF_DISK = 0.25  # of what would be free without them


class Trunk:
    """A frozen encoder over one set of texts, each depth computed at most once.

    Args:
        encoder: The pretrained encoder, in evaluation mode.
        tokens: The texts, ``n_texts`` of them.
        progress: Told how many tokens are done.
        folder: Where activations are kept; the caller makes one for each set of texts and weights.
        limit_bytes: Activations that may be kept there; where not given, a quarter of the free
            disk and 8 GB at most. A depth that does not fit is computed again for each batch. The
            pooled vectors are always kept.

    Attributes:
        expected: Depths that will be asked for; the first whole pass keeps them too.
        n_passes: How often the texts were run through the encoder by this object.
        forward_seconds: Seconds of one whole pass, once known.
    """

    def __init__(
        self,
        encoder: Encoder,
        tokens: Tokens,
        progress: Progress,
        *,
        folder: Path,
        limit_bytes: int | None = None,
    ) -> None:
        self.encoder = encoder
        self.tokens = tokens
        self.expected: set[int] = set()
        self.n_passes = 0
        self.forward_seconds: float | None = None
        self._progress = progress
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._open: dict[str, NDArray[Any]] = {}
        self._texts: NDArray[np.float32] | None = None
        self._too_large: set[int] = set()

    def prepare(self, depths: Iterable[int]) -> None:
        """Compute in one pass the pooled vectors and the activations below each of ``depths``.

        Nothing is kept of depth 0, which is but a look at a table.

        Raises:
            MachineError: PF801 where the disk is full.
        """
        has_pooled = self._find("pooled")
        asked = set(depths) if has_pooled else self.expected | set(depths)
        wanted = self._that_fit([d for d in sorted(asked) if d and not self._find(f"below-{d}")])
        if not wanted and has_pooled:
            return
        with disk_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            names = [f"below-{d}" for d in wanted] + ["pooled"] * (not has_pooled)
            try:
                below = {d: self._draft(f"below-{d}") for d in wanted}
                self._fill(None if has_pooled else self._draft("pooled"), below)
                for name in names:
                    (self._folder / f"{name}.draft").replace(self._folder / f"{name}.npy")
                    self._find(name)
            finally:
                for name in names:
                    (self._folder / f"{name}.draft").unlink(missing_ok=True)

    def _that_fit(self, depths: list[int]) -> list[int]:
        """Those of the depths that there is room for, the highest first; of the others it is said.

        The highest are the dearest to compute again.
        """
        depths = [depth for depth in depths if depth not in self._too_large]
        if not depths:
            return []
        kept = sum(path.stat().st_size for path in self._folder.glob("below-*.npy"))
        limit = self._limit_bytes
        if limit is None:
            place = next(p for p in (self._folder, *self._folder.absolute().parents) if p.exists())
            limit = int(min(MOST_BYTES, _SHARE_OF_DISK * (shutil.disk_usage(place).free + kept)))
        dtype, shape = self._expected(f"below-{depths[0]}")
        each = dtype().itemsize * shape[0] * shape[1]
        n_fit = max(0, (limit - kept) // max(1, each))
        chosen = sorted(depths, reverse=True)[:n_fit]
        left = [depth for depth in depths if depth not in chosen]
        self._too_large.update(left)
        if left:
            self._progress.say(
                f"The activations below layer {', '.join(map(str, left))} take"
                f" {each / 1e6:,.0f} MB and {max(0, limit - kept) / 1e6:,.0f} MB are allowed in"
                f" {self._folder}: they are computed again for each batch, which is slower."
            )
        return sorted(chosen)

    def _fill(
        self, pooled: NDArray[np.float32] | None, below: dict[int, NDArray[np.int16]]
    ) -> None:
        started = time.perf_counter()
        done = 0
        with torch.inference_mode():
            for rows in by_tokens(self.tokens.lengths, BATCH_TOKENS):
                batch = pack(self.tokens, rows)
                if pooled is None:
                    self._climb(batch, below, max(below))
                else:
                    hidden = self._climb(batch, below, self.encoder.shape.layers)
                    numbers = self.tokens.pieces_of(batch.rows)[0]
                    if batch.pieces is not None:
                        numbers = batch.pieces.numbers
                    pooled[numbers] = self.encoder.pool_pieces(hidden, batch).numpy()
                done += batch.n_tokens
                self._progress.step("encoding texts", done, len(self.tokens.ids))
        self.n_passes += 1
        if pooled is not None:
            self.forward_seconds = time.perf_counter() - started

    def _climb(self, batch: Packed, below: dict[int, NDArray[np.int16]], last: int) -> torch.Tensor:
        """Activations below layer ``last``, keeping those of the depths in ``below``."""
        hidden = self.encoder.embed(batch)
        for depth in range(last + 1):
            if depth in below:
                below[depth][places(self.tokens, batch)] = _to_16_bits(hidden).numpy()
            if depth < last:
                hidden = self.encoder.run(hidden, batch, first=depth, last=depth + 1)
        return hidden

    def _expected(self, name: str) -> tuple[type[np.number[Any]], tuple[int, int]]:
        """What a file holds: its type and shape."""
        width = self.encoder.shape.width
        if name == "pooled":
            return np.float32, (self.tokens.n_pieces, width)
        return np.int16, (len(self.tokens.ids), width + _SCALE_COLUMNS)

    def _draft(self, name: str) -> NDArray[Any]:
        path = self._folder / f"{name}.draft"
        dtype, shape = self._expected(name)
        array = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
        if hasattr(os, "posix_fallocate"):  # else a full disk would end the process at a write
            with path.open("r+b") as file:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        return array

    def _find(self, name: str) -> bool:
        if name not in self._open:
            path = self._folder / f"{name}.npy"
            if not path.exists():
                return False
            found = np.load(path, mmap_mode="r")
            # Floats of 32 bits are of an earlier version, and serve as well.
            floats = (np.float32, (len(self.tokens.ids), self.encoder.shape.width))
            if (found.dtype, found.shape) not in (self._expected(name), floats):
                return False
            self._open[name] = found
        return True

    def is_prepared(self) -> bool:
        """Whether the pooled vectors are there already."""
        return self._find("pooled")

    def pooled(self) -> NDArray[np.float32]:
        """Vectors of the texts as `Encoder.pool` makes them, ``(n_texts, width)``."""
        if self._texts is None:
            texts = np.arange(len(self.tokens))
            self._texts = self.tokens.mean_of_pieces(self.pooled_pieces(), texts)
        return self._texts

    def pooled_pieces(self) -> NDArray[np.float32]:
        """Normalised vectors of the pieces of the texts, ``(n_pieces, width)``."""
        self.prepare(())
        return self._open["pooled"]

    def by_piece(
        self,
        compute: Callable[[NDArray[np.float32]], NDArray[np.float32]],
        rows: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """What a text gets whose pieces are served one by one: the mean of what they get.

        For what is linear in a text's vector the same as ``compute(pooled()[rows])``.

        Args:
            compute: Vectors of pieces to their scores, ``(n, width)`` to ``(n, n_labels)``.
            rows: Texts.

        Returns:
            ``(len(rows), n_labels)``.
        """
        scores = compute(self.pooled_pieces()[self.tokens.pieces_of(rows)[0]])
        return self.tokens.mean_of_pieces(scores, rows)

    def below(self, depth: int, batch: Packed) -> torch.Tensor:
        """Activations that enter layer ``depth``, for a batch, ``(n_tokens, width)``."""
        if depth:
            self.prepare((depth,))
            kept = self._open.get(f"below-{depth}")
            if kept is not None:
                found = torch.from_numpy(kept[places(self.tokens, batch)])
                return found if found.is_floating_point() else _from_16_bits(found)
        with torch.no_grad():
            hidden = self.encoder.embed(batch)
            if depth == 0:
                return hidden
            hidden = self.encoder.run(hidden, batch, last=depth)
            # As if it had been kept, so that the room on a disk does not change a model.
            return _from_16_bits(_to_16_bits(hidden))

    def measure(self, *, seconds: float, clock: Callable[[], float]) -> None:
        """Estimate `forward_seconds` from batches of all lengths, for about ``seconds``."""
        batches = by_tokens(self.tokens.lengths, BATCH_TOKENS)
        order = np.random.default_rng(0).permutation(len(batches))
        started, done = clock(), 0
        with torch.inference_mode():
            for index in order:
                batch = pack(self.tokens, batches[index])
                hidden = self._climb(batch, {}, self.encoder.shape.layers)
                self.encoder.pool(hidden, batch)
                done += batch.n_tokens
                if clock() - started > seconds:
                    break
        self.forward_seconds = (clock() - started) / done * len(self.tokens.ids)


def _to_16_bits(hidden: torch.Tensor) -> torch.Tensor:
    """Activations as they are kept: ``(n_tokens, width)`` to int16 ``(n_tokens, width + 2)``.

    The last two columns are the token's scale, a float32. What is not finite does not become so.
    """
    scale = (hidden.abs().amax(dim=1, keepdim=True) / 32767).clamp_min(1e-30)
    whole = (hidden / scale).round().to(torch.int16)
    return torch.cat([whole, scale.view(torch.int16)], dim=1)


def _from_16_bits(kept: torch.Tensor) -> torch.Tensor:
    """What `_to_16_bits` kept, as float32, ``(n_tokens, width)``."""
    scale = kept[:, -_SCALE_COLUMNS:].contiguous().view(torch.float32)
    return kept[:, :-_SCALE_COLUMNS].float().mul_(scale)
