"""A decoder as one ONNX graph, written node by node as in `onnx_encoder`.

Inputs, where ``n_pasts`` is 1 or ``n``, so that texts that share a past share its memory too:

- ``input_ids``, int64 ``(n, length)``: tokens that follow the past.
- ``positions``, int64 ``(length)``: which position of its text each token has.
- ``seen``, bool ``(length, length)``: which token (column) each token (row) sees; all see the
  past. A lower triangle for plain text, another one where continuations lie side by side.
- ``past``, float32 ``(layers, 2, n_pasts, key_heads, n_past, head_width)``: keys and values of
  what the tokens follow; ``n_past`` may be 0.
- ``places``, int64 ``(n, n_places)``: tokens whose successors' scores are wanted; the table of
  all words is the dearest matrix, and a prompt needs it at its end alone.

Outputs: ``scores``, float32 ``(n, n_places, vocabulary)``, and ``present``, the keys and values
of the new tokens alone, float32 ``(layers, 2, n, key_heads, length, head_width)``.

Attention to the past and to the new tokens are two products under one softmax: keys of a past
that several texts share are neither copied nor even laid beside the new ones.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from torch import nn

from payoff.adapt.engine.decoder import Decoder, DecoderLayer, DecoderShape
from payoff.adapt.export.onnx_graph import FUSED, Graph
from payoff.core.errors import AdaptError

MAX_BYTES = 2_000_000_000
"""Largest graph with its weights: protobuf ends at 2 GiB."""

HIDDEN = -1e30
"""Added to the score of a token that is not seen."""


def write_decoder_onnx(decoder: Decoder, target: Path) -> None:
    """Write ``decoder`` as ONNX; the table of words is held once for both of its uses.

    Args:
        decoder: Its adaptation, if any, is merged into plain linear layers.
        target: File to write.

    Raises:
        AdaptError: PF405 where the weights pass what one ONNX file can hold.
    """
    size_bytes = 4 * sum(weight.numel() for weight in decoder.parameters())
    if size_bytes > MAX_BYTES:
        raise AdaptError(
            "PF405",
            str(target),
            f"the decoder's weights take {size_bytes:,} bytes",
            expected=f"at most {MAX_BYTES:,}, which one ONNX file holds",
            mend="Take a smaller backbone.",
        )
    onnx.save(_model(decoder), target)


def _model(decoder: Decoder) -> onnx.ModelProto:
    graph, shape = Graph(), decoder.shape
    _sizes(graph, shape)
    _rotation(graph, decoder)
    _mask(graph, shape)
    pasts = [f"layers.{i}.past" for i in range(shape.layers)]
    _several(graph, "Split", ["past"], pasts, axis=0)
    graph.weight("words", decoder.words.weight)
    hidden = graph.node("Gather", ["words", "input_ids"], "layers.in")
    norms = [_norm(layer, "attention_norm") for layer in decoder.layers] + [_norm(decoder, "norm")]
    first = graph.weight("layers.0.attention_norm", norms[0].weight)
    epsilon = shape.norm_eps
    normed = graph.node(
        "SimplifiedLayerNormalization", [hidden, first], "layers.0.normed", axis=-1, epsilon=epsilon
    )
    for i, layer in enumerate(decoder.layers):
        assert isinstance(layer, DecoderLayer)
        mixed = _attention(graph, shape, layer, f"layers.{i}", normed)
        inner, hidden = _add_and_norm(
            graph, f"layers.{i}.middle", mixed, hidden, layer.norm.weight, epsilon
        )
        outer = _feed_forward(graph, layer, f"layers.{i}", inner)
        normed, hidden = _add_and_norm(
            graph, f"layers.{i}.end", outer, hidden, norms[i + 1].weight, epsilon
        )
    news = [f"layers.{i}.new" for i in range(shape.layers)]
    graph.node("Concat", news, "present", axis=0)
    _scores(graph, shape, normed)
    return _wrapped(graph, shape)


def _norm(module: nn.Module, name: str) -> nn.RMSNorm:
    norm = getattr(module, name)
    assert isinstance(norm, nn.RMSNorm)
    return norm


def _several(
    graph: Graph, op: str, inputs: list[str], outputs: list[str], *, domain: str = "", **more: Any
) -> None:
    """Add a node with several outputs; one that is not needed is called ``""``."""
    graph.nodes.append(
        helper.make_node(op, inputs, outputs, name=outputs[0], domain=domain, **more)
    )


def _sizes(graph: Graph, shape: DecoderShape) -> None:
    """Shapes that all layers use."""
    n_queries, n_keys = shape.heads * shape.head_width, shape.key_heads * shape.head_width
    shared, width = shape.heads // shape.key_heads, shape.head_width
    constants = {
        "zero": [0],
        "minus_one": [-1],
        "axis_2": [2],
        "cut.turned": [n_queries + n_keys, n_keys],
        "cut.query": [n_queries, n_keys],
        "shape.query": [0, 0, shape.key_heads, shared, width],
        "shape.shared": [0, shape.key_heads, -1, width],
        "shape.pair": [0, 0, 1, 2, shape.key_heads, width],
        "shape.out": [0, 0, n_queries],
        "shape.rows": [-1, shape.width],
        "shared": [shape.key_heads, shared],
        "head_width": [width],
        "vocabulary": [shape.vocabulary],
    }
    for name, value in constants.items():
        graph.weight(name, np.array(value, np.int64))
    graph.node("Shape", ["input_ids"], "length", start=1, end=2)
    graph.node("Shape", ["past"], "n_past", start=4, end=5)
    graph.node("Concat", ["n_past", "length"], "cut.seen", axis=0)
    graph.node("Concat", ["minus_one", "shared", "length", "head_width"], "shape.by_head", axis=0)


def _rotation(graph: Graph, decoder: Decoder) -> None:
    """Cosines and sines of the tokens' positions, ``(length, head_width / 2)``."""
    width = decoder.shape.head_width
    rates = decoder.shape.rope_base ** (-torch.arange(0, width, 2, dtype=torch.float32) / width)
    graph.weight("rates", rates)
    graph.weight("axis_1", np.ones(1, np.int64))
    graph.node("Cast", ["positions"], "positions.float", to=TensorProto.FLOAT)
    graph.node("Unsqueeze", ["positions.float", "axis_1"], "positions.column")
    graph.node("Mul", ["positions.column", "rates"], "angles")
    graph.node("Cos", ["angles"], "cosines")
    graph.node("Sin", ["angles"], "sines")


