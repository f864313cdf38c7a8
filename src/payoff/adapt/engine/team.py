"""A team of processes that train one classifier together, each with a part of every batch.

Each process holds the whole classifier and sees every batch. Of the batch it runs its own texts
through the layers; the vectors of all texts are then gathered, so that the loss is that of the
whole batch in every process, whatever the objective does with it: contrastive terms, mixed texts
and random draws are exact. What an objective computes without `Classifier.vectors` is computed by
every process alike, which costs time and changes nothing.

The gradient of a gathered vector is taken times the number of processes, and gradients are then
averaged: what each process has a part of adds up, and what all have alike (the head, a penalty)
stays as it is. So clipping, rates and the optimiser see what one process would see, but for the
order in which numbers are added.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import numpy as np
import torch
from torch import Tensor, distributed

from payoff.adapt.engine.batches import Packed
from payoff.adapt.engine.classifier import Classifier
from payoff.core.errors import AdaptError

TIMEOUT_S = 300.0
"""How long a process waits for the others within a step before it gives them up."""

_IDLE = timedelta(days=7)  # between two orders the first process may have much to do


@dataclass
class Team:
    """The processes that train together, as one of them sees it; alone where not given.

    Args:
        rank: Number of this process; 0 leads, and it alone writes.
        size: How many there are.
        store: Where orders are left; None where there are none.
        why: Says what became of a process that is gone; empty where unknown.
    """

    rank: int = 0
    size: int = 1
    store: Any | None = None
    why: Callable[[], str] = lambda: ""
    _orders: int = field(default=0, init=False)

    def tell(self, what: str, value: Any = None) -> None:
        """Leave an order for the others: a name and a plain value."""
        if self.store is not None:
            with self._told():
                self.store.set(f"order-{self._orders}", json.dumps([what, value]))
        self._orders += 1

    def hear(self) -> tuple[str, Any]:
        """The next order, waited for.

        Raises:
            AdaptError: PF410 where the first process is gone.
        """
        assert self.store is not None
        with self._told():
            self.store.wait([f"order-{self._orders}"], _IDLE)
            what, value = json.loads(self.store.get(f"order-{self._orders}"))
        self._orders += 1
        return what, value

    def align(self, classifier: Classifier, mark: Sequence[int]) -> None:
        """Take over the first process's weights, and make sure that all train the same.

        Args:
            classifier: What is trained.
            mark: Numbers that are the same in all processes where the training is.

        Raises:
            AdaptError: PF410 where the trainings differ or a process is gone.
        """
        if self.size == 1:
            return
        weights = _trained(classifier)
        with self._told(), torch.no_grad():
            seen = torch.tensor(mark, dtype=torch.int64)
            distributed.broadcast(seen, 0)
            flat = torch.cat([w.flatten() for w in weights])
            distributed.broadcast(flat, 0)
            for weight, value in zip(weights, _pieces(flat, weights), strict=True):
                weight.copy_(value)
        if seen.tolist() != list(mark):
            raise AdaptError(
                "PF410",
                f"process {self.rank} of {self.size}",
                "it trains something else than the first process",
                mend="Train in one process; please report this.",
            )

    @contextmanager
    def sharing(self, classifier: Classifier) -> Iterator[None]:
        """Within the block, ``classifier.vectors`` runs this process's texts and gathers the rest.

        A classifier with a ``vectors`` of its own is left as it is, and every process computes all.
        """
        if self.size == 1 or type(classifier).vectors is not Classifier.vectors:
            yield
            return

        def vectors(hidden: Tensor, batch: Packed) -> Tensor:
            part, places = part_of(batch, self.rank, self.size)
            if len(places):
                own = Classifier.vectors(classifier, hidden[places], part)
            else:  # fewer pieces than processes: nothing, but with a gradient
                own = hidden[:0] + 0.0 * _trained(classifier)[0].sum()
            with self._told():
                n_pieces = sum(count for _, count, _ in batch.groups)
                gather: Callable[..., Tensor] = _Gathered.apply
                whole = gather(own, self.rank, self.size, n_pieces)
            return whole if batch.pieces is None else batch.pieces.mean(whole)

        own_names = vars(classifier)  # found before the method of the class
        own_names["vectors"] = vectors
        try:
            yield
        finally:
            del own_names["vectors"]

    def average(self, classifier: Classifier) -> None:
        """Replace every gradient by its mean over the processes.

        A weight that has a gradient in no process keeps none, so that it is left alone as it
        would be in one process.

        Raises:
            AdaptError: PF410 where a process is gone.
        """
        if self.size == 1:
            return
        weights = _trained(classifier)
        parts = [torch.zeros_like(w) if w.grad is None else w.grad for w in weights]
        there = torch.tensor([float(w.grad is not None) for w in weights])
        flat = torch.cat([*(part.flatten() for part in parts), there.to(parts[0].dtype)])
        with self._told():
            distributed.all_reduce(flat)
        flat /= self.size
        n_there = flat[-len(weights) :].tolist()
        for weight, value, some in zip(weights, _pieces(flat, weights), n_there, strict=True):
            weight.grad = value.clone() if some else None

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What the transport says of a process that is gone or late, as a coded error."""
        try:
            yield
        except RuntimeError as error:
            told = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
            raise AdaptError(
                "PF410",
                f"process {self.rank} of {self.size}",
                self.why() or f"another process is gone or does not answer ({told})",
                mend="Give the same command again: it goes on from the last state that was kept.",
            ) from error


