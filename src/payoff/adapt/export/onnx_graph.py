"""Nodes and weights of an ONNX graph while it is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from payoff.adapt.engine.adaptations.unmerged import Unmerged

FUSED = "com.microsoft"
"""Domain of onnxruntime's own operators."""


class Graph:
    """Nodes and weights as they are added; every name is used once.

    Args:
        apart: Declare trained weights (those that require a gradient) as inputs whose values in
            the graph are defaults, so that models of one backbone can be run by one session; see
            `payoff.artifact.runtime.shared_session`.

    Example:
        >>> graph = Graph()
        >>> graph.node("Add", ["a", graph.weight("b", np.ones(3, np.float32))], "c")
        'c'
    """

    def __init__(self, *, apart: bool = False) -> None:
        self.apart = apart
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []

    def weight(
        self,
        name: str,
        value: torch.Tensor | NDArray[Any],
        *,
        dims: Sequence[int | str] | None = None,
    ) -> str:
        """Add a constant; returns its name.

        Args:
            name: Of the constant.
            value: Its value.
            dims: Its shape as an input, with names where other models may have another size;
                the value's own where it is missing.
        """
        array = value.detach().numpy() if isinstance(value, torch.Tensor) else value
        self.weights.append(numpy_helper.from_array(np.asarray(array, order="C"), name))
        if self.apart and isinstance(value, torch.Tensor) and value.requires_grad:
            shape = tuple(value.shape) if dims is None else dims
            self.inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        return name

    def product(self, name: str, linear: nn.Linear, entering: str, output: str) -> str:
        """Add what a linear layer makes of ``entering``, without its bias; returns its name.

        Args:
            name: Of the layer.
            linear: The layer; an `Unmerged` with what is beside its matrix.
            entering: Name of what comes in.
            output: Name of what a plain matrix makes of it.
        """
        if isinstance(linear, Unmerged):
            return self._unmerged(name, linear, entering)
        return self.node("MatMul", [entering, self.matrix(name, linear)], output)

    def matrix(self, name: str, linear: nn.Linear) -> str:
        """Add a linear layer's matrix as a product's right side; returns its name."""
        assert type(linear) is nn.Linear, f"{name} is not merged"
        return self.weight(f"{name}.weight", linear.weight.T)

    def _unmerged(self, name: str, linear: Unmerged, entering: str) -> str:
        inner = entering
        if linear.before is not None:
            factors = self.weight(f"{name}.before", linear.before)
            inner = self.node("Mul", [entering, factors], f"{name}.scaled")
        weight = self.weight(f"{name}.weight", linear.weight.T)
        found = self.node("MatMul", [inner, weight], f"{name}.frozen")
        if linear.down is not None and linear.up is not None:
            rank = f"{name}.rank"
            down = self.weight(f"{name}.down", linear.down, dims=(linear.in_features, rank))
            up = self.weight(f"{name}.up", linear.up, dims=(rank, linear.out_features))
            self.node("MatMul", [entering, down], f"{name}.thin")
            self.node("MatMul", [f"{name}.thin", up], f"{name}.added")
            found = self.node("Add", [found, f"{name}.added"], f"{name}.sum")
        if linear.after is not None:
            factors = self.weight(f"{name}.after", linear.after)
            found = self.node("Mul", [found, factors], f"{name}.product")
        return found

    def node(
        self, op: str, inputs: list[str], output: str, *, domain: str = "", **attributes: Any
    ) -> str:
        """Add a node with one output; returns the output's name."""
        node = helper.make_node(op, inputs, [output], name=output, domain=domain, **attributes)
        self.nodes.append(node)
        return output
