"""8-bit weights, and 8-bit activations within ranges that texts of the domain showed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from payoff.adapt.compress.activations import ranges
from payoff.adapt.compress.encoder_graph import (
    FUSED,
    EncoderGraph,
    Floats,
    Product,
    is_encoder,
    need_encoder,
    need_matrices,
    write_changed,
)
from payoff.adapt.compress.opened_attention import open_attention
from payoff.artifact.tier import TierSpec

STEPS = 127
"""Of a weight, on either side of 0."""

MOST = 255
"""Of an activation's byte."""


@dataclass(frozen=True)
class Int8Static:
    """Signed weights, one scale an output; unsigned activations, one scale a place of the graph.

    Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference", section 2.1. Against `int8`, which looks for the range of
    what comes in before every product, one pass over it is saved, and what lies beyond the range of
    the texts is cut. A row of the token table has a scale of its own.
    """

    name = "int8-static"
    stage = "numbers"

    def applies(self, spec: TierSpec) -> bool:
        """Encoders."""
        return is_encoder(spec)

    def compress(
        self, spec: TierSpec, folder: Path, target: Path, *, texts: Sequence[str] = ()
    ) -> TierSpec:
        """Quantise all products and the token table.

        Raises:
            AdaptError: PF404 where the tier is no encoder, or is rounded already; PF411 without
                texts; PF412 with too few to see ranges in.
        """
        need_encoder(spec, self.name)

        def change(graph: EncoderGraph) -> None:
            open_attention(graph)
            products, tables = graph.products(), graph.tables()
            need_matrices(spec, self.name, [*products, *tables])
            entering = dict.fromkeys(one.entering for one in products)
            seen = ranges(graph, spec, folder, texts, entering)
            for name in entering:
                _round_activation(graph, name, *seen[name])
            for product in products:
                _round_product(graph, product)
            for node in tables:
                _round_rows(graph, node)

        return write_changed(self.name, spec, folder, target, change)


def scale_and_zero(low: float, high: float) -> tuple[float, int]:
    """The step of a range that has 0 in it, and the byte that stands for 0.

    Example:
        >>> scale_and_zero(-51.0, 204.0)
        (1.0, 51)
    """
    scale = (high - low) / MOST or 1.0
    return scale, round(-low / scale)


def _round_activation(graph: EncoderGraph, name: str, low: float, high: float) -> None:
    from onnx import helper

    scale, zero = scale_and_zero(low, high)
    inputs = [
        name,
        graph.set(f"{name}.scale", np.array(scale, np.float32)),
        graph.set(f"{name}.zero", np.array(zero, np.uint8)),
    ]
    made = helper.make_node("QuantizeLinear", inputs, [f"{name}.byte"], name=f"{name}.byte")
    graph.insert_after(name, made)


def _round_product(graph: EncoderGraph, product: Product) -> None:
    from onnx import helper

    node, name = product.node, product.entering
    levels, scales = _by_column(product.matrix)
    inputs = [
        f"{name}.byte",
        graph.set(f"{product.weight}.levels", levels),
        f"{name}.scale",
        graph.set(f"{product.weight}.scales", scales),
        f"{name}.zero",
        graph.set(f"{product.weight}.zero", np.zeros(len(scales), np.int8)),
    ]
    if node.op_type == "Gemm":
        inputs.append(node.input[2])
    made = helper.make_node(
        "MatMulIntegerToFloat", inputs, list(node.output), name=node.name, domain=FUSED
    )
    graph.replace(node, [made])


def _by_column(matrix: Floats) -> tuple[npt.NDArray[np.int8], Floats]:
    """Levels ``(n_inputs, n_outputs)`` and scales ``(n_outputs,)``."""
    scales = np.abs(matrix).max(axis=0) / STEPS
    scales[scales == 0] = 1.0
    return np.rint(matrix / scales).astype(np.int8), scales.astype(np.float32)


def _round_rows(graph: EncoderGraph, node: Any) -> None:
    from onnx import TensorProto, helper

    (name, ids), found = node.input, node.output[0]
    table = graph.array(name)
    assert table is not None
    levels, scales = _by_column(table.T)
    levels_name = graph.set(f"{name}.levels", levels.T)
    scales_name = graph.set(f"{name}.scales", scales[:, None])

    def made(op: str, inputs: list[str], output: str, **more: Any) -> Any:
        return helper.make_node(op, inputs, [output], name=output, **more)

    graph.replace(
        node,
        [
            made("Gather", [levels_name, ids], f"{found}.levels"),
            made("Cast", [f"{found}.levels"], f"{found}.float", to=TensorProto.FLOAT),
            made("Gather", [scales_name, ids], f"{found}.scale"),
            made("Mul", [f"{found}.float", f"{found}.scale"], found),
        ],
    )
