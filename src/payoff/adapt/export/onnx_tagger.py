"""An encoder whose head scores every token, as one ONNX graph.

The encoder is that of `onnx_encoder`; instead of pooling, each token's vector is normalised and
goes through the head.

Inputs: ``input_ids`` and ``attention_mask``, int64 ``(n_texts, n_tokens)``.
Output: ``logits``, float32 ``(n_texts, n_tokens, n_tags)``.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import onnx
import torch
from torch import nn

from payoff.adapt.engine.encoder import Encoder
from payoff.adapt.export.onnx_encoder import add_encoder, model_of
from payoff.adapt.export.onnx_graph import Graph

if TYPE_CHECKING:
    from payoff.adapt.recipes.linear import LinearHead


def write_tagger_onnx(
    encoder: Encoder,
    layers: Iterable[nn.Module],
    head: nn.Linear | LinearHead,
    target: Path,
    *,
    max_tokens: int,
    prompt: torch.Tensor | None = None,
    depth: int = 0,
    apart: bool = False,
) -> None:
    """Write the embeddings of ``encoder``, ``layers`` and ``head`` as ONNX.

    Args:
        encoder: Gives the embeddings and, for MPNet, the relative positions.
        layers: All layers in order, with their adapters and prefixes.
        head: Linear head on normalised token vectors.
        target: File to write.
        max_tokens: Longest text that the graph must take.
        prompt: Put before the tokens that enter layer ``depth``, ``(n, width)``, and taken away
            behind the last layer; None for none.
        depth: See ``prompt``.
        apart: Let models of one backbone share its weights; see `Graph`.
    """
    graph = Graph(apart=apart)
    hidden = add_encoder(graph, encoder, layers, max_tokens=max_tokens, prompt=prompt, depth=depth)
    graph.node("LpNormalization", [hidden], "vectors", axis=-1, p=2)
    weight = torch.as_tensor(head.weight).T.contiguous()
    matrix = graph.weight("head.weight", weight, dims=(weight.shape[0], "n_tags"))
    graph.node("MatMul", ["vectors", matrix], "scores")
    graph.node("Add", ["scores", graph.weight("head.bias", head.bias, dims=("n_tags",))], "logits")
    n_tags = "n_tags" if apart else int(head.bias.shape[0])
    onnx.save(model_of(graph, ["n_texts", "n_tokens", n_tags]), target)