_ALONE = Team()
_TEAM: ContextVar[Team] = ContextVar("team", default=_ALONE)


def team() -> Team:
    """The team that this process is in; one of itself where it is in none.

    Example:
        >>> team().size
        1
    """
    return _TEAM.get()


@contextmanager
def joined(one: Team, *, timeout_s: float = TIMEOUT_S) -> Iterator[Team]:
    """Within the block, this process trains together with the others of its team.

    Args:
        one: This process's place; its store is where the processes find each other. Without a
            store, they find each other by the environment, as ``torchrun`` sets it.
        timeout_s: How long a step may wait for the others.

    Raises:
        AdaptError: PF410 where the others do not come.
    """
    hook = sys.excepthook  # the library puts its own in its place
    with one._told():
        distributed.init_process_group(
            "gloo",
            store=one.store,
            rank=one.rank,
            world_size=one.size,
            timeout=timedelta(seconds=timeout_s),
        )
    token = _TEAM.set(one)
    try:
        yield one
    finally:
        _TEAM.reset(token)
        distributed.destroy_process_group()
        sys.excepthook = hook


def part_of(batch: Packed, rank: int, size: int) -> tuple[Packed, Tensor]:
    """Every ``size``-th piece of a batch from ``rank`` on, so that all parts are of like lengths.

    Returns:
        The part, in which each piece is a text of its own, and where its tokens stand in the
        batch, ``(n_tokens_of_the_part,)``.

    Example:
        >>> ids, places = torch.tensor([5, 6, 7, 8, 9]), torch.tensor([0, 0, 1, 0, 1])
        >>> batch = Packed(np.array([4, 2, 0]), ids, places, ((0, 1, 1), (1, 2, 2)))
        >>> part, where = part_of(batch, 0, 2)
        >>> part.rows.tolist(), part.ids.tolist(), part.groups, where.tolist()
        ([4, 0], [5, 8, 9], ((0, 1, 1), (1, 1, 2)), [0, 3, 4])
    """
    lengths = np.concatenate([np.full(count, length) for _, count, length in batch.groups])
    starts = np.cumsum(lengths) - lengths
    own = np.arange(rank, len(lengths), size)
    within = np.arange(lengths[own].sum()) - np.repeat(
        np.cumsum(lengths[own]) - lengths[own], lengths[own]
    )
    where = torch.from_numpy(np.repeat(starts[own], lengths[own]) + within)
    groups, start = [], 0
    for length, count in zip(*np.unique(lengths[own], return_counts=True), strict=True):
        groups.append((start, int(count), int(length)))
        start += int(length) * int(count)
    rows = batch.rows[own] if batch.pieces is None else own
    part = Packed(rows, batch.ids[where], batch.positions[where], tuple(groups))
    return part, where


class _Gathered(torch.autograd.Function):
    """Rows of all processes from those of each; see the module for its gradient."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, rank: int, size: int, n_rows: int) -> Tensor:
        """``(n_own, width)`` to ``(n_rows, width)``."""
        ctx.rank, ctx.size = rank, size
        padded = own.new_zeros(-(-n_rows // size), own.shape[1])
        padded[: len(own)] = own
        parts = [torch.empty_like(padded) for _ in range(size)]
        distributed.all_gather(parts, padded)
        whole = own.new_empty(n_rows, own.shape[1])
        for number, part in enumerate(parts):
            whole[number::size] = part[: len(range(number, n_rows, size))]
        return whole

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        """That of the own rows, times the number of processes."""
        return gradients[0][ctx.rank :: ctx.size] * ctx.size, None, None, None


def _trained(classifier: Classifier) -> list[torch.nn.Parameter]:
    return [weight for weight in classifier.parameters() if weight.requires_grad]


def _pieces(flat: Tensor, weights: Sequence[Tensor]) -> list[Tensor]:
    """``flat`` cut into the shapes of ``weights``; what is left over is left out."""
    sizes = [weight.numel() for weight in weights]
    cut = torch.split(flat[: sum(sizes)], sizes)
    return [piece.view_as(weight) for piece, weight in zip(cut, weights, strict=True)]
