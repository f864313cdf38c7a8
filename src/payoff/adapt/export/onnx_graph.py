"""Nodes and weights of an ONNX graph while it is written."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from torch import nn

FUSED = "com.microsoft"
"""Domain of onnxruntime's own operators."""


class Graph:
    """Nodes and weights as they are added; every name is used once.

    Example:
        >>> graph = Graph()
        >>> graph.node("Add", ["a", graph.weight("b", np.ones(3, np.float32))], "c")
        'c'
    """

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def weight(self, name: str, value: torch.Tensor | NDArray[Any]) -> str:
        """Add a constant; returns its name."""
        array = value.detach().numpy() if isinstance(value, torch.Tensor) else value
        self.weights.append(numpy_helper.from_array(np.asarray(array, order="C"), name))
        return name

    def matrix(self, name: str, linear: nn.Linear) -> str:
        """Add a linear layer's matrix as a product's right side; returns its name."""
        assert type(linear) is nn.Linear, f"{name} is not merged"
        return self.weight(f"{name}.weight", linear.weight.T)

    def node(
        self, op: str, inputs: list[str], output: str, *, domain: str = "", **attributes: Any
    ) -> str:
        """Add a node with one output; returns the output's name."""
        node = helper.make_node(op, inputs, [output], name=output, domain=domain, **attributes)
        self.nodes.append(node)
        return output
