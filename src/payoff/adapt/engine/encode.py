"""Vectors of texts that are not the workbench's own, such as label names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from payoff.adapt.engine.batches import by_tokens, pack
from payoff.adapt.engine.tokens import tokenise
from payoff.adapt.engine.trunk import BATCH_TOKENS

if TYPE_CHECKING:
    from payoff.adapt.workbench import Opened


def encode(opened: Opened, texts: Sequence[str]) -> NDArray[np.float32]:
    """Run texts through a frozen encoder; nothing is kept on disk.

    Args:
        opened: The backbone; its own prefix is put before each text.
        texts: ``n`` texts; one that is longer than the backbone's window is cut into pieces.

    Returns:
        Vectors as `Encoder.pool` gives them, ``(n, width)``, in the order of ``texts``.

    Example:
        >>> encode(bench.opened("minilm-l6"), ["card arrival"]).shape  # doctest: +SKIP
        (1, 384)
    """
    encoder = opened.encoder
    tokens = tokenise(
        texts,
        opened.tokenizer,
        max_tokens=opened.window,
        prefix=opened.backbone.prefix,
        max_pieces=opened.max_pieces,
        separator=opened.separator,
    )
    vectors = np.empty((len(tokens), encoder.shape.width), np.float32)
    with torch.inference_mode():
        for rows in by_tokens(tokens.lengths, BATCH_TOKENS):
            batch = pack(tokens, rows)
            hidden = encoder.run(encoder.embed(batch), batch)
            vectors[batch.rows] = encoder.pool(hidden, batch).numpy()
    return vectors
