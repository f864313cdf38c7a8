"""An encoder's ONNX graph while it is made smaller: its tables, its products, its weights."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from payoff.artifact.runtime.early_exit import SETTING
from payoff.artifact.runtime.packed import is_packed
from payoff.artifact.tier import TierSpec
from payoff.core.errors import AdaptError
from payoff.core.files import whole_folder

FUSED = "com.microsoft"
"""Domain of onnxruntime's own operators."""

IDS = "input_ids"
LAYERS = "layers."
"""How names of weights of the layers begin; see `payoff.adapt.export.onnx_encoder`."""

POSITIONS = "positions"
"""The table of places, of which a text's first rows are taken."""

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Product:
    """What comes into a node times a constant matrix.

    Args:
        node: ``MatMul``, ``Gemm`` with its matrix upside down, or the fused ``Attention``.
        matrix: ``(n_inputs, n_outputs)``.
    """

    node: Any
    matrix: Floats

    @property
    def entering(self) -> str:
        """Name of what comes in."""
        return str(self.node.input[0])

    @property
    def weight(self) -> str:
        """Name of the matrix."""
        return str(self.node.input[1])

    @property
    def is_inner(self) -> bool:
        """Whether it belongs to a layer, and not to what decides on top of them."""
        return self.weight.startswith(LAYERS)


class EncoderGraph:
    """The graph of a ``tokens`` tier, as `payoff.adapt.export.onnx_encoder` writes it.

    Weights that are inputs with defaults are left alone: they are what tells the models of one
    backbone apart.

    Args:
        model: An ``onnx.ModelProto``; changed in place.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self._graph = model.graph
        own = {one.name for one in self._graph.input}
        self._weights = {one.name: one for one in self._graph.initializer if one.name not in own}

    @property
    def nodes(self) -> list[Any]:
        """All nodes in their order."""
        return list(self._graph.node)

    def array(self, name: str) -> npt.NDArray[Any] | None:
        """A constant's value; None where the name is of something else."""
        from onnx import numpy_helper

        tensor = self._weights.get(name)
        return None if tensor is None else np.asarray(numpy_helper.to_array(tensor))

    def products(self) -> list[Product]:
        """All products with a constant matrix of 32-bit floats that nothing else uses."""
        uses = Counter(name for node in self._graph.node for name in node.input)
        found = []
        for node in self._graph.node:
            if node.op_type not in ("MatMul", "Gemm", "Attention") or uses[node.input[1]] != 1:
                continue
            matrix = self.array(node.input[1])
            if matrix is not None and matrix.ndim == 2 and matrix.dtype == np.float32:
                found.append(Product(node, matrix.T if node.op_type == "Gemm" else matrix))
        return found

    def inner(self) -> list[Product]:
        """The products of all layers."""
        return [product for product in self.products() if product.is_inner]

    def tables(self) -> list[Any]:
        """Nodes that look tokens up in a table of 32-bit floats of which nothing else knows."""
        uses = Counter(name for node in self._graph.node for name in node.input)
        looked = (
            node for node in self._graph.node if node.op_type == "Gather" and node.input[1] == IDS
        )
        return [
            node
            for node in looked
            if uses[node.input[0]] == 1
            and (table := self.array(node.input[0])) is not None
            and table.dtype == np.float32
            and table.shape[1] > 1  # not the scales of a table that is rounded already
        ]

    def readers(self, name: str) -> list[Any]:
        """Nodes that something goes into."""
        return [node for node in self._graph.node if name in node.input]

    def set(self, name: str, value: npt.NDArray[Any]) -> str:
        """Give a constant a value, an existing one another; returns the name."""
        from onnx import numpy_helper

        made = numpy_helper.from_array(np.asarray(value, order="C"), name)
        if name in self._weights:
            self._weights[name].CopyFrom(made)
        else:
            self._graph.initializer.append(made)
            self._weights[name] = self._graph.initializer[-1]
        return name

    def set_matrix(self, product: Product, matrix: npt.NDArray[Any]) -> None:
        """Give a product another matrix, ``(n_inputs, n_outputs)``."""
        upside_down = product.node.op_type == "Gemm"
        self.set(product.weight, (matrix.T if upside_down else matrix).astype(np.float32))

    def computed(self, name: str, node: Any) -> None:
        """Let a node before all others give what was a constant."""
        self._graph.initializer.remove(self._weights.pop(name))
        self._graph.node.insert(0, node)

    def replace(self, old: Any, new: Sequence[Any]) -> None:
        """Put nodes in the place of one."""
        place = list(self._graph.node).index(old)
        self._graph.node.pop(place)
        for more, node in enumerate(new):
            self._graph.node.insert(place + more, node)

    def insert_after(self, name: str, node: Any) -> None:
        """Put a node behind the one that gives something, or first where none does."""
        places = [place for place, one in enumerate(self._graph.node) if name in one.output]
        self._graph.node.insert(places[0] + 1 if places else 0, node)

    def sweep(self) -> None:
        """Take away constants that no node reads any more."""
        read = {name for node in self._graph.node for name in node.input}
        for name in [name for name in self._weights if name not in read]:
            self._graph.initializer.remove(self._weights.pop(name))


