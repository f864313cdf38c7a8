"""Static embeddings with a head as one ONNX graph: look up, average, normalise, multiply.

The token table is stored in float16 and read as float32.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper


def write_static_onnx(
    table: NDArray[np.float16],
    weight: NDArray[np.float32],
    bias: NDArray[np.float32],
    target: Path,
) -> None:
    """Write a token table and a linear head as ONNX.

    Args:
        table: One vector a token, ``(vocabulary, width)``.
        weight: Head, ``(n_labels, width)``.
        bias: Head, ``(n_labels,)``.
        target: File to write.
    """
    weights: dict[str, NDArray[Any]] = {
        "table": table.astype(np.float16),
        "head.weight": weight.astype(np.float32),
        "head.bias": bias.astype(np.float32),
        "axis_1": np.ones(1, np.int64),
        "axis_2": np.full(1, 2, np.int64),
    }
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["vectors16"]),
        helper.make_node("Cast", ["vectors16"], ["vectors"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "axis_2"], ["mask_column"]),
        helper.make_node("Mul", ["vectors", "mask_column"], ["masked"]),
        helper.make_node("ReduceSum", ["masked", "axis_1"], ["summed"], keepdims=0),
        helper.make_node("LpNormalization", ["summed"], ["pooled"], axis=-1, p=2),
        helper.make_node("Gemm", ["pooled", "head.weight", "head.bias"], ["logits"], transB=1),
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["n_texts", "n_tokens"])
        for name in ("input_ids", "attention_mask")
    ]
    output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n_texts", len(bias)])
    graph = helper.make_graph(
        nodes,
        "payoff",
        inputs,
        [output],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(
        helper.make_model(graph, opset_imports=opset, ir_version=9, producer_name="payoff"), target
    )
