"""Fine-tuning of a backbone's upper layers and a head, started from the frozen solution.

The loop does no work that the result does not need: no padding, no pass through frozen layers
(`trunk.Trunk` has their activations), no gradient for the token table. The head starts as the
logistic regression on frozen vectors, so that the first step already stands where the cheaper
recipe ends (Kumar et al. 2022, "Fine-Tuning can Distort Pretrained Features", section 3).

A step is so many texts, however long they are. One of more than `Schedule.max_tokens` tokens is
computed in parts, and its gradient is the same: where the objective is a mean over texts
(`objectives.objective.Mean`), each part goes forward and back by itself and the gradients add up;
where it compares texts with each other, all vectors are there at once, but what the layers keep for
their gradient is not (`Classifier.in_parts`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from payoff.adapt.engine.batches import Packed, by_tokens, cut, pack, shuffled_by_tokens
from payoff.adapt.engine.classifier import Classifier
from payoff.adapt.engine.clipping import clip, unstable
from payoff.adapt.engine.memory import kept_bytes, training_bytes
from payoff.adapt.engine.objectives.cross_entropy import CrossEntropy
from payoff.adapt.engine.objectives.objective import Objective, mean_over
from payoff.adapt.engine.team import Team, team
from payoff.adapt.engine.trunk import Trunk
from payoff.core.measured import tell
from payoff.core.progress import Progress

MAX_TOKENS = 4096
"""Tokens of a step that are computed at once, unless said otherwise."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How a fine-tuning runs.

    Args:
        depth: First layer that is trained; those below are frozen. 0 trains all layers.
        epochs: Passes over the training texts.
        batch_texts: Texts in a step.
        learning_rate: Peak rate of the layers; each lower layer has ``decay`` times that.
        head_learning_rate: Peak rate of the head.
        decay: Factor a layer towards the input (Howard & Ruder 2018, section 3.2).
        warmup: Share of the steps in which the rate rises.
        weight_decay: AdamW's, on matrices only.
        seed: Order of the texts.
        max_tokens: Most tokens that are computed at once.
    """

    depth: int
    epochs: float = 2.0
    batch_texts: int = 32
    learning_rate: float = 2e-4
    head_learning_rate: float = 2e-3
    decay: float = 1.0
    warmup: float = 0.1
    weight_decay: float = 0.01
    seed: int = 0
    max_tokens: int = MAX_TOKENS


@dataclass(frozen=True, slots=True)
class _Part:
    """What is computed at once of a step.

    Args:
        batch: Some of its texts.
        targets: What they should give.
        share: Of the step's loss; 1 for all of them.
    """

    batch: Packed
    targets: Tensor
    share: float


class FineTuning:
    """A fine-tuning that can be advanced, paused, saved and resumed exactly.

    Args:
        classifier: What is trained.
        trunk: All texts below ``schedule.depth``.
        targets: What each text should give, one row a text: ``(n_texts,)`` classes, or whatever
            the objective takes. Or a function from a batch to that, where it is not one row a
            text.
        rows: The texts to train on.
        schedule: How.
        objective: What is minimised; smoothed cross-entropy where not given.
        progress: Told the steps.
    """

    def __init__(
        self,
        classifier: Classifier,
        trunk: Trunk,
        targets: NDArray[Any] | Callable[[Packed], Tensor],
        *,
        rows: NDArray[np.int64],
        schedule: Schedule,
        progress: Progress,
        objective: Objective | None = None,
    ) -> None:
        self.classifier = classifier
        self.trunk = trunk
        self._targets = targets if callable(targets) else _by_row(targets)
        self.rows = rows
        self.schedule = schedule
        self.progress = progress
        self.objective = objective or CrossEntropy()
        self.step = 0
        classifier.max_tokens = schedule.max_tokens
        self._epoch: tuple[int, list[NDArray[np.int64]]] = (-1, [])
        self.steps_per_epoch = len(self._batches(0))
        self.n_steps = max(1, round(self.steps_per_epoch * schedule.epochs))
        self._optimiser = torch.optim.AdamW(self._parameter_groups(), fused=True)
        self._peaks = [group["lr"] for group in self._optimiser.param_groups]

    def _parameter_groups(self) -> list[dict[str, Any]]:
        plan, classifier = self.schedule, self.classifier
        n_layers = len(classifier.layers)
        parts: list[tuple[float, nn.Module]] = [
            (plan.learning_rate * plan.decay ** (n_layers - 1 - index), layer)
            for index, layer in enumerate(classifier.layers)
        ]
        if classifier.prompt is not None:
            parts.append((plan.learning_rate, classifier.prompt))
        parts.append((plan.head_learning_rate, classifier.head))
        groups = []
        for rate, module in parts:
            trained = [p for p in module.parameters() if p.requires_grad]
            for matrices in (True, False):
                chosen = [p for p in trained if (p.ndim > 1) == matrices]
                decay = plan.weight_decay if matrices else 0.0
                if chosen:
                    groups.append({"params": chosen, "lr": rate, "weight_decay": decay})
        return groups

    def _batches(self, epoch: int) -> list[NDArray[np.int64]]:
        if self._epoch[0] != epoch:
            rng = np.random.default_rng([self.schedule.seed, epoch])
            lengths = self.trunk.tokens.lengths[self.rows]
            # Bounded in texts alone, so that every epoch has the same number of steps.
            batches = shuffled_by_tokens(
                lengths, int(lengths.sum()), self.schedule.batch_texts, rng
            )
            self._epoch = (epoch, [self.rows[batch] for batch in batches])
        return self._epoch[1]

    def _parts(self, rows: NDArray[np.int64]) -> list[_Part]:
        """A step as it is computed; a single part where all of it must be there at once."""
        tokens, bound = self.trunk.tokens, self.schedule.max_tokens
        runs = by_tokens(tokens.lengths[rows], bound)
        if len(runs) > 1:
            batches = [pack(tokens, rows[run]) for run in runs]
            targets = [self._targets(batch) for batch in batches]
            counts = [mean_over(self.objective, own) for own in targets]
            known = [count for count in counts if count is not None]
            if len(known) == len(counts):
                shares = [count / max(1, sum(known)) for count in known]
                return [_Part(*part) for part in zip(batches, targets, shares, strict=True)]
        batch = pack(tokens, rows)
        return [_Part(batch, self._targets(batch), 1.0)]

    def _below(self, batch: Packed) -> Tensor:
        """Activations that enter the classifier, ``(n_tokens, width)``."""
        parts = cut(batch, self.schedule.max_tokens)
        found = [self.trunk.below(self.classifier.depth, part) for part in parts]
        return found[0] if len(found) == 1 else torch.cat(found)

    def largest_batch(self) -> Packed:
        """The most that is computed at once in an epoch."""
        bound = self.schedule.max_tokens
        lengths = self.trunk.tokens.lengths
        steps = sorted(self._batches(0), key=self._n_tokens)
        within = [rows for rows in steps if self._n_tokens(rows) <= bound]
        longest = max(steps, key=lambda rows: int(lengths[rows].max()))  # a text is never cut
        parts = [
            piece
            for rows in (*within[-1:], steps[-1], longest)
            for part in self._parts(rows)
            for piece in cut(part.batch, bound)
        ]
        return max(parts, key=lambda part: part.n_tokens)

    def training_bytes(self) -> int:
        """Bytes that training needs beside what is loaded already, estimated from above.

        Those of the most that is computed at once (`memory.training_bytes`); and what is there of a
        whole step that is computed in parts and compared as one.
        """
        needed = training_bytes(self.classifier, self.largest_batch())
        whole = self._parts(max(self._batches(0), key=self._n_tokens))
        if len(whole) == 1 and whole[0].batch.n_tokens > self.schedule.max_tokens:
            needed += kept_bytes(self.classifier, whole[0].batch)
        return needed

    def _n_tokens(self, rows: NDArray[np.int64]) -> int:
        return int(self.trunk.tokens.lengths[rows].sum())

    def advance(self, share: float) -> None:
        """Train until ``share`` of all steps are done.

        Raises:
            AdaptError: PF402 where the loss or its gradient is no longer finite; the weights are
                then those of the last good step. PF410 where it is trained by several processes
                and one is gone.
        """
        together = team()
        together.align(self.classifier, (self.step, self.n_steps, int(self.rows.sum())))
        self.classifier.train()
        adaptation = self.classifier.adaptation
        while self.step < min(self.n_steps, round(self.n_steps * share)):
            epoch, index = divmod(self.step, self.steps_per_epoch)
            self._set_rates()
            self._optimiser.zero_grad(set_to_none=True)
            parts = self._parts(self._batches(epoch)[index])
            loss = sum(self._forward_and_backward(part, together) for part in parts)
            together.average(self.classifier)
            clip(self.classifier.parameters(), step=self.step, n_steps=self.n_steps)
            self._optimiser.step()
            self.step += 1
            if adaptation:
                adaptation.after_step(self.classifier, self.step, self.n_steps)
            tell(self.progress, "training/loss", loss, self.step)
            self.progress.step("fine-tuning", self.step, self.n_steps)
        self.classifier.eval()

    def _forward_and_backward(self, part: _Part, together: Team) -> float:
        """Add a part's gradient to that of the step, and tell its share of the loss.

        Raises:
            AdaptError: PF402 where the loss is no longer finite.
        """
        hidden = self._below(part.batch)
        with together.sharing(self.classifier):
            loss = self.objective(self.classifier, hidden, part.batch, part.targets)
        adaptation = self.classifier.adaptation
        penalty = adaptation.penalty(self.classifier) if adaptation else None
        if penalty is not None:
            loss = loss + penalty
        if not torch.isfinite(loss):
            raise unstable("loss", loss.item(), step=self.step, n_steps=self.n_steps)
        loss = part.share * loss
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.item()

    def _set_rates(self) -> None:
        """Linear rise, then linear fall to zero."""
        rise = max(1.0, self.schedule.warmup * self.n_steps)
        fall = (self.n_steps - self.step) / max(1.0, self.n_steps - rise)
        factor = min((self.step + 1) / rise, fall)
        for group, peak in zip(self._optimiser.param_groups, self._peaks, strict=True):
            group["lr"] = peak * factor

    def state(self) -> dict[str, Any]:
        """All that `resume` needs; tensors and plain values only, and nothing that is frozen."""
        return {
            "step": self.step,
            "classifier": trained_state(self.classifier),
            "optimiser": self._optimiser.state_dict(),
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go on exactly where `state` was taken."""
        self.step = state["step"]
        load_trained(self.classifier, state["classifier"])
        self._optimiser.load_state_dict(state["optimiser"])


def _by_row(targets: NDArray[Any]) -> Callable[[Packed], Tensor]:
    kept = torch.from_numpy(targets)
    return lambda batch: kept[batch.rows]


def trained_state(classifier: Classifier) -> dict[str, Any]:
    """State of a classifier without its frozen weights, which its encoder has."""
    frozen = {name for name, p in classifier.named_parameters() if not p.requires_grad}
    return {name: v for name, v in classifier.state_dict().items() if name not in frozen}


def load_trained(classifier: Classifier, state: dict[str, Any]) -> None:
    """Take over what `trained_state` gave of a classifier with the same adaptation."""
    trained = trained_state(classifier)
    frozen = {name: v for name, v in classifier.state_dict().items() if name not in trained}
    classifier.load_state_dict(frozen | state)
