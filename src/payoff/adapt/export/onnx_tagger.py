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
    """
    graph = Graph()
    hidden = add_encoder(graph, encoder, layers, max_tokens=max_tokens, prompt=prompt, depth=depth)
    graph.node("LpNormalization", [hidden], "vectors", axis=-1, p=2)
    weight = torch.as_tensor(head.weight).detach().T.contiguous()
    matrix = graph.weight("head.weight", weight)
    graph.node("MatMul", ["vectors", matrix], "scores")
    graph.node("Add", ["scores", graph.weight("head.bias", head.bias)], "logits")
    onnx.save(model_of(graph, ["n_texts", "n_tokens", int(head.bias.shape[0])]), target)
