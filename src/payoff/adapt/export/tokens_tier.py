"""Tiers that read tokens: the ONNX file and the tokenizer, side by side."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from payoff.adapt.export.onnx_encoder import write_onnx
from payoff.adapt.export.onnx_static import write_static_onnx
from payoff.adapt.export.tokenizer_file import write_tokenizer
from payoff.artifact.tier import TierSpec
from payoff.core.files import whole_folder

if TYPE_CHECKING:
    from torch import Tensor, nn

    from payoff.adapt.recipes.linear import LinearHead
    from payoff.adapt.workbench import Opened


def write_encoder_tier(
    opened: Opened,
    layers: Iterable[nn.Module],
    head: nn.Linear | LinearHead,
    target: Path,
    *,
    name: str,
    prompt: Tensor | None = None,
    depth: int = 0,
    apart: bool = False,
) -> TierSpec:
    """Write an encoder with its head as a tier.

    Args:
        opened: The backbone on its workbench: embeddings, tokenizer, longest text.
        layers: All layers in order.
        head: Linear head on the pooled vector.
        target: Folder to make.
        name: What the tier is called.
        prompt: Put before the tokens that enter layer ``depth``, ``(n, width)``; None for none.
        depth: See ``prompt``.
        apart: Let models of one backbone share its weights in one process.
    """
    with whole_folder(target) as draft:
        write_onnx(
            opened.encoder,
            list(layers),
            head,
            draft / "model.onnx",
            max_tokens=opened.max_tokens,
            prompt=prompt,
            depth=depth,
            apart=apart,
        )
        write_tokenizer(opened.tokenizer, draft)
    return TierSpec(name, "tokens", settings=_settings(opened))


def write_static_tier(opened: Opened, head: LinearHead, target: Path, *, name: str) -> TierSpec:
    """Write a static token table with its head as a tier."""
    from payoff.adapt.backbones.static_table import load_static_table

    with whole_folder(target) as draft:
        table = load_static_table(opened.folder)
        write_static_onnx(table, head.weight, head.bias, draft / "model.onnx")
        write_tokenizer(opened.tokenizer, draft)
    return TierSpec(name, "tokens", settings={**_settings(opened), "static": True})


def _settings(opened: Opened) -> dict[str, Any]:
    return {
        "max_tokens": opened.max_tokens,
        "max_pieces": opened.max_pieces,
        "prefix": opened.backbone.prefix,
        "pad_id": 0,
        "outputs": "logits",
    } | ({"separator": opened.separator} if opened.separator else {})