def is_encoder(spec: TierSpec) -> bool:
    """Whether a tier is an encoder in one graph that can be read: no static vectors, not packed.

    Example:
        >>> is_encoder(TierSpec("small", "tokens")), is_encoder(TierSpec("words", "ngrams"))
        (True, False)
    """
    other = spec.settings.get("static", False) or SETTING in spec.settings
    return spec.kind == "tokens" and not other and not is_packed(spec)


def need_encoder(spec: TierSpec, name: str) -> None:
    """Refuse what is none.

    Raises:
        AdaptError: PF404, with the compressor's name.

    Example:
        >>> need_encoder(TierSpec("words", "ngrams"), "fp16")
        Traceback (most recent call last):
        ...
        payoff.core.errors.AdaptError: PF404 tier 'words': fp16 is for encoders (expected a tier of\
 the kind 'tokens' with layers, in one part and not packed). Serve it as it is.
    """
    if not is_encoder(spec):
        raise AdaptError(
            "PF404",
            f"tier '{spec.name}'",
            f"{name} is for encoders",
            expected="a tier of the kind 'tokens' with layers, in one part and not packed",
            mend="Serve it as it is.",
        )


def need_matrices(spec: TierSpec, name: str, found: Sequence[Any]) -> None:
    """Refuse a graph in which a compressor found nothing to do.

    Raises:
        AdaptError: PF404, with the compressor's name.

    Example:
        >>> need_matrices(TierSpec("small", "tokens"), "fp16", ["a matrix"])
    """
    if not found:
        raise AdaptError(
            "PF404",
            f"tier '{spec.name}'",
            f"{name} finds no matrices of 32-bit floats",
            expected="an encoder whose weights are not rounded yet",
            mend=f"Put {name} before what rounds the weights.",
        )


def write_changed(
    name: str,
    spec: TierSpec,
    folder: Path,
    target: Path,
    change: Callable[[EncoderGraph], None],
) -> TierSpec:
    """Write a tier with its graph changed and all else as it is.

    Args:
        name: Of the compressor; put behind the tier's.
        spec: The tier.
        folder: Where its files are.
        target: Folder to make, complete or not at all.
        change: Changes the graph in place.
    """
    import onnx

    with whole_folder(target) as draft:
        graph = EncoderGraph(onnx.load(folder / "model.onnx"))
        change(graph)
        graph.sweep()
        onnx.save(graph.model, draft / "model.onnx")
        for member in spec.members:
            if member != "model.onnx":
                shutil.copyfile(folder / member, draft / member)
    return replace(spec, name=f"{spec.name} {name}")
