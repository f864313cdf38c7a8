"""Learning a domain from texts without labels: the upper layers of an encoder, no head.

Two tasks, each of which needs nothing but texts: to know a text again when parts of it were dropped
inside the encoder (`SimCse`), and to name the tokens that were deleted from it (`DenoisingBag`).
The loop is that of `finetuning.FineTuning`. Frozen layers are run anew in each step and not cached:
a task may change the tokens first, and few epochs make a cache of many texts a poor trade.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from payoff.adapt.engine.batches import Packed, pack
from payoff.adapt.engine.classifier import Classifier
from payoff.adapt.engine.encoder import Encoder
from payoff.adapt.engine.finetuning import FineTuning, Schedule
from payoff.adapt.engine.objectives.batch_seed import batch_seed
from payoff.adapt.engine.precision import mixed_precision
from payoff.adapt.engine.tokens import Tokens
from payoff.adapt.engine.trunk import Trunk
from payoff.core.progress import Progress


class Task(Protocol):
    """From texts alone to a loss."""

    @property
    def trains_head(self) -> bool:
        """Whether the classifier's head, ``(width, width)``, is a part of the task."""

    def __call__(self, classifier: Classifier, batch: Packed, generator: torch.Generator) -> Tensor:
        """The loss of a batch; everything random comes from ``generator``."""


@dataclass(frozen=True, slots=True)
class SimCse:
    """Know each text again among the batch (Gao et al. 2021, "SimCSE", equation 4).

    A text is run twice through the trained layers, with another dropout each time. The encoder
    has no dropout of its own: what enters each trained layer is dropped.

    Args:
        temperature: The smaller, the more the most similar other texts count.
        dropout: Share of the values that are dropped; the rest grows to make up for it.
    """

    temperature: float = 0.05
    dropout: float = 0.1

    @property
    def trains_head(self) -> bool:
        """No head: the vectors themselves are compared."""
        return False

    def __call__(self, classifier: Classifier, batch: Packed, generator: torch.Generator) -> Tensor:
        """Cross-entropy of finding each text's other view."""
        below = frozen_part(classifier, batch)
        one, other = (self._view(classifier, below, batch, generator, n) for n in range(2))
        return functional.cross_entropy(one @ other.T / self.temperature, torch.arange(len(one)))

    def _view(
        self,
        classifier: Classifier,
        hidden: Tensor,
        batch: Packed,
        generator: torch.Generator,
        number: int,
    ) -> Tensor:
        encoder = classifier.trunk[0]

        def vectors(hidden: Tensor, part: Packed) -> Tensor:
            chance = generator
            if part is not batch:  # it is run twice, and drops the same both times
                seed = batch_seed(part, generator.initial_seed() + number)
                chance = torch.Generator().manual_seed(seed)
            bias = encoder.relative_bias(max(length for _, _, length in part.groups))
            with mixed_precision(classifier, hidden) as hidden:
                for layer in classifier.own_layers():
                    hidden = layer(dropped(hidden, self.dropout, chance), part.groups, bias)
            hidden = hidden[: part.n_tokens]
            return encoder.pool_pieces(hidden, part)

        found = classifier.in_parts(hidden, batch, vectors)
        return found if batch.pieces is None else batch.pieces.mean(found)


@dataclass(frozen=True, slots=True)
class DenoisingBag:
    """Denoising bag-of-tokens, after TSDAE (Wang et al. 2021, section 3).

    As there, tokens are deleted and must be told from the vector of the text that is left. There,
    a transformer decoder writes the whole text in order. Here a linear map of the vector, compared
    with the frozen token table, scores the deleted tokens as a bag: there is no decoder to train
    from nothing on the few thousand texts of a small team, and a step costs little more than the
    encoder's own.

    Args:
        deleted: Share of the tokens that are deleted; 0.6 was best in the paper's section 6.
    """

    deleted: float = 0.6

    @property
    def trains_head(self) -> bool:
        """The head is the linear map."""
        return True

    def __call__(self, classifier: Classifier, batch: Packed, generator: torch.Generator) -> Tensor:
        """Mean over texts of the mean cross-entropy of their deleted tokens."""
        left, texts, ids = without_some_tokens(batch, self.deleted, generator)
        vectors = classifier.vectors(frozen_part(classifier, left), left)
        if not len(texts):
            return vectors.sum() * 0.0
        words = classifier.trunk[0].words.weight
        length = words[::16].norm(dim=1).mean()  # divided by, so that one rate suits all tables
        scores = (classifier.head(vectors) / length) @ words.T
        each = -scores.log_softmax(dim=1)[texts, ids]
        n_deleted = torch.bincount(texts, minlength=len(vectors))
        mean: Tensor = (each / n_deleted[texts]).sum() / (n_deleted > 0).sum()
        return mean


