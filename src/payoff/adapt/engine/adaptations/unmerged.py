"""A frozen matrix with what was trained beside it, not folded in."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Unmerged(nn.Linear):
    """``after * (W (before * x) + up (down x) + b)``, where ``W`` is as it was pretrained.

    Served like this, models of one backbone can share ``W``; see
    `payoff.artifact.runtime.shared_session`.

    Args:
        frozen: Has ``W`` and ``b``.
        down: ``(n_inputs, rank)``; None for no thin matrices.
        up: ``(rank, n_outputs)``.
        before: Factors of what enters, ``(n_inputs,)``; None for none.
        after: Factors of what leaves, ``(n_outputs,)``; None for none.

    Example:
        >>> plain = nn.Linear(4, 6)
        >>> doubled = Unmerged(plain, after=torch.full((6,), 2.0))
        >>> x = torch.ones(1, 4)
        >>> torch.allclose(doubled(x), 2 * plain(x)), doubled.weight is plain.weight
        (True, True)
    """

    def __init__(
        self,
        frozen: nn.Linear,
        *,
        down: Tensor | None = None,
        up: Tensor | None = None,
        before: Tensor | None = None,
        after: Tensor | None = None,
    ) -> None:
        super().__init__(frozen.in_features, frozen.out_features, device="meta")
        self.weight = frozen.weight
        self.bias = frozen.bias if after is None else _trained(frozen.bias * after)
        self.down = None if down is None else _trained(down)
        self.up = None if up is None else _trained(up)
        self.before = None if before is None else _trained(before)
        self.after = None if after is None else _trained(after)

    def forward(self, entering: Tensor) -> Tensor:
        """``(…, n_inputs)`` to ``(…, n_outputs)``."""
        inner = entering if self.before is None else entering * self.before
        product = functional.linear(inner, self.weight)
        if self.down is not None and self.up is not None:
            product = product + entering @ self.down @ self.up
        if self.after is not None:
            product = product * self.after
        out: Tensor = product + self.bias
        return out


def _trained(value: Tensor) -> nn.Parameter:
    """A parameter of its own; exporting tells by ``requires_grad`` what was trained."""
    with torch.no_grad():
        return nn.Parameter(value.detach().clone())