def _mask(graph: Graph, shape: DecoderShape) -> None:
    """What is added to scores of new tokens: once for each query that shares a key."""
    graph.weight("mask.seen", np.zeros((), np.float32))
    graph.weight("mask.hidden", np.full((), HIDDEN, np.float32))
    graph.node("Where", ["seen", "mask.seen", "mask.hidden"], "mask.once")
    graph.node("Concat", ["mask.once"] * (shape.heads // shape.key_heads), "mask", axis=0)


def _attention(
    graph: Graph, shape: DecoderShape, layer: DecoderLayer, name: str, normed: str
) -> str:
    """What attention adds to the residual, ``(n, length, width)``."""
    query = _queries_and_keys(graph, layer, name, normed)
    shares = graph.node("Concat", _by_keys(graph, shape, name, query), f"{name}.met", axis=-1)
    graph.node("Softmax", [shares], f"{name}.shares", axis=-1)
    parts = [f"{name}.shares.past", f"{name}.shares.new"]
    _several(graph, "Split", [f"{name}.shares", "cut.seen"], parts, axis=5)
    old = graph.node("MatMul", [parts[0], f"{name}.past.value"], f"{name}.mixed.past")
    new = graph.node("MatMul", [parts[1], f"{name}.new.value"], f"{name}.mixed.new")
    graph.node("Add", [old, new], f"{name}.mixed")
    graph.node("Reshape", [f"{name}.mixed", "shape.by_head"], f"{name}.by_head")
    graph.node("Transpose", [f"{name}.by_head"], f"{name}.by_token", perm=[0, 3, 1, 2, 4])
    graph.node("Reshape", [f"{name}.by_token", "shape.out"], f"{name}.together")
    return graph.node(
        "MatMul", [f"{name}.together", graph.matrix(f"{name}.out", layer.out)], f"{name}.attended"
    )


def _queries_and_keys(graph: Graph, layer: DecoderLayer, name: str, normed: str) -> str:
    """Queries ``(n, key_heads, shared * length, head_width)``; keys and values beside them.

    The new keys and values are ``{name}.new``, ``(1, 2, n, key_heads, length, head_width)``.
    """
    matrix = _side_by_side(graph, f"{name}.qkv", layer.query, layer.key, layer.value)
    graph.node("MatMul", [normed, matrix], f"{name}.qkv")
    parts = [f"{name}.unturned", f"{name}.value"]
    _several(graph, "Split", [f"{name}.qkv", "cut.turned"], parts, axis=2)
    graph.node(
        "RotaryEmbedding",
        [parts[0], "zero", "cosines", "sines"],
        f"{name}.turned",
        domain=FUSED,
    )
    turned = [f"{name}.query", f"{name}.key"]
    _several(graph, "Split", [f"{name}.turned", "cut.query"], turned, axis=2)
    graph.node("Concat", [turned[1], parts[1]], f"{name}.pair", axis=2)
    graph.node("Reshape", [f"{name}.pair", "shape.pair"], f"{name}.pair.by_token")
    graph.node("Transpose", [f"{name}.pair.by_token"], f"{name}.new", perm=[2, 3, 0, 4, 1, 5])
    for part in ("past", "new"):
        halves = [f"{name}.{part}.key", f"{name}.{part}.value"]
        _several(graph, "Split", [f"{name}.{part}"], halves, axis=1)
    graph.node("Reshape", [turned[0], "shape.query"], f"{name}.query.by_token")
    graph.node(
        "Transpose", [f"{name}.query.by_token"], f"{name}.query.by_head", perm=[0, 2, 3, 1, 4]
    )
    return graph.node("Reshape", [f"{name}.query.by_head", "shape.shared"], f"{name}.query.shared")


def _by_keys(graph: Graph, shape: DecoderShape, name: str, query: str) -> list[str]:
    """Scores of the past's and of the new keys, ``(1, 1, n, key_heads, shared * length, …)``."""
    scale = {"transB": 1, "alpha": shape.head_width**-0.5, "domain": FUSED}
    old = graph.node("FusedMatMul", [query, f"{name}.past.key"], f"{name}.met.past", **scale)
    new = graph.node("FusedMatMul", [query, f"{name}.new.key"], f"{name}.met.unmasked", **scale)
    return [old, graph.node("Add", [new, "mask"], f"{name}.met.new")]


def _feed_forward(graph: Graph, layer: DecoderLayer, name: str, normed: str) -> str:
    matrix = _side_by_side(graph, f"{name}.gate_up", layer.gate, layer.up)
    graph.node("MatMul", [normed, matrix], f"{name}.gate_up")
    _several(graph, "Split", [f"{name}.gate_up"], [f"{name}.gate", f"{name}.up"], axis=2)
    graph.node("QuickGelu", [f"{name}.gate"], f"{name}.silu", domain=FUSED, alpha=1.0)
    graph.node("Mul", [f"{name}.silu", f"{name}.up"], f"{name}.inner")
    down = graph.matrix(f"{name}.down", layer.down)
    return graph.node("MatMul", [f"{name}.inner", down], f"{name}.outer")


def _side_by_side(graph: Graph, name: str, *linears: nn.Linear) -> str:
    """Several linear layers of one input as one matrix."""
    assert all(type(linear) is nn.Linear for linear in linears), f"{name} is not merged"
    return graph.weight(f"{name}.weight", torch.cat([one.weight for one in linears]).T)


def _add_and_norm(
    graph: Graph, name: str, new: str, hidden: str, weight: torch.Tensor, epsilon: float
) -> tuple[str, str]:
    """The normalised sum and the sum itself."""
    outputs = [f"{name}.normed", "", "", f"{name}.sum"]
    inputs = [new, hidden, graph.weight(f"{name}.norm", weight)]
    _several(
        graph,
        "SkipSimplifiedLayerNormalization",
        inputs,
        outputs,
        domain=FUSED,
        epsilon=epsilon,
    )
    return outputs[0], outputs[3]


def _scores(graph: Graph, shape: DecoderShape, normed: str) -> None:
    graph.node("Unsqueeze", ["places", "axis_2"], "places.index")
    graph.node("GatherND", [normed, "places.index"], "wanted", batch_dims=1)
    graph.node("Reshape", ["wanted", "shape.rows"], "wanted.rows")
    graph.node("Gemm", ["wanted.rows", "words"], "scores.rows", transB=1)
    graph.node("Shape", ["places"], "n_wanted")
    graph.node("Concat", ["n_wanted", "vocabulary"], "shape.scores", axis=0)
    graph.node("Reshape", ["scores.rows", "shape.scores"], "scores")


def _wrapped(graph: Graph, shape: DecoderShape) -> onnx.ModelProto:
    head: list[Any] = [shape.key_heads, "n_past", shape.head_width]
    inputs = [
        ("input_ids", TensorProto.INT64, ["n", "length"]),
        ("positions", TensorProto.INT64, ["length"]),
        ("seen", TensorProto.BOOL, ["length", "length"]),
        ("past", TensorProto.FLOAT, [shape.layers, 2, "n_pasts", *head]),
        ("places", TensorProto.INT64, ["n", "n_places"]),
    ]
    head[1] = "length"
    outputs = [
        ("scores", TensorProto.FLOAT, ["n", "n_places", shape.vocabulary]),
        ("present", TensorProto.FLOAT, [shape.layers, 2, "n", *head]),
    ]
    made = helper.make_graph(
        graph.nodes,
        "payoff",
        [helper.make_tensor_value_info(*one) for one in inputs],
        [helper.make_tensor_value_info(*one) for one in outputs],
        graph.weights,
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(FUSED, 1)]
    return helper.make_model(
        made, opset_imports=opsets, ir_version=9, producer_name="payoff", producer_version="1"
    )
