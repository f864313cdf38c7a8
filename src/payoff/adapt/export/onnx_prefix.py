"""Attention that sees a layer's prefix as well, written out in plain ONNX operators."""

from __future__ import annotations

import math

import numpy as np
import torch
from onnx import TensorProto

from payoff.adapt.engine.encoder import Layer
from payoff.adapt.export.onnx_graph import Graph

_UNSEEN = 1e9  # taken from the scores of tokens that are padding


def attention_with_prefix(
    graph: Graph, layer: Layer, name: str, hidden: str, *, mask: str, bias: str
) -> str:
    """Add a layer's attention over its prefix and the tokens, without the output matrix.

    Args:
        graph: Added to.
        layer: Has a prefix, ``(2, heads, n, size)``.
        name: Of the layer.
        hidden: Name of what comes in, ``(n_texts, n_tokens, width)``.
        mask: Name of what tells tokens from padding, ``(n_texts, n_tokens)``, int32.
        bias: Name of what is added to scores, ``(1, heads, n_tokens, n_tokens)``; may be empty.

    Returns:
        The name of what goes out, of the shape of ``hidden``.
    """
    assert layer.prefix is not None
    keys_values = layer.prefix()
    _, heads, n, size = keys_values.shape
    name = f"{name}.attention"
    graph.weight(f"{name}.heads", np.array([0, 0, heads, size], np.int64))
    graph.weight(f"{name}.width", np.array([0, 0, heads * size], np.int64))
    query = _part(graph, layer, name, hidden, which="query")
    # Keys stand upright, so that queries can be multiplied with them as they are.
    key = _part(graph, layer, name, hidden, which="key")
    value = _part(graph, layer, name, hidden, which="value")
    graph.node("Shape", [hidden], f"{name}.n_texts", start=0, end=1)
    graph.weight(f"{name}.ones", np.ones(3, np.int64))
    texts = graph.node("Concat", [f"{name}.n_texts", f"{name}.ones"], f"{name}.texts", axis=0)
    keys = _joined(graph, f"{name}.keys", keys_values[:1].transpose(2, 3), key, texts=texts, axis=3)
    values = _joined(graph, f"{name}.values", keys_values[1:], value, texts=texts, axis=2)
    graph.node("MatMul", [query, keys], f"{name}.products")
    seen = _seen(graph, name, mask, bias, n_prefix=n)
    graph.node("Add", [f"{name}.products", seen], f"{name}.scores")
    graph.node("Softmax", [f"{name}.scores"], f"{name}.shares", axis=-1)
    graph.node("MatMul", [f"{name}.shares", values], f"{name}.by_head")
    graph.node("Transpose", [f"{name}.by_head"], f"{name}.by_token", perm=[0, 2, 1, 3])
    return graph.node("Reshape", [f"{name}.by_token", f"{name}.width"], name)


_PLACES = {"query": [0, 2, 1, 3], "key": [0, 2, 3, 1], "value": [0, 2, 1, 3]}


def _part(graph: Graph, layer: Layer, name: str, hidden: str, *, which: str) -> str:
    """Queries, keys or values by head; the scale of scores is in the queries' matrix."""
    width = layer.qkv.in_features
    place = list(_PLACES).index(which)
    rows = slice(place * width, (place + 1) * width)
    scale = 1 / math.sqrt(width // layer.heads) if which == "query" else 1.0
    name = f"{name}.{which}"
    matrix = graph.weight(f"{name}.weight", layer.qkv.weight[rows].T * scale)
    offset = graph.weight(f"{name}.bias", layer.qkv.bias[rows] * scale)
    graph.node("MatMul", [hidden, matrix], f"{name}.product")
    graph.node("Add", [f"{name}.product", offset], f"{name}.sum")
    shape = f"{name.removesuffix(which)}heads"
    graph.node("Reshape", [f"{name}.sum", shape], f"{name}.split")
    return graph.node("Transpose", [f"{name}.split"], name, perm=_PLACES[which])


def _joined(
    graph: Graph, name: str, prefix: torch.Tensor, own: str, *, texts: str, axis: int
) -> str:
    """A part of the prefix, ``(1, heads, …)``, before that of every text's own tokens."""
    weight = graph.weight(f"{name}.prefix", prefix)
    graph.node("Expand", [weight, texts], f"{name}.before")
    return graph.node("Concat", [f"{name}.before", own], name, axis=axis)


def _seen(graph: Graph, name: str, mask: str, bias: str, *, n_prefix: int) -> str:
    """What is added to scores, nothing for the prefix, ``(n_texts, …, n_prefix + n_tokens)``."""
    name = f"{name}.seen"
    graph.node("Cast", [mask], f"{name}.mask", to=TensorProto.FLOAT)
    graph.weight(f"{name}.one", np.ones(1, np.float32))
    graph.node("Sub", [f"{name}.mask", f"{name}.one"], f"{name}.padding")
    graph.weight(f"{name}.far", np.full(1, _UNSEEN, np.float32))
    graph.node("Mul", [f"{name}.padding", f"{name}.far"], f"{name}.away")
    graph.weight(f"{name}.axes", np.array([1, 2], np.int64))
    added = graph.node("Unsqueeze", [f"{name}.away", f"{name}.axes"], f"{name}.by_text")
    if bias:
        added = graph.node("Add", [added, bias], f"{name}.with_bias")
    graph.weight(f"{name}.pads", np.array([0, 0, 0, n_prefix, 0, 0, 0, 0], np.int64))
    return graph.node("Pad", [added, f"{name}.pads"], name)
