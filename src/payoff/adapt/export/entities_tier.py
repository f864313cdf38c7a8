"""Tiers that find entities: the graph that scores tokens and the tokenizer, side by side."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from payoff.adapt.export.onnx_tagger import write_tagger_onnx
from payoff.adapt.export.tokenizer_file import write_tokenizer
from payoff.artifact.tier import TierSpec
from payoff.core.files import whole_folder

if TYPE_CHECKING:
    from torch import Tensor, nn

    from payoff.adapt.recipes.linear import LinearHead
    from payoff.adapt.tagged_texts import TaggedTexts


def write_entities_tier(
    tagged: TaggedTexts,
    layers: Iterable[nn.Module],
    head: nn.Linear | LinearHead,
    target: Path,
    *,
    name: str,
    prompt: Tensor | None = None,
    depth: int = 0,
    apart: bool = False,
) -> TierSpec:
    """Write an encoder that scores tokens as a tier, for `payoff.artifact.runtime.entities`.

    Args:
        tagged: The backbone on its texts: embeddings, tokenizer, labels, windows.
        layers: All layers in order.
        head: Linear head on normalised token vectors.
        target: Folder to make.
        name: What the tier is called.
        prompt: Put before the tokens that enter layer ``depth``, ``(n, width)``; None for none.
        depth: See ``prompt``.
        apart: Let models of one backbone share its weights in one process.
    """
    opened = tagged.opened
    with whole_folder(target) as draft:
        write_tagger_onnx(
            opened.encoder,
            list(layers),
            head,
            draft / "model.onnx",
            max_tokens=tagged.windows.max_tokens,
            prompt=prompt,
            depth=depth,
            apart=apart,
        )
        write_tokenizer(opened.tokenizer, draft)
    settings = {
        "labels": list(tagged.labels),
        "max_tokens": tagged.windows.max_tokens,
        "overlap": tagged.windows.overlap,
        "prefix": opened.backbone.prefix,
        "pad_id": 0,
        "whole_words": tagged.whole_words,
    }
    return TierSpec(name, "entities", settings=settings)
