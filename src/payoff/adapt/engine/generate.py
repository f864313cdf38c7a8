"""Writing what follows prompts: the most probable token, again and again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from payoff.adapt.engine.decoder import Decoder, DecoderShape
from payoff.core.errors import AdaptError

_MOST_NUMBERS = 1 << 26
"""Keys and values of the prompts that are continued at once: 256 MiB in fp32."""

_MOST_PROMPTS = 32


def generate(
    decoder: Decoder,
    prompts: Sequence[Sequence[int]],
    *,
    stop: Collection[int],
    max_new_tokens: int,
    tell: Callable[[int], object] | None = None,
) -> list[list[int]]:
    """Continue each prompt greedily until a token of ``stop``.

    Prompts of equal length are run together, so that nothing is padded; their keys and values are
    kept, so that each further token costs one token. The same prompt has the same continuation
    whatever stands beside it, up to ties in rounding.

    Args:
        decoder: In evaluation mode.
        prompts: Token ids of each, one or more.
        stop: Tokens that end a continuation and do not belong to it.
        max_new_tokens: Longest continuation.
        tell: Called with the number of prompts done so far.

    Returns:
        New token ids of each prompt, in their order.

    Raises:
        AdaptError: PF405 where a prompt is empty, or would leave the decoder's window.
    """
    _refuse_misfits(decoder.shape, prompts, max_new_tokens)
    found: list[list[int]] = [[] for _ in prompts]
    ends = frozenset(stop)
    done = 0
    for rows in _batches(decoder.shape, prompts, max_new_tokens):
        ids = torch.tensor([prompts[row] for row in rows], dtype=torch.int64)
        for row, said in zip(rows, _continued(decoder, ids, ends, max_new_tokens), strict=True):
            found[row] = said
        done += len(rows)
        if tell is not None:
            tell(done)
    return found


@torch.inference_mode()
def _continued(
    decoder: Decoder, ids: Tensor, ends: frozenset[int], max_new_tokens: int
) -> list[list[int]]:
    """Continuations of ``(n, length)`` prompts; one that has ended is run no further."""
    said: list[list[int]] = [[] for _ in ids]
    going, past = np.arange(len(ids)), None
    for _ in range(max_new_tokens):
        hidden, past = decoder(ids, past)
        chosen = decoder.scores(hidden[:, -1]).argmax(dim=-1)
        goes_on = np.array([token not in ends for token in chosen.tolist()])
        for row, token in zip(going[goes_on], chosen[goes_on].tolist(), strict=True):
            said[row].append(token)
        if not goes_on.any():
            break
        if not goes_on.all():
            going, past = going[goes_on], past[:, :, torch.from_numpy(goes_on)]
        ids = chosen[goes_on, None]
    return said


def _batches(
    shape: DecoderShape, prompts: Sequence[Sequence[int]], max_new_tokens: int
) -> Iterator[NDArray[np.int64]]:
    """Prompts of equal length, as many at once as there is room for."""
    lengths = np.array([len(prompt) for prompt in prompts], np.int64)
    for length in np.unique(lengths):
        rows = np.flatnonzero(lengths == length)
        each = 2 * shape.layers * shape.key_heads * shape.head_width * (length + max_new_tokens)
        count = int(np.clip(_MOST_NUMBERS // each, 1, _MOST_PROMPTS))
        for start in range(0, len(rows), count):
            yield rows[start : start + count]


def _refuse_misfits(
    shape: DecoderShape, prompts: Sequence[Sequence[int]], max_new_tokens: int
) -> None:
    longest = max(map(len, prompts), default=1)
    if longest + max_new_tokens > shape.positions:
        raise AdaptError(
            "PF405",
            "the prompt",
            f"it has {longest} tokens, and {max_new_tokens} more may follow",
            expected=f"at most {shape.positions} in all",
        )
    if not all(prompts):
        raise AdaptError("PF405", "the prompt", "it has no token", expected="an instruction")
