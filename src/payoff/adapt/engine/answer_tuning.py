"""Training a decoder to answer: loss on the answers' tokens, low-rank matrices beside its own.

The loop does no work that the result does not need: texts of like length stand together without
padding, the table of the words has no gradient, and the scores of all its words are computed for
the answers' tokens only, a piece at a time, and never kept. A step of many tokens is computed in
parts whose gradients add up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from payoff.adapt.engine.batches import Packed, by_tokens, pack, shuffled_by_tokens
from payoff.adapt.engine.clipping import clip, unstable
from payoff.adapt.engine.decoder import Decoder
from payoff.adapt.engine.lessons import Lessons
from payoff.core.measured import tell
from payoff.core.progress import Progress

_PIECE = 256  # tokens whose scores are computed at once
_BYTES = 4  # of a float32
_STATES = 3  # of a trained weight: its gradient and AdamW's two moments

MAX_TOKENS = 1024
"""Tokens of a step that are computed at once, unless said otherwise."""


@dataclass(frozen=True, slots=True)
class AnswerSchedule:
    """How an instruction tuning runs.

    Args:
        epochs: Passes over the pairs.
        batch_texts: Pairs in a step.
        learning_rate: Peak rate.
        warmup: Share of the steps in which the rate rises.
        weight_decay: AdamW's.
        seed: Order of the pairs.
        max_tokens: Most tokens that are computed at once; a longer pair is alone.
    """

    epochs: float = 3.0
    batch_texts: int = 8
    learning_rate: float = 1e-3
    warmup: float = 0.1
    weight_decay: float = 0.01
    seed: int = 0
    max_tokens: int = MAX_TOKENS


class AnswerTraining:
    """An instruction tuning that can be advanced, paused, saved and resumed exactly.

    Args:
        decoder: What is trained: its weights that require a gradient.
        lessons: Questions and answers as tokens.
        schedule: How.
        progress: Told the steps.
    """

    def __init__(
        self, decoder: Decoder, lessons: Lessons, *, schedule: AnswerSchedule, progress: Progress
    ) -> None:
        self.decoder = decoder
        self.lessons = lessons
        self.schedule = schedule
        self.progress = progress
        self.step = 0
        self._epoch: tuple[int, list[NDArray[np.int64]]] = (-1, [])
        self.steps_per_epoch = len(self._batches(0))
        self.n_steps = max(1, round(self.steps_per_epoch * schedule.epochs))
        self._optimiser = torch.optim.AdamW(
            trained_weights(decoder).values(),
            lr=schedule.learning_rate,
            weight_decay=schedule.weight_decay,
            fused=True,
        )

    def _batches(self, epoch: int) -> list[NDArray[np.int64]]:
        if self._epoch[0] != epoch:
            rng = np.random.default_rng([self.schedule.seed, epoch])
            lengths = self.lessons.tokens.lengths
            # Bounded in texts alone, so that every epoch has the same number of steps.
            batches = shuffled_by_tokens(
                lengths, int(lengths.sum()), self.schedule.batch_texts, rng
            )
            self._epoch = (epoch, batches)
        return self._epoch[1]

    def training_bytes(self) -> int:
        """Bytes that training needs beside what is loaded already, estimated from above.

        States of the trained weights; what the layers keep for their gradient of the most that is
        computed at once; and the scores of a piece. A layer keeps about ``12 width + 3 inner``
        numbers a token. Resident memory grew by up to ``32 width + 8 inner`` where it was measured,
        since the allocator returns little of what is freed between.
        """
        shape, lengths = self.decoder.shape, self.lessons.tokens.lengths
        trained = sum(weight.numel() for weight in trained_weights(self.decoder).values())
        parts = [part for rows in self._batches(0) for part in self._parts(rows)]
        largest = max(int(lengths[part].sum()) for part in parts)
        kept = shape.layers * largest * (32 * shape.width + 8 * shape.inner)
        return _BYTES * (_STATES * trained + kept + 3 * _PIECE * shape.vocabulary)

    def advance(self, share: float) -> None:
        """Train until ``share`` of all steps are done.

        Raises:
            AdaptError: PF402 where the loss or its gradient is no longer finite; the weights are
                those of the last good step.
        """
        self.decoder.train()
        try:
            self._train(share)
        finally:
            self.decoder.eval()

    def _train(self, share: float) -> None:
        while self.step < min(self.n_steps, round(self.n_steps * share)):
            epoch, index = divmod(self.step, self.steps_per_epoch)
            for group in self._optimiser.param_groups:
                group["lr"] = self.schedule.learning_rate * self._factor()
            self._optimiser.zero_grad(set_to_none=True)
            loss = self._forward_and_backward(self._batches(epoch)[index])
            clip(trained_weights(self.decoder).values(), step=self.step, n_steps=self.n_steps)
            self._optimiser.step()
            self.step += 1
            self.progress.step("instruction tuning", self.step, self.n_steps)
            tell(self.progress, "training/loss", loss, self.step)

    def _parts(self, rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """The pairs of a step as they are computed at once."""
        runs = by_tokens(self.lessons.tokens.lengths[rows], self.schedule.max_tokens)
        return [rows[run] for run in runs]

    def _forward_and_backward(self, rows: NDArray[np.int64]) -> float:
        """The gradient of a step, and its loss.

        Raises:
            AdaptError: PF402 where the loss is no longer finite.
        """
        parts = [pack(self.lessons.tokens, part) for part in self._parts(rows)]
        counts = [len(self.lessons.places(part)[0]) for part in parts]
        total = 0.0
        for part, count in zip(parts, counts, strict=True):
            loss = count / sum(counts) * self._loss(part)
            if not torch.isfinite(loss):
                raise unstable("loss", loss.item(), step=self.step, n_steps=self.n_steps)
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.item()
        return total

    def _loss(self, batch: Packed) -> Tensor:
        """Mean over the batch's answer tokens of −log P(token | all before it)."""
        before, following = self.lessons.places(batch)
        hidden = self.decoder.packed(batch)[before]
        table = self.decoder.words.weight
        loss: Tensor = _TableCrossEntropy.apply(hidden, table, following)  # type: ignore[no-untyped-call]
        return loss

    def _factor(self) -> float:
        """Linear rise, then linear fall to zero."""
        rise = max(1.0, self.schedule.warmup * self.n_steps)
        fall = (self.n_steps - self.step) / max(1.0, self.n_steps - rise)
        return min((self.step + 1) / rise, fall)

    def state(self) -> dict[str, Any]:
        """All that `resume` needs; tensors and plain values only, and nothing that is frozen."""
        return {
            "step": self.step,
            "weights": {n: w.detach() for n, w in trained_weights(self.decoder).items()},
            "optimiser": self._optimiser.state_dict(),
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go on exactly where `state` was taken."""
        self.step = state["step"]
        load_trained_weights(self.decoder, state["weights"])
        self._optimiser.load_state_dict(state["optimiser"])


class _TableCrossEntropy(torch.autograd.Function):
    """Mean cross-entropy of words by a frozen table, its gradient computed on the way.

    The scores of a piece of the tokens are turned into the gradient of their vectors at once, so
    that ``(n_tokens, vocabulary)`` numbers never exist.
    """

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, table: Tensor, words: Tensor) -> Tensor:
        """``(n, width)``, ``(vocabulary, width)`` and ``(n,)`` to a number."""
        gradient = torch.empty_like(hidden)
        total = hidden.new_zeros(())
        for start in range(0, len(hidden), _PIECE):
            piece = slice(start, start + _PIECE)
            probable = (hidden[piece] @ table.T).log_softmax(dim=1)
            own = words[piece, None]
            total -= probable.gather(1, own).sum()
            wrong = probable.exp_().scatter_add_(1, own, -torch.ones_like(own, dtype=hidden.dtype))
            gradient[piece] = wrong @ table
        ctx.save_for_backward(gradient)
        ctx.count = len(hidden)
        return total / len(hidden)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, None, None]:
        """The gradient of the vectors; the table is frozen."""
        (gradient,) = ctx.saved_tensors
        return gradient * (outer[0] / ctx.count), None, None


def trained_weights(decoder: Decoder) -> dict[str, nn.Parameter]:
    """The weights that require a gradient, by name."""
    return {name: w for name, w in decoder.named_parameters() if w.requires_grad}


def load_trained_weights(decoder: Decoder, weights: dict[str, Tensor]) -> None:
    """Take over the trained weights of a decoder with the same adaptation."""
    with torch.no_grad():
        for name, weight in trained_weights(decoder).items():
            weight.copy_(weights[name])
