"""Weights kept in 16 bits and read as 32: half the size, and as good as the same answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from payoff.adapt.compress.encoder_graph import (
    EncoderGraph,
    is_encoder,
    need_encoder,
    need_matrices,
    write_changed,
)
from payoff.artifact.tier import TierSpec


@dataclass(frozen=True)
class Fp16:
    """Matrices and tables as IEEE half floats (Micikevicius et al. 2018, section 3).

    Arithmetic stays in 32 bits: onnxruntime makes whole floats of a matrix once, when the graph is
    opened, so that serving is as fast as before. Of a table, only the rows of a text's tokens are
    made whole, so that it takes half the memory too. What lies beyond 65,504 is cut there.
    """

    name = "fp16"
    stage = "numbers"

    def applies(self, spec: TierSpec) -> bool:
        """Encoders; a table of static vectors is kept like this already."""
        return is_encoder(spec)

    def compress(
        self, spec: TierSpec, folder: Path, target: Path, *, texts: Sequence[str] = ()
    ) -> TierSpec:
        """Halve ``model.onnx``.

        Raises:
            AdaptError: PF404 where the tier is no encoder, or has no matrices of 32-bit floats.
        """
        need_encoder(spec, self.name)

        def change(graph: EncoderGraph) -> None:
            products, tables = graph.products(), graph.tables()
            need_matrices(spec, self.name, [*products, *tables])
            for product in products:
                narrow(graph, product.weight)
            for node in tables:
                _narrow_rows(graph, node)

        return write_changed(self.name, spec, folder, target, change)


def _half(graph: EncoderGraph, name: str) -> str:
    whole = graph.array(name)
    assert whole is not None
    most = np.finfo(np.float16).max
    return graph.set(f"{name}.half", np.clip(whole, -most, most).astype(np.float16))


def narrow(graph: EncoderGraph, name: str) -> None:
    """Keep a constant in 16 bits; onnxruntime makes it whole once, when the graph is opened.

    Example:
        >>> narrow(graph, "layers.0.up.weight")  # doctest: +SKIP
    """
    from onnx import TensorProto, helper

    half = _half(graph, name)
    graph.computed(name, helper.make_node("Cast", [half], [name], name=name, to=TensorProto.FLOAT))


def _narrow_rows(graph: EncoderGraph, node: Any) -> None:
    from onnx import TensorProto, helper

    (table, ids), found = node.input, node.output[0]
    rows = f"{found}.half"
    graph.replace(
        node,
        [
            helper.make_node("Gather", [_half(graph, table), ids], [rows], name=rows),
            helper.make_node("Cast", [rows], [found], name=found, to=TensorProto.FLOAT),
        ],
    )
