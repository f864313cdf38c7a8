"""An encoder with its head as one ONNX graph, written node by node.

The graph is made from the weights directly, not traced: the same weights give the same bytes, and
it is born with onnxruntime's fused operators (attention, skip connection with normalisation, bias
with GELU) instead of being searched for them afterwards.

Inputs: ``input_ids`` and ``attention_mask``, int64 ``(n_texts, n_tokens)``.
Output: ``logits``, float32 ``(n_texts, n_labels)``.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from payoff.adapt.engine.encoder import Encoder, Layer, relative_bucket

if TYPE_CHECKING:
    from payoff.adapt.recipes.linear import LinearHead

_FUSED = "com.microsoft"


class _Graph:
    """Nodes and weights as they are added; every name is used once."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def weight(self, name: str, value: torch.Tensor | NDArray[Any]) -> str:
        array = value.detach().numpy() if isinstance(value, torch.Tensor) else value
        self.weights.append(numpy_helper.from_array(np.asarray(array, order="C"), name))
        return name

    def matrix(self, name: str, linear: nn.Linear) -> str:
        return self.weight(f"{name}.weight", linear.weight.T)

    def node(
        self, op: str, inputs: list[str], output: str, *, domain: str = "", **attributes: Any
    ) -> str:
        node = helper.make_node(op, inputs, [output], name=output, domain=domain, **attributes)
        self.nodes.append(node)
        return output


def write_onnx(
    encoder: Encoder,
    layers: Iterable[nn.Module],
    head: nn.Linear | LinearHead,
    target: Path,
    *,
    max_tokens: int,
) -> None:
    """Write the embeddings of ``encoder``, ``layers``, mean pooling and ``head`` as ONNX.

    Args:
        encoder: Gives the embeddings and, for MPNet, the relative positions.
        layers: All layers in order, frozen or trained.
        head: Linear head on the normalised mean of the last layer.
        target: File to write.
        max_tokens: Longest text that the graph must take.
    """
    graph = _Graph()
    hidden = _embeddings(graph, encoder)
    graph.node("Cast", ["attention_mask"], "mask", to=TensorProto.INT32)
    bias = _relative(graph, encoder, max_tokens)
    for index, layer in enumerate(layers):
        assert isinstance(layer, Layer)
        hidden = _layer(graph, layer, f"layers.{index}", hidden, bias)
    _pool(graph, hidden, encoder.pooling)
    _head(graph, head)
    onnx.save(_model(graph, n_labels=head.bias.shape[0]), target)


def _embeddings(graph: _Graph, encoder: Encoder) -> str:
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


def _relative(graph: _Graph, encoder: Encoder, max_tokens: int) -> str:
    """Bias of attention scores ``(1, heads, n_tokens, n_tokens)``; empty where there is none."""
    if not encoder.shape.relative_buckets:
        return ""
    place = torch.arange(max_tokens)
    buckets = relative_bucket(place[None, :] - place[:, None], encoder.shape.relative_buckets)
    graph.weight("buckets", buckets.numpy())
    graph.weight("zeros", np.zeros(2, np.int64))
    graph.weight("both", np.arange(2, dtype=np.int64))
    graph.node("Concat", ["n_tokens", "n_tokens"], "square", axis=0)
    graph.node("Slice", ["buckets", "zeros", "square", "both"], "near")
    graph.node("Gather", [graph.weight("relative", encoder.relative.weight), "near"], "by_place")
    graph.node("Transpose", ["by_place"], "by_head", perm=[2, 0, 1])
    return graph.node("Unsqueeze", ["by_head", "zero"], "relative_bias")


def _layer(graph: _Graph, layer: Layer, name: str, hidden: str, bias: str) -> str:
    inputs = [
        hidden,
        graph.matrix(f"{name}.qkv", layer.qkv),
        graph.weight(f"{name}.qkv.bias", layer.qkv.bias),
        "mask",
    ]
    if bias:
        inputs += ["", bias]
    graph.node("Attention", inputs, f"{name}.attention", domain=_FUSED, num_heads=layer.heads)
    out = graph.node(
        "MatMul", [f"{name}.attention", graph.matrix(f"{name}.out", layer.out)], f"{name}.mixed"
    )
    hidden = _add_and_norm(
        graph, f"{name}.attention_norm", out, hidden, layer.attention_norm, layer.out
    )
    up = graph.node("MatMul", [hidden, graph.matrix(f"{name}.up", layer.up)], f"{name}.inner")
    up_bias = graph.weight(f"{name}.up.bias", layer.up.bias)
    graph.node("BiasGelu", [up, up_bias], f"{name}.gelu", domain=_FUSED)
    down = graph.node(
        "MatMul", [f"{name}.gelu", graph.matrix(f"{name}.down", layer.down)], f"{name}.outer"
    )
    return _add_and_norm(graph, f"{name}.norm", down, hidden, layer.norm, layer.down)


def _add_and_norm(
    graph: _Graph, name: str, new: str, skip: str, norm: nn.LayerNorm, linear: nn.Linear
) -> str:
    parts = [
        new,
        skip,
        graph.weight(f"{name}.weight", norm.weight),
        graph.weight(f"{name}.bias", norm.bias),
        graph.weight(f"{name}.linear_bias", linear.bias),
    ]
    return graph.node(
        "SkipLayerNormalization", parts, f"{name}.out", domain=_FUSED, epsilon=norm.eps
    )


def _pool(graph: _Graph, hidden: str, pooling: str) -> None:
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


def _head(graph: _Graph, head: nn.Linear | LinearHead) -> None:
    weight = graph.weight("head.weight", head.weight)
    graph.node("Gemm", ["pooled", weight, graph.weight("head.bias", head.bias)], "logits", transB=1)


def _model(graph: _Graph, *, n_labels: int) -> onnx.ModelProto:
    shape = ["n_texts", "n_tokens"]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, shape)
        for name in ("input_ids", "attention_mask")
    ]
    output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n_texts", n_labels])
    made = helper.make_graph(graph.nodes, "payoff", inputs, [output], graph.weights)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(_FUSED, 1)]
    return helper.make_model(
        made, opset_imports=opsets, ir_version=9, producer_name="payoff", producer_version="1"
    )
