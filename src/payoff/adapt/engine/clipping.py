"""Clipping of gradients, which is also where a training that goes astray is stopped in time."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from payoff.core.errors import AdaptError

_MOST = 1.0
"""Norm that the gradient of a step has at most."""


def clip(weights: Iterable[Tensor], *, step: int, n_steps: int) -> None:
    """Shorten the gradient of a step to a norm of 1, and refuse one that is no number.

    It is refused before the optimiser uses it, so that the weights and what the optimiser keeps are
    those of the last good step. A loss may be finite where its gradient is not.

    Args:
        weights: What is trained; those without a gradient do not count.
        step: Number of the step.
        n_steps: Steps of the training.

    Raises:
        AdaptError: PF402 where the gradient is not finite.

    Example:
        >>> weight = torch.tensor([3.0, 4.0], requires_grad=True)
        >>> (weight * weight).sum().backward()
        >>> clip([weight], step=0, n_steps=10)
        >>> round(weight.grad.norm().item(), 3)
        1.0
    """
    norm = nn.utils.clip_grad_norm_(weights, _MOST)
    if not torch.isfinite(norm):
        raise unstable("gradient", norm.item(), step=step, n_steps=n_steps)


def unstable(what: str, value: float, *, step: int, n_steps: int) -> AdaptError:
    """The error of a training whose loss or gradient is no finite number.

    Example:
        >>> print(unstable("loss", float("nan"), step=3, n_steps=14))
        PF402 step 3 of 14: the loss is nan. Lower the learning rate; nothing of that step was kept.
    """
    return AdaptError(
        "PF402",
        f"step {step} of {n_steps}",
        f"the {what} is {value}",
        mend="Lower the learning rate; nothing of that step was kept.",
    )
