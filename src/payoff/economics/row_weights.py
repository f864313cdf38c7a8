"""Row weights: how much each test row counts in each world, drawn block by block."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from payoff.artifact.runtime.threads import physical_cores
from payoff.core.one_thread import one_thread_each

Array = NDArray[np.float64]
Block = NDArray[np.float32]

_BLOCK: Final = 256
_MOST_KEPT: Final = 50_000_000
_MOST_SHARED: Final = 10_000_000
_WORTH_THREADS: Final = 1_000_000  # weights of all worlds together
_WEIGHTS, _BORROWED = 1, 6  # of the streams of `Worlds`


@dataclass(frozen=True, eq=False)
class RowWeights:
    """Rubin's Bayesian bootstrap within each class, and the mix of classes around it.

    See `payoff.economics.worlds.Worlds` for what they mean. They know nothing of traffic and of
    prices. Blocks of worlds are drawn on all cores, each from a stream of its own, so that neither
    the number of cores nor the order changes a weight. They are kept where all of them are small.

    Args:
        seed: Of all streams.
        truth: Indices of the true labels of the ``n`` rows, shape ``(n,)``.
        mix: Share of each class, shape ``(n_worlds, k)``.
        likely: How likely each row, sorted by class, is to be borrowed, shape ``(n,)``; None where
            no row is.

    Example:
        >>> weights = RowWeights(0, np.array([0, 1, 0]), np.array([[0.25, 0.75]]))
        >>> weights.table.round(2)[0, 1], round(float(weights.table.sum()), 6)
        (np.float32(0.75), 1.0)
    """

    seed: int
    truth: NDArray[np.int64]
    mix: Array
    likely: Array | None = None
    _kept: dict[int, Block] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def like(
        cls, seed: int, truth: NDArray[np.int64], mix: Array, likely: Array | None
    ) -> RowWeights:
        """The same, or those drawn for other traffic and prices, so that they are drawn once."""
        made = cls(seed, truth, mix, likely)
        if mix.shape[0] * len(truth) > _MOST_SHARED:
            return made
        digest = hashlib.sha256(str((seed, truth.shape, mix.shape)).encode())
        for array in (truth, mix) if likely is None else (truth, mix, likely):
            digest.update(np.ascontiguousarray(array).tobytes())
        return _shared(_Drawn(digest.digest(), made))

    @property
    def table(self) -> Block:
        """Weight of each row in each world, shape ``(n_worlds, n)``, in the order of the rows."""
        weights = np.empty((len(self.mix), len(self.truth)), dtype=np.float32)

        def put(where: slice, block: Block) -> None:
            weights[where, self._order] = block

        self._each(put)
        return weights

    def means(self, values: NDArray[np.floating[Any]]) -> Block:
        """Mean of row values in each world: one matrix product a block of worlds.

        Args:
            values: Shape ``(m, n)``.

        Returns:
            Shape ``(m, n_worlds)``, computed in float32: about six digits.
        """
        ordered = np.ascontiguousarray(values[:, self._order], dtype=np.float32)
        means = np.empty((len(values), len(self.mix)), dtype=np.float32)

        def put(where: slice, block: Block) -> None:
            np.matmul(ordered, block.T, out=means[:, where])

        if len(values):
            self._each(put)
        return means

    @cached_property
    def _order(self) -> NDArray[np.intp]:
        return np.argsort(self.truth, kind="stable")

    @cached_property
    def _runs(self) -> tuple[NDArray[np.intp], ...]:
        """Classes that rows have, where each starts among the sorted rows, and its rows."""
        return np.unique(self.truth[self._order], return_index=True, return_counts=True)

    def _each(self, use: Callable[[slice, Block], None]) -> None:
        """Use the weights of each block of worlds, rows sorted by class."""
        n_worlds, n_rows = len(self.mix), len(self.truth)
        keep = n_worlds * n_rows <= _MOST_KEPT
        starts = range(0, n_worlds, _BLOCK)
        wheres = [slice(start, min(start + _BLOCK, n_worlds)) for start in starts]
        _ = self._order, self._runs  # before the threads look for them

        def one(number: int) -> None:
            block = self._kept.get(number)
            if block is None:
                block = self._draw(number, wheres[number])
            if keep:
                self._kept[number] = block
            use(wheres[number], block)

        cores = physical_cores() if n_worlds * n_rows >= _WORTH_THREADS else 1
        with one_thread_each():
            if cores == 1:
                for number in range(len(wheres)):
                    one(number)
                return
            with ThreadPoolExecutor(cores) as pool:
                for _ in pool.map(one, range(len(wheres))):
                    pass

    def _draw(self, number: int, where: slice) -> Block:
        """Exponentials, scaled so that each class sums to its share of the mix.

        Where a row is borrowed for each class, it takes part in the class's sum as one more row,
        and its weight is added to that of the row that it is.
        """
        classes, starts, counts = self._runs
        size = (where.stop - where.start, len(self.truth))
        rng = np.random.default_rng((self.seed, _WEIGHTS, number))
        block = rng.standard_exponential(size, dtype=np.float32)
        np.maximum(block, np.finfo(np.float32).tiny, out=block)
        sums = np.add.reduceat(block, starts, axis=1, dtype=np.float64)
        mix = self.mix[where]
        if self.likely is None:
            scale = (mix[:, classes] / sums).astype(np.float32)
            np.multiply(block, np.repeat(scale, counts, axis=1), out=block)
            return block
        rng = np.random.default_rng((self.seed, _BORROWED, number))
        more = rng.standard_exponential(mix.shape) + np.finfo(np.float32).tiny
        totals = more.copy()
        totals[:, classes] += sums
        weights = mix / totals
        scale = weights[:, classes].astype(np.float32)
        np.multiply(block, np.repeat(scale, counts, axis=1), out=block)
        borrowed = rng.choice(len(self.truth), size=mix.shape, p=self.likely)
        places = np.arange(len(block))[:, None], borrowed
        np.add.at(block, places, (weights * more).astype(np.float32))
        return block


@dataclass(frozen=True)
class _Drawn:
    """Row weights, known by what they are drawn from."""

    digest: bytes
    made: RowWeights = field(compare=False)


@lru_cache(maxsize=2)
def _shared(drawn: _Drawn) -> RowWeights:
    """Those of the validation rows and of the test rows of a run, for all its what-ifs."""
    return drawn.made
