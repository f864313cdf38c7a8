"""An encoder with its head as one ONNX graph, written node by node.

The graph is made from the weights directly, not traced: the same weights give the same bytes, and
it is born with onnxruntime's fused operators (attention, skip connection with normalisation, bias
with GELU) instead of being searched for them afterwards. Only a layer with a prefix has its
attention written out, since the fused operator knows no keys without tokens.

Inputs: ``input_ids`` and ``attention_mask``, int64 ``(n_texts, n_tokens)``.
Output: ``logits``, float32 ``(n_texts, n_labels)``.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from torch import nn

from payoff.adapt.engine.adaptations.bottleneck import Adapter
from payoff.adapt.engine.adaptations.unmerged import Unmerged
from payoff.adapt.engine.encoder import Encoder, Layer, relative_bucket
from payoff.adapt.export.onnx_graph import FUSED, Graph
from payoff.adapt.export.onnx_prefix import attention_with_prefix

if TYPE_CHECKING:
    from payoff.adapt.recipes.linear import LinearHead


def write_onnx(
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
    """Write the embeddings of ``encoder``, ``layers``, mean pooling and ``head`` as ONNX.

    Args:
        encoder: Gives the embeddings and, for MPNet, the relative positions.
        layers: All layers in order, frozen or trained, with their adapters and prefixes.
        head: Linear head on the normalised mean of the last layer.
        target: File to write.
        max_tokens: Longest text that the graph must take.
        prompt: Put before the tokens that enter layer ``depth``, ``(n, width)``, and taken away
            behind the last layer; None for none.
        depth: See ``prompt``.
        apart: Let models of one backbone share its weights; see `Graph`.
    """
    graph = Graph(apart=apart)
    hidden = add_encoder(graph, encoder, layers, max_tokens=max_tokens, prompt=prompt, depth=depth)
    _pool(graph, hidden, encoder.pooling)
    _head(graph, head)
    n_labels = "n_labels" if apart else int(head.bias.shape[0])
    onnx.save(model_of(graph, ["n_texts", n_labels]), target)


def add_encoder(
    graph: Graph,
    encoder: Encoder,
    layers: Iterable[nn.Module],
    *,
    max_tokens: int,
    prompt: torch.Tensor | None = None,
    depth: int = 0,
) -> str:
    """Add the embeddings and the layers; arguments as `write_onnx` has them.

    Returns:
        The name of the last layer's output, ``(n_texts, n_tokens, width)``.
    """
    hidden = _embeddings(graph, encoder)
    mask = graph.node("Cast", ["attention_mask"], "mask", to=TensorProto.INT32)
    _relative_table(graph, encoder, max_tokens + (0 if prompt is None else len(prompt)))
    bias = _relative(graph, encoder, "n_tokens")
    prompted = False
    for index, layer in enumerate(layers):
        assert isinstance(layer, Layer)
        if prompt is not None and index == depth:
            prompted = True
            hidden, mask = _with_prompt(graph, prompt, hidden)
            bias = _relative(graph, encoder, "prompt.n_tokens", "prompt.")
        hidden = _layer(graph, layer, f"layers.{index}", hidden, mask=mask, bias=bias)
    return _without_prompt(graph, hidden) if prompted else hidden


def _embeddings(graph: Graph, encoder: Encoder) -> str:
    first = encoder.shape.first_position
    words = graph.weight("words", encoder.words.weight)
    places = graph.weight("positions", encoder.positions.weight[first:])
    graph.node("Shape", ["input_ids"], "n_tokens", start=1, end=2)
    zero = graph.weight("zero", np.zeros(1, np.int64))
    graph.node("Slice", [places, zero, "n_tokens", zero], "places")
    graph.node("Gather", [words, "input_ids"], "word_vectors")
    graph.node("Add", ["word_vectors", "places"], "embedded")
    gamma = graph.weight("embedding_norm.weight", encoder.embedding_norm.weight)
    beta = graph.weight("embedding_norm.bias", encoder.embedding_norm.bias)
    eps = encoder.shape.norm_eps
    return graph.node(
        "LayerNormalization", ["embedded", gamma, beta], "layers.in", axis=-1, epsilon=eps
    )


def _relative_table(graph: Graph, encoder: Encoder, max_tokens: int) -> None:
    """Weights that `_relative` needs."""
    if not encoder.shape.relative_buckets:
        return
    place = torch.arange(max_tokens)
    buckets = relative_bucket(place[None, :] - place[:, None], encoder.shape.relative_buckets)
    graph.weight("buckets", buckets.numpy())
    graph.weight("zeros", np.zeros(2, np.int64))
    graph.weight("both", np.arange(2, dtype=np.int64))
    graph.weight("relative", encoder.relative.weight)


def _relative(graph: Graph, encoder: Encoder, n_tokens: str, prefix: str = "") -> str:
    """Bias of attention scores ``(1, heads, n_tokens, n_tokens)``; empty where there is none."""
    if not encoder.shape.relative_buckets:
        return ""
    square = graph.node("Concat", [n_tokens, n_tokens], f"{prefix}square", axis=0)
    near = graph.node("Slice", ["buckets", "zeros", square, "both"], f"{prefix}near")
    by_place = graph.node("Gather", ["relative", near], f"{prefix}by_place")
    by_head = graph.node("Transpose", [by_place], f"{prefix}by_head", perm=[2, 0, 1])
    return graph.node("Unsqueeze", [by_head, "zero"], f"{prefix}relative_bias")


def _with_prompt(graph: Graph, prompt: torch.Tensor, hidden: str) -> tuple[str, str]:
    """The prompt before the tokens of every text, and the mask that sees it."""
    n = len(prompt)
    graph.node("Shape", ["input_ids"], "prompt.n_texts", start=0, end=1)
    graph.weight("prompt.one", np.ones(1, np.int64))
    graph.weight("prompt.n", np.full(1, n, np.int64))
    graph.node("Concat", ["prompt.n_texts", "prompt.one", "prompt.one"], "prompt.texts", axis=0)
    vectors = graph.weight("prompt", prompt.unsqueeze(0))
    graph.node("Expand", [vectors, "prompt.texts"], "prompt.vectors")
    longer = graph.node("Concat", ["prompt.vectors", hidden], "prompt.hidden", axis=1)
    graph.node("Concat", ["prompt.n_texts", "prompt.one"], "prompt.rows", axis=0)
    seen = graph.weight("prompt.ones", np.ones((1, n), np.int32))
    graph.node("Expand", [seen, "prompt.rows"], "prompt.seen")
    graph.node("Add", ["n_tokens", "prompt.n"], "prompt.n_tokens")
    return longer, graph.node("Concat", ["prompt.seen", "mask"], "prompt.mask", axis=1)


def _without_prompt(graph: Graph, hidden: str) -> str:
    """The tokens of the texts alone."""
    graph.weight("prompt.end", np.full(1, np.iinfo(np.int64).max, np.int64))
    places = ["prompt.n", "prompt.end", "prompt.one"]
    return graph.node("Slice", [hidden, *places], "prompt.taken_away")


def _layer(graph: Graph, layer: Layer, name: str, hidden: str, *, mask: str, bias: str) -> str:
    if layer.prefix is not None:
        attention = attention_with_prefix
    else:
        attention = _unmerged_attention if isinstance(layer.qkv, Unmerged) else _attention
    mixed = attention(graph, layer, name, hidden, mask=mask, bias=bias)
    out = graph.product(f"{name}.out", layer.out, mixed, f"{name}.mixed")
    out, last = _adapted(
        graph, f"{name}.attention_adapter", out, layer.out, layer.attention_adapter
    )
    hidden = _add_and_norm(graph, f"{name}.attention_norm", out, hidden, layer.attention_norm, last)
    up = graph.product(f"{name}.up", layer.up, hidden, f"{name}.inner")
    up_bias = graph.weight(f"{name}.up.bias", layer.up.bias)
    graph.node("BiasGelu", [up, up_bias], f"{name}.gelu", domain=FUSED)
    down = graph.product(f"{name}.down", layer.down, f"{name}.gelu", f"{name}.outer")
    down, last = _adapted(graph, f"{name}.inner_adapter", down, layer.down, layer.inner_adapter)
    return _add_and_norm(graph, f"{name}.norm", down, hidden, layer.norm, last)


def _attention(graph: Graph, layer: Layer, name: str, hidden: str, *, mask: str, bias: str) -> str:
    inputs = [
        hidden,
        graph.matrix(f"{name}.qkv", layer.qkv),
        graph.weight(f"{name}.qkv.bias", layer.qkv.bias),
        mask,
    ]
    if bias:
        inputs += ["", bias]
    return graph.node("Attention", inputs, f"{name}.attention", domain=FUSED, num_heads=layer.heads)


def _unmerged_attention(
    graph: Graph, layer: Layer, name: str, hidden: str, *, mask: str, bias: str
) -> str:
    """The product outside of the operator, since what is beside its matrix goes in between."""
    product = graph.product(f"{name}.qkv", layer.qkv, hidden, f"{name}.qkv.product")
    parts = [f"{name}.{part}" for part in ("query", "key", "value")]
    graph.nodes.append(helper.make_node("Split", [product], parts, name=f"{name}.split", axis=-1))
    inputs = [*parts, graph.weight(f"{name}.qkv.bias", layer.qkv.bias), mask]
    if bias:
        inputs.append(bias)
    return graph.node(
        "MultiHeadAttention", inputs, f"{name}.attention", domain=FUSED, num_heads=layer.heads
    )


def _adapted(
    graph: Graph, name: str, new: str, linear: nn.Linear, adapter: nn.Module | None
) -> tuple[str, nn.Linear]:
    """What an adapter makes of ``new``, and the matrix whose bias is still to be added."""
    if adapter is None:
        return new, linear
    assert isinstance(adapter, Adapter)
    whole = graph.node("Add", [new, graph.weight(f"{name}.in_bias", linear.bias)], f"{name}.in")
    down = graph.node("MatMul", [whole, graph.matrix(f"{name}.down", adapter.down)], f"{name}.less")
    down_bias = graph.weight(f"{name}.down.bias", adapter.down.bias)
    graph.node("BiasGelu", [down, down_bias], f"{name}.gelu", domain=FUSED)
    up = graph.node(
        "MatMul", [f"{name}.gelu", graph.matrix(f"{name}.up", adapter.up)], f"{name}.more"
    )
    return graph.node("Add", [whole, up], f"{name}.out"), adapter.up


def _add_and_norm(
    graph: Graph, name: str, new: str, skip: str, norm: nn.LayerNorm, linear: nn.Linear
) -> str:
    parts = [
        new,
        skip,
        graph.weight(f"{name}.weight", norm.weight),
        graph.weight(f"{name}.bias", norm.bias),
        graph.weight(f"{name}.linear_bias", linear.bias),
    ]
    return graph.node(
        "SkipLayerNormalization", parts, f"{name}.out", domain=FUSED, epsilon=norm.eps
    )


def _pool(graph: Graph, hidden: str, pooling: str) -> None:
    """Token vectors to normalised vectors of texts, ``pooled``."""
    if pooling == "cls":
        first = graph.weight("first_token", np.zeros((), np.int64))
        graph.node("Gather", [hidden, first], "mean", axis=1)
    else:
        one = graph.weight("axis_1", np.ones(1, np.int64))
        last = graph.weight("axis_2", np.full(1, 2, np.int64))
        graph.node("Cast", ["attention_mask"], "mask_float", to=TensorProto.FLOAT)
        graph.node("Unsqueeze", ["mask_float", last], "mask_column")
        graph.node("Mul", [hidden, "mask_column"], "masked")
        graph.node("ReduceSum", ["masked", one], "summed", keepdims=0)
        graph.node("ReduceSum", ["mask_column", one], "count", keepdims=0)
        graph.node("Div", ["summed", "count"], "mean")
    graph.node("LpNormalization", ["mean"], "pooled", axis=-1, p=2)


def _head(graph: Graph, head: nn.Linear | LinearHead) -> None:
    if graph.apart:
        # Not `Gemm`: making 8 bits of the rest rewrites it, with a constant for its matrix.
        matrix = torch.as_tensor(head.weight).T
        weight = graph.weight("head.weight", matrix, dims=(matrix.shape[0], "n_labels"))
        graph.node("MatMul", ["pooled", weight], "scores")
        bias = graph.weight("head.bias", head.bias, dims=("n_labels",))
        graph.node("Add", ["scores", bias], "logits")
        return
    weight = graph.weight("head.weight", head.weight)
    graph.node("Gemm", ["pooled", weight, graph.weight("head.bias", head.bias)], "logits", transB=1)


def model_of(graph: Graph, output: list[str | int]) -> onnx.ModelProto:
    """The finished model.

    Args:
        graph: Takes ``input_ids`` and ``attention_mask`` and gives ``logits``.
        output: Shape of the logits.
    """
    shape = ["n_texts", "n_tokens"]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, shape)
        for name in ("input_ids", "attention_mask")
    ]
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, output)
    inputs += graph.inputs
    made = helper.make_graph(graph.nodes, "payoff", inputs, [logits], graph.weights)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(FUSED, 1)]
    return helper.make_model(
        made, opset_imports=opsets, ir_version=9, producer_name="payoff", producer_version="1"
    )
