"""An encoder's weights read back from the ONNX graph that `onnx_encoder` wrote."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

_LAYER = (
    *("qkv.weight", "qkv.bias", "out.weight", "up.weight", "up.bias", "down.weight"),
    *("attention_norm.weight", "attention_norm.bias", "attention_norm.linear_bias"),
    *("norm.weight", "norm.bias", "norm.linear_bias"),
)
_OUTSIDE = (
    *("words", "positions", "embedding_norm.weight", "embedding_norm.bias"),
    *("head.weight", "head.bias"),
)
_PLACES = {"zero", "zeros", "both", "buckets", "axis_1", "axis_2", "first_token"}
"""Constants that say where to look and hold nothing that was learnt."""

_QUANTISED = "_quantized"
_TRANSPOSED = "_Transposed"
_ATTENTION = ("Attention", "QAttention", "MultiHeadAttention")


@dataclass(frozen=True)
class EncoderWeights:
    """All that `onnx_encoder.write_onnx` put into a graph without adapters.

    Args:
        outside: Weights beside the layers, by their names in the graph.
        layers: Those of each layer, by their names inside it; matrices are ``(n_inputs,
            n_outputs)``, queries, keys and values side by side.
        head: ``(n_labels, width)``.
        relative: Table of relative positions, ``(n_buckets, heads)``; None where there is none.
        heads: Of each layer's attention.
        norm_eps: Added to variances.
        pooling: ``"mean"`` or ``"cls"``.
        rounded: Whether the graph holds rounded weights, which are here as they are meant.
    """

    outside: Mapping[str, Array]
    layers: tuple[Mapping[str, Array], ...]
    head: Array
    relative: Array | None
    heads: int
    norm_eps: float
    pooling: str
    rounded: bool

    @property
    def width(self) -> int:
        """Length of a token's vector."""
        return int(self.outside["words"].shape[1])

    @property
    def inner(self) -> int:
        """Neurons of a layer's feed-forward part."""
        return int(self.layers[0]["up.weight"].shape[1])

    @classmethod
    def read(cls, graph: bytes) -> EncoderWeights:
        """Read ``model.onnx``.

        Raises:
            ValueError: Where it holds something else than such an encoder, said in words.
        """
        import onnx

        model = onnx.load_from_string(graph)
        found, rounded = _values(model.graph)
        names = [name for name in found if name not in _PLACES]
        n_layers = len(
            {match[1] for name in names if (match := re.match(r"layers\.(\d+)\.", name))}
        )
        wanted = {f"layers.{i}.{part}" for i in range(n_layers) for part in _LAYER}
        wanted |= {*_OUTSIDE} | ({"relative"} & {*names})
        if not n_layers:
            raise ValueError("the graph has no layers of an encoder")
        odd = sorted(set(names) - wanted)
        if odd:
            raise ValueError(f"the graph holds '{odd[0]}', which such a model has no place for")
        lacking = sorted(wanted - set(names))
        if lacking:
            raise ValueError(f"'{lacking[0]}' is not kept in the graph as plain or int8 weights")
        layers = tuple(
            {part: found[f"layers.{i}.{part}"] for part in _LAYER} for i in range(n_layers)
        )
        for number, layer in enumerate(layers):
            if {p: v.shape for p, v in layer.items()} != {p: v.shape for p, v in layers[0].items()}:
                raise ValueError(f"layer {number} has other sizes than layer 0")
        return cls(
            {name: found[name] for name in _OUTSIDE if name != "head.weight"},
            layers,
            _head(model.graph, found["head.weight"]),
            found.get("relative"),
            _same(model.graph, _ATTENTION, "num_heads"),
            _same(model.graph, ("LayerNormalization", "SkipLayerNormalization"), "epsilon"),
            "cls" if "first_token" in found else "mean",
            rounded,
        )


def _values(graph: Any) -> tuple[dict[str, NDArray[Any]], bool]:
    """Constants by name, rounded ones as float32 again; whether there were any."""
    from onnx import numpy_helper

    raw = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    found: dict[str, NDArray[Any]] = {}
    rounded = False
    for name, value in raw.items():
        base = name.removesuffix(_QUANTISED)
        scale, zero = raw.get(f"{base}_scale"), raw.get(f"{base}_zero_point")
        if name.endswith(_QUANTISED) and scale is not None and zero is not None:
            whole = (value.astype(np.float32) - zero.astype(np.float32)) * scale
            turned = base.endswith(_TRANSPOSED)
            found[base.removesuffix(_TRANSPOSED)] = whole.T if turned else whole
            rounded = True
        elif not name.endswith(("_scale", "_zero_point")):
            found[name] = value
    _fold(found)
    return found, rounded


def _fold(found: dict[str, NDArray[Any]]) -> None:
    """Add what was trained beside a matrix (LoRA that is served apart) to the matrix."""
    for name in [name for name in found if name.endswith(".down")]:
        beside, matrix = name.removesuffix("down") + "up", name.removesuffix("down") + "weight"
        if beside in found and matrix in found:
            found[matrix] = found[matrix] + found.pop(name) @ found.pop(beside)


def _head(graph: Any, matrix: Array) -> Array:
    """The head's matrix, one row a label."""
    by_column = any(
        node.op_type == "MatMul" and "head.weight" in node.input[1:] for node in graph.node
    )
    return matrix.T if by_column else matrix


def _same(graph: Any, operators: tuple[str, ...], attribute: str) -> Any:
    """What all of these operators say of an attribute."""
    from onnx import helper

    said = {
        helper.get_attribute_value(one)
        for node in graph.node
        if node.op_type in operators
        for one in node.attribute
        if one.name == attribute
    }
    if len(said) != 1:
        raise ValueError(f"{len(said)} values of '{attribute}' among {operators[-1]} operators")
    return said.pop()
