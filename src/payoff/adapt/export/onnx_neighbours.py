"""Nearest training rows beside the head, put behind an encoder's graph."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

if TYPE_CHECKING:
    from payoff.adapt.recipes.neighbours import NeighbourBlend


def write_neighbours(plain: Path, target: Path, blend: NeighbourBlend) -> None:
    """Write the graph of an encoder and head again, with the nearest training rows blended in.

    Args:
        plain: As `onnx_encoder.write_onnx` wrote it with ``blend.head``: it has ``pooled`` and
            ends in ``logits``.
        target: File to write.
        blend: What is appended.
    """
    model = onnx.load(plain)
    graph = model.graph
    last = next(node for node in graph.node if "logits" in node.output)
    last.name = last.output[0] = "head.logits"
    weights: dict[str, NDArray[Any]] = {
        "neighbours.vectors": np.ascontiguousarray(blend.vectors.T),
        "neighbours.classes": blend.classes,
        "neighbours.k": np.array([min(blend.k, len(blend.classes))], np.int64),
        "neighbours.sharpness": np.array(1.0 / blend.temperature, np.float32),
        "neighbours.n_labels": np.array(len(blend.head.bias), np.int64),
        "neighbours.no_yes": np.array([0.0, 1.0], np.float32),
        "neighbours.axis": np.array([1], np.int64),
        "neighbours.share": np.array(blend.share, np.float32),
        "neighbours.rest": np.array(1.0 - blend.share, np.float32),
        "neighbours.floor": np.array(blend.FLOOR, np.float32),
    }
    graph.initializer.extend(numpy_helper.from_array(v, name) for name, v in weights.items())
    graph.node.extend(_nodes())
    onnx.save(model, target)


def _nodes() -> list[onnx.NodeProto]:
    made = []

    def node(op: str, inputs: list[str], *outputs: str, **attributes: Any) -> None:
        of_neighbours = [name.replace("~", "neighbours.") for name in inputs]
        names = [name.replace("~", "neighbours.") for name in outputs]
        made.append(helper.make_node(op, of_neighbours, names, name=names[0], **attributes))

    node("MatMul", ["pooled", "~vectors"], "~similarity")
    node("TopK", ["~similarity", "~k"], "~nearest", "~rows", axis=1)
    node("Mul", ["~nearest", "~sharpness"], "~scaled")
    node("Softmax", ["~scaled"], "~weights", axis=1)
    node("Gather", ["~classes", "~rows"], "~found")
    node("OneHot", ["~found", "~n_labels", "~no_yes"], "~one_hot")
    node("Unsqueeze", ["~weights", "~axis"], "~row")
    node("MatMul", ["~row", "~one_hot"], "~mixed")
    node("Squeeze", ["~mixed", "~axis"], "~probabilities")
    node("Softmax", ["head.logits"], "head.probabilities", axis=1)
    node("Mul", ["~probabilities", "~share"], "~part")
    node("Mul", ["head.probabilities", "~rest"], "head.part")
    node("Add", ["~part", "head.part"], "blended")
    node("Add", ["blended", "~floor"], "floored")
    node("Log", ["floored"], "logits")
    return made
