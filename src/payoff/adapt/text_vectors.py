"""Vectors of texts by a pretrained model, for whoever has texts and no targets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from payoff.adapt.backbones.find import find
from payoff.core.errors import BackboneError
from payoff.core.extras import require
from payoff.core.progress import Progress, Silent

_BLOCK = 256


def text_vectors(
    texts: Sequence[str], backbone: str, *, progress: Progress | None = None
) -> NDArray[np.float32]:
    """Run texts through a frozen backbone.

    Args:
        texts: ``n`` texts.
        backbone: A name that `payoff.adapt.backbones.find.find` knows.
        progress: Who listens.

    Returns:
        Vectors as the backbone pools them, shape ``(n, width)``, in the order of ``texts``.

    Raises:
        BackboneError: PF301 for an unknown name; PF302 for altered weights; PF304 for a decoder,
            which has no vector of a text.
        MachineError: PF803 where torch is not installed; PF804 where the backbone must be fetched
            and the network is missing.

    Example:
        >>> text_vectors(["card arrival"], "minilm-l6").shape  # doctest: +SKIP
        (1, 384)
    """
    find(backbone)  # a name that is not known is told before torch is looked for
    require("torch", "tune", f"vectors by {backbone}")
    from payoff.adapt.engine.encode import encode
    from payoff.adapt.workbench import Workbench

    listener = progress or Silent()
    bench = Workbench(
        tuple(texts),
        np.zeros(len(texts), dtype=np.int64),
        ("text",),
        np.arange(len(texts)),
        np.zeros(0, dtype=np.int64),
        (backbone,),
        Path(),  # encoding keeps nothing on disk
        progress=listener,
    )
    opened = bench.opened(backbone)
    if opened.backbone.family == "static":
        return opened.static
    if opened.backbone.family != "encoder":
        raise BackboneError(
            "PF304",
            f"backbone '{backbone}'",
            f"it is a {opened.backbone.family}, which has no vector of a text",
            expected="an encoder or static vectors",
            mend="`payoff backbones` lists them.",
        )
    # Texts of like length together, so that little is padded; then back in their order.
    order = np.argsort([len(text) for text in texts], kind="stable")
    blocks = []
    for start in range(0, len(order), _BLOCK):
        listener.step(f"reading texts with {backbone}", start, len(order))
        blocks.append(encode(opened, [texts[i] for i in order[start : start + _BLOCK]]))
    listener.step(f"reading texts with {backbone}", len(order), len(order))
    vectors = np.empty_like(blocks[0], shape=(len(order), blocks[0].shape[1]))
    vectors[order] = np.concatenate(blocks)
    return vectors