class DomainTuning(FineTuning):
    """Training of an encoder's upper layers on texts without labels; pauses as its parent does.

    Args:
        encoder: The pretrained encoder; its layers from ``schedule.depth`` on are copied.
        tokens: Texts.
        rows: Those of them to train on.
        task: What they learn.
        schedule: How long and how fast; its ``seed`` also decides what is dropped or deleted.
        progress: Told the steps.
    """

    def __init__(
        self,
        encoder: Encoder,
        tokens: Tokens,
        *,
        rows: NDArray[np.int64],
        task: Task,
        schedule: Schedule,
        progress: Progress,
    ) -> None:
        width = encoder.shape.width
        # From nothing: a map that starts at random would first push the layers at random.
        nothing = np.zeros((width, width), np.float32)
        classifier = Classifier(encoder, schedule.depth, nothing, nothing[0])
        classifier.head.requires_grad_(task.trains_head)
        self.task = task
        super().__init__(
            classifier,
            _Uncached(encoder, tokens, progress, folder=Path()),
            np.zeros(len(tokens), np.int64),
            rows=rows,
            schedule=schedule,
            progress=progress,
            objective=self._loss,
        )

    def _loss(
        self, classifier: Classifier, hidden: Tensor, batch: Packed, targets: Tensor
    ) -> Tensor:
        """The task's; what is random in it depends on seed and step, so that it can be resumed."""
        seed = np.random.SeedSequence([self.schedule.seed, self.step]).generate_state(1)[0]
        return self.task(classifier, batch, torch.Generator().manual_seed(int(seed)))


class _Uncached(Trunk):
    """Texts whose frozen layers are left to the task."""

    def below(self, depth: int, batch: Packed) -> Tensor:
        """Nothing."""
        return torch.empty(0)


def frozen_part(classifier: Classifier, batch: Packed) -> Tensor:
    """What enters the first trained layer, computed anew, ``(n_tokens, width)``."""
    encoder = classifier.trunk[0]

    def run(hidden: Tensor, part: Packed) -> Tensor:
        return encoder.run(hidden, part, last=classifier.depth)

    with torch.no_grad():
        return classifier.in_parts(encoder.embed(batch), batch, run)


def dropped(hidden: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Set ``share`` of the values to 0 at random and scale the rest up; the mean stays."""
    keep = torch.rand(hidden.shape, generator=generator) >= share
    return hidden * keep / (1.0 - share)


def without_some_tokens(
    batch: Packed, share: float, generator: torch.Generator
) -> tuple[Packed, Tensor, Tensor]:
    """Delete tokens at random; a text's first and last token and one other are always left.

    A piece of a longer text is a text of its own here.

    Args:
        batch: Texts with the marks of the tokenizer as their first and last token.
        share: Of the tokens between those, how many are deleted.
        generator: Decides which.

    Returns:
        What is left; and for each deleted token its text, as a place in what is left, and its id,
        both ``(n_deleted,)``.
    """
    lengths = batch.piece_lengths
    starts = np.cumsum(lengths) - lengths
    owner = np.repeat(np.arange(len(lengths)), lengths)
    positions = batch.positions.numpy()
    inner = (positions > 0) & (positions < lengths[owner] - 1)
    chance = np.where(inner, torch.rand(len(owner), generator=generator).numpy(), -1.0)
    luckiest = np.maximum.reduceat(chance, starts)
    keep = ~inner | (chance >= share) | (chance == luckiest[owner])
    offsets = np.concatenate([[0], np.cumsum(np.add.reduceat(keep.astype(np.int64), starts))])
    ids = batch.ids.numpy()
    left = pack(Tokens(ids[keep], offsets), np.arange(len(lengths)))
    place = np.empty(len(lengths), np.int64)
    place[left.rows] = np.arange(len(lengths))
    return left, torch.from_numpy(place[owner[~keep]]), torch.from_numpy(ids[~keep])


def together(one: Tokens, other: Tokens) -> Tokens:
    """The texts of ``one``, then those of ``other``.

    Example:
        >>> a = Tokens(np.array([5, 6, 7]), np.array([0, 1, 3]))
        >>> both = together(a, a)
        >>> both.ids.tolist(), both.offsets.tolist()
        ([5, 6, 7, 5, 6, 7], [0, 1, 3, 4, 6])
    """
    ids = np.concatenate([one.ids, other.ids])
    offsets, pieces = (
        np.concatenate([first, first[-1] + then[1:]])
        for first, then in (
            (one.offsets, other.offsets),
            (one.piece_offsets, other.piece_offsets),
        )
    )
    n_cut = one.n_cut + other.n_cut
    if len(pieces) == len(offsets):
        return Tokens(ids, offsets, n_cut=n_cut)
    return Tokens(ids, offsets, pieces, n_cut)
