"""Mixed precision: products in 16 bits while layers train, where the processor has them.

Weights, their gradients, AdamW's states, sums, normalisation and the loss stay in 32 bits; only the
products inside the layers take bfloat16 (Micikevicius et al. 2018, "Mixed Precision Training",
section 3; bfloat16 needs no scaling of the loss: Kalamkar et al. 2019). A processor without units
for it computes them in software, a hundred times slower, so that only one with units gets them.
Nothing but training is in 16 bits: what is cached, measured and served is computed as ever.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional

from payoff.core.errors import AdaptError

_ROWS = 64

PRECISION = "PAYOFF_PRECISION"
"""Environment variable: ``mixed`` or ``full``; where it is not set, the processor decides."""


@cache
def has_units() -> bool:
    """Whether this processor multiplies matrices in bfloat16 by units of its own (AMX).

    AVX-512's bfloat16 without AMX is left out: what it gains was not measured.
    """
    return bool(torch.cpu.get_capabilities().get("amx_bf16"))


def training_precision() -> str:
    """``"mixed"`` or ``"full"``: what trainings of this process use.

    Raises:
        AdaptError: PF416 where `PRECISION` is something else, or asks for what this processor
            would compute in software.
    """
    asked = os.environ.get(PRECISION, "").strip()
    if asked not in ("", "mixed", "full"):
        raise AdaptError("PF416", PRECISION, f"'{asked}'", expected="mixed or full")
    if asked == "mixed" and not has_units():
        raise AdaptError(
            "PF416", PRECISION, "mixed, on a processor without units for bfloat16", expected="full"
        )
    return asked or ("mixed" if has_units() else "full")


@contextmanager
def mixed_precision(module: nn.Module, hidden: Tensor) -> Iterator[Tensor]:
    """What layers run in: products in 16 bits while their module trains, where that pays.

    A product of a size that was not seen before is compiled first, which takes longer than the
    product, so that rows are added up to a multiple of `_ROWS`: they belong to no text.

    Args:
        module: Trains, or not.
        hidden: What enters the layers, ``(n_tokens, width)``.

    Yields:
        The same with rows behind it, where there are any.

    Example:
        >>> with mixed_precision(nn.Linear(2, 2).eval(), torch.ones(3, 2)) as hidden:
        ...     len(hidden), torch.is_autocast_enabled("cpu")
        (3, False)
    """
    if not (module.training and training_precision() == "mixed"):
        yield hidden
        return
    with torch.autocast("cpu", torch.bfloat16):
        yield functional.pad(hidden, (0, 0, 0, -len(hidden) % _ROWS))


def full_precision() -> AbstractContextManager[object]:
    """What is worth no 16 bits also there: attention, whose gradient is slower in them."""
    return torch.autocast("cpu", enabled=False)
