"""8-bit weights in blocks, for decoders: a third of the size, and almost the same scores."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from payoff.artifact.tier import TierSpec
from payoff.core.errors import AdaptError
from payoff.core.files import whole_folder

BLOCK = 16
"""Weights that share a scale: those of 16 inputs of one output, the fewest that onnxruntime takes.

On SmolLM2-135M, texts of BANKING77's training rows, the divergence of a next token's distribution
from that of the whole weights was 0.0037 nats with 16 and 0.0057 with 32; the file had 168 and
152 MB (538 before), and a pass over 175 tokens took the same time."""

MIDDLE = 128
"""The byte that stands for 0."""

ACCURACY = 4
"""Of onnxruntime's levels: activations are rounded to 8 bits as well."""

_KINDS = ("prompted", "answers")
_FUSED = "com.microsoft"
_PRODUCTS = ("MatMul", "Gemm")


class Int8Blocks:
    """Every matrix of a decoder, the table of words among them, as bytes with a scale a block.

    A decoder that says one token after another waits for its weights, so that fewer bytes are
    more speed. Products take 8-bit activations too (`ACCURACY`): with whole ones, onnxruntime
    was over ten times slower.
    """

    name = "int8-blocks"
    stage = "numbers"

    def applies(self, spec: TierSpec) -> bool:
        """Decoders only."""
        return spec.kind in _KINDS

    def compress(
        self, spec: TierSpec, folder: Path, target: Path, *, texts: Sequence[str] = ()
    ) -> TierSpec:
        """Quantise ``model.onnx``.

        Raises:
            AdaptError: PF404 where the tier is no decoder.
        """
        import onnx

        if not self.applies(spec):
            raise AdaptError(
                "PF404",
                f"tier '{spec.name}'",
                "int8 in blocks is for decoders",
                expected=" or ".join(_KINDS),
                mend="Use int8.",
            )
        with whole_folder(target) as draft:
            model = onnx.load(folder / "model.onnx")
            _quantise(model.graph)
            onnx.save(model, draft / "model.onnx")
            for member in spec.members:
                if member != "model.onnx":
                    shutil.copyfile(folder / member, draft / member)
        return replace(spec, name=f"{spec.name} int8")


def _quantise(graph: Any) -> None:
    """Replace matrices by bytes and scales, and the nodes that use them."""
    from onnx import numpy_helper

    weights = {one.name: one for one in graph.initializer}
    sizes: dict[str, tuple[int, int]] = {}
    for node in graph.node:
        name = node.input[1] if len(node.input) > 1 else ""
        if node.op_type in _PRODUCTS and name in weights and name not in sizes:
            matrix = numpy_helper.to_array(weights[name])
            rows = matrix if node.op_type == "Gemm" else matrix.T
            sizes[name] = (rows.shape[1], rows.shape[0])
            graph.initializer.remove(weights[name])
            graph.initializer.extend(_constants(name, _blocks(rows)))
    nodes: list[Any] = []
    for node in graph.node:
        if node.op_type in _PRODUCTS and node.input[1] in sizes:
            nodes.append(_product(node, *sizes[node.input[1]]))
        elif node.op_type == "Gather" and node.input[0] in sizes:
            nodes += _looked_up(node)
            width = sizes[node.input[0]][0]
            graph.initializer.extend(_constants(node.input[0], _for_looking_up(width)))
        else:
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)


def _product(node: Any, n_inputs: int, n_outputs: int) -> Any:
    from onnx import helper

    vectors, name = node.input[:2]
    return helper.make_node(
        "MatMulNBits",
        [vectors, f"{name}.bytes", f"{name}.scales"],
        list(node.output),
        name=node.name,
        domain=_FUSED,
        K=n_inputs,
        N=n_outputs,
        bits=8,
        block_size=BLOCK,
        accuracy_level=ACCURACY,
    )


def _looked_up(node: Any) -> list[Any]:
    """Nodes that give rows of a table that lies in blocks, ``(n, length, width)``."""
    from onnx import TensorProto, helper

    (table, ids), out = node.input[:2], node.output[0]

    def made(op: str, inputs: list[str], output: str, **more: Any) -> Any:
        return helper.make_node(op, inputs, [output], name=output, **more)

    cut = [f"{table}.{part}" for part in ("from", "to", "axis")]
    return [
        made("Gather", [f"{table}.bytes", ids], f"{out}.bytes"),
        made("Cast", [f"{out}.bytes"], f"{out}.float", to=TensorProto.FLOAT),
        made("Sub", [f"{out}.float", f"{table}.middle"], f"{out}.signed"),
        made("Gather", [f"{table}.scales", ids], f"{out}.scales"),
        made("Unsqueeze", [f"{out}.scales", f"{table}.last"], f"{out}.scale"),
        made("Mul", [f"{out}.signed", f"{out}.scale"], f"{out}.blocks"),
        made("Reshape", [f"{out}.blocks", f"{table}.row"], f"{out}.padded"),
        made("Slice", [f"{out}.padded", *cut], out),
    ]


def _for_looking_up(width: int) -> dict[str, npt.NDArray[Any]]:
    whole = {"last": [3], "row": [0, 0, -1], "from": [0], "to": [width], "axis": [2]}
    constants: dict[str, npt.NDArray[Any]] = {"middle": np.full((), MIDDLE, np.float32)}
    return constants | {name: np.array(value, np.int64) for name, value in whole.items()}


def _blocks(rows: npt.NDArray[np.float32]) -> dict[str, npt.NDArray[Any]]:
    """Bytes ``(n_outputs, n_blocks, BLOCK)`` and scales ``(n_outputs, n_blocks)``."""
    n_outputs, n_inputs = rows.shape
    n_blocks = -(-n_inputs // BLOCK)
    padded = np.zeros((n_outputs, n_blocks * BLOCK), np.float32)
    padded[:, :n_inputs] = rows
    blocks = padded.reshape(n_outputs, n_blocks, BLOCK)
    scales = np.abs(blocks).max(axis=-1) / 127
    scales[scales == 0] = 1.0
    levels = np.rint(blocks / scales[..., None]) + MIDDLE
    return {"bytes": levels.astype(np.uint8), "scales": scales}


def _constants(name: str, values: Mapping[str, npt.NDArray[Any]]) -> list[Any]:
    from onnx import numpy_helper

    return [numpy_helper.from_array(value, f"{name}.{part}") for part, value in values.items()]
