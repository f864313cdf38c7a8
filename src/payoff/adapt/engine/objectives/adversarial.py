"""Adversarial training: right also where the input is moved a little to where it hurts most.

What is moved is the activations that enter the classifier, of each text by at most ``radius``
times their norm, so that one radius suits every backbone; the pieces of a text that is longer than
the window are each moved so. Both losses return one scalar: the mean
loss over all passes, whose gradient is the mean of the passes' gradients. Only one pass at a time
is held in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from payoff.adapt.engine.batches import Packed
from payoff.adapt.engine.classifier import Classifier
from payoff.adapt.engine.objectives.batch_seed import batch_seed
from payoff.adapt.engine.objectives.cross_entropy import CrossEntropy
from payoff.adapt.engine.objectives.objective import Objective, mean_over
from payoff.core.errors import AdaptError

_TINY = 1e-12


@dataclass(frozen=True, slots=True)
class FGMLoss:
    """The mean of the loss where the text is, and one step up the gradient from there.

    Miyato et al. 2017, section 3: the step has the length of the radius.

    Args:
        radius: Length of the step over the norm of the text's activations.
        objective: The loss.

    Raises:
        AdaptError: PF406 where ``radius`` is negative.
    """

    radius: float = 0.02
    objective: Objective = field(default_factory=CrossEntropy)

    def __post_init__(self) -> None:
        _require_radius("FGM", self.radius)

    def __call__(
        self, classifier: Classifier, hidden: Tensor, batch: Packed, targets: Tensor
    ) -> Tensor:
        """The loss of a batch."""
        reach = self.radius * text_norms(hidden, batch)
        return _mean_of_passes(
            classifier,
            lambda move: self.objective(classifier, hidden + move, batch, targets),
            torch.zeros_like(hidden),
            n_passes=2,
            climb=lambda _, gradient: reach * _directions(gradient, batch),
        )

    def mean_over(self, targets: Tensor) -> int | None:
        """As the objective says: each text is moved by itself."""
        return mean_over(self.objective, targets)


@dataclass(frozen=True, slots=True)
class FreeLBLoss:
    """The mean of the loss at the points of a short climb within a ball about each text.

    Zhu et al. 2020, algorithm 1: from a random point, steps up the gradient, projected back into
    the ball.

    Args:
        radius: Of the ball, over the norm of the text's activations.
        steps: Points at which the gradient is taken; at least 1.
        rate: Length of a step over the radius.
        objective: The loss.
        seed: Of the training.

    Raises:
        AdaptError: PF406 where ``radius`` or ``rate`` is negative or ``steps`` is below 1.
    """

    radius: float = 0.02
    steps: int = 3
    rate: float = 0.5
    objective: Objective = field(default_factory=CrossEntropy)
    seed: int = 0

    def __post_init__(self) -> None:
        _require_radius("FreeLB", self.radius)
        if self.steps < 1:
            raise AdaptError("PF406", "FreeLB, steps", f"{self.steps}", expected="at least 1")
        if not 0 <= self.rate < float("inf"):
            raise AdaptError("PF406", "FreeLB, rate", f"{self.rate}", expected="0 or more")

    def __call__(
        self, classifier: Classifier, hidden: Tensor, batch: Packed, targets: Tensor
    ) -> Tensor:
        """The loss of a batch."""
        reach = self.radius * text_norms(hidden, batch)
        values = text_lengths(batch)[:, None] * hidden.shape[1]
        generator = torch.Generator().manual_seed(batch_seed(batch, self.seed))
        start = torch.rand(hidden.shape, generator=generator) * 2 - 1

        def climb(move: Tensor, gradient: Tensor) -> Tensor:
            move = move + self.rate * reach * _directions(gradient, batch)
            too_far = text_norms(move, batch) / reach.clamp_min(_TINY)
            return move / too_far.clamp_min(1.0)

        return _mean_of_passes(
            classifier,
            lambda move: self.objective(classifier, hidden + move, batch, targets),
            start * reach / values.sqrt(),
            n_passes=self.steps,
            climb=climb,
        )

    def mean_over(self, targets: Tensor) -> int | None:
        """As the objective says; where the climb starts is drawn for each part by itself."""
        return mean_over(self.objective, targets)


def text_lengths(batch: Packed) -> Tensor:
    """Tokens of a token's text, ``(n_tokens,)``."""
    parts = [torch.full((count * length,), length) for _, count, length in batch.groups]
    return torch.cat(parts)


def text_norms(values: Tensor, batch: Packed) -> Tensor:
    """Norm of all values of a token's text, ``(n_tokens, width)`` to ``(n_tokens, 1)``."""
    squares = (values**2).sum(dim=1)
    norms = []
    sizes = [count * length for _, count, length in batch.groups]
    for part, (_, count, length) in zip(
        torch.split_with_sizes(squares, sizes), batch.groups, strict=True
    ):
        of_text = part.view(count, length).sum(dim=1, keepdim=True).sqrt()
        norms.append(of_text.expand(count, length).reshape(-1, 1))
    return torch.cat(norms)


def _directions(gradient: Tensor, batch: Packed) -> Tensor:
    """Of norm 1 for each text."""
    return gradient / text_norms(gradient, batch).clamp_min(_TINY)


def _mean_of_passes(
    classifier: Classifier,
    loss_at: Callable[[Tensor], Tensor],
    move: Tensor,
    *,
    n_passes: int,
    climb: Callable[[Tensor, Tensor], Tensor],
) -> Tensor:
    """Mean loss at ``n_passes`` points, with the mean gradient over the trained weights.

    Args:
        classifier: What is trained.
        loss_at: The loss where the activations are moved.
        move: The first point, as the activations.
        n_passes: How many points.
        climb: From a point and the gradient there to the next point.
    """
    trained = [weights for weights in classifier.parameters() if weights.requires_grad]
    means: list[Tensor | None] = [None] * len(trained)
    value = torch.zeros(())
    for left in reversed(range(n_passes)):
        move = move.detach().requires_grad_(left > 0)
        loss = loss_at(move)
        wanted = [*trained, move] if left else trained
        gradients = torch.autograd.grad(loss, wanted, allow_unused=True)
        for index, gradient in enumerate(gradients[: len(trained)]):
            if gradient is not None:
                before = means[index]
                share = gradient / n_passes
                means[index] = share if before is None else before + share
        value = value + loss.detach() / n_passes
        if left:
            move = climb(move.detach(), gradients[-1])
    pairs = [(w, mean) for w, mean in zip(trained, means, strict=True) if mean is not None]
    # Its value is 0, and its gradient for each weight is the mean found above.
    carrier = torch.stack([torch.dot(w.flatten(), mean.flatten()) for w, mean in pairs]).sum()
    return value + (carrier - carrier.detach())


def _require_radius(what: str, radius: float) -> None:
    if not 0 <= radius < float("inf"):
        raise AdaptError("PF406", f"{what}, radius", f"{radius}", expected="0 or more")
