"""Attention heads and feed-forward neurons taken out: a smaller graph, and a faster one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from payoff.adapt.compress.activations import Moment, moments
from payoff.adapt.compress.encoder_graph import (
    EncoderGraph,
    Product,
    is_encoder,
    need_encoder,
    need_matrices,
    write_changed,
)
from payoff.adapt.compress.feed_forward import FeedForward, feed_forwards
from payoff.adapt.compress.opened_attention import opened
from payoff.adapt.compress.thinned import Thinned, thinned
from payoff.adapt.compress.way import need_within
from payoff.artifact.tier import TierSpec


@dataclass(frozen=True)
class Prune:
    """Structured pruning without training: in every layer the same share stays.

    What goes is what the other heads or neurons can best stand in for on the texts of the domain
    (see `thinned`), and what it did on average becomes part of the bias. Heads keep their width.

    Args:
        heads: Share of a layer's attention heads that stays.
        neurons: Share of a layer's feed-forward neurons that stays.

    Raises:
        AdaptError: PF406 for a share out of range.
    """

    heads: float = 1.0
    neurons: float = 0.75
    name = "prune"
    stage = "shape"

    def __post_init__(self) -> None:
        need_within(self.name, "heads", self.heads, 0.05, 1)
        need_within(self.name, "neurons", self.neurons, 0.05, 1)

    def applies(self, spec: TierSpec) -> bool:
        """Encoders."""
        return is_encoder(spec)

    def compress(
        self, spec: TierSpec, folder: Path, target: Path, *, texts: Sequence[str] = ()
    ) -> TierSpec:
        """Write narrower layers.

        Raises:
            AdaptError: PF404 where the tier is no encoder, is rounded already, or has an attention
                that is not one operator (behind a prefix); PF411 without texts; PF412 with too few.
        """
        need_encoder(spec, self.name)

        def change(graph: EncoderGraph) -> None:
            inner = feed_forwards(graph) if self.neurons < 1 else []
            attentions = _attentions(graph) if self.heads < 1 else []
            if self.neurons < 1:
                need_matrices(spec, self.name, inner)
            if self.heads < 1:
                need_matrices(spec, f"{self.name} of heads", attentions)
            takers = [*(one.down for one in inner), *(one.out for one in attentions)]
            seen = moments(graph, spec, folder, texts, [one.entering for one in takers])
            for one in inner:
                _fewer_neurons(graph, one, seen[one.down.entering], self.neurons)
            for two in attentions:
                _fewer_heads(graph, two, seen[two.out.entering], self.heads)

        return write_changed(self.name, spec, folder, target, change)


@dataclass(frozen=True)
class _Attention:
    """The fused operator, its matrix, and the product that takes its heads."""

    fused: Product
    out: Product


def _attentions(graph: EncoderGraph) -> list[_Attention]:
    products = graph.inner()
    fused = [one for one in products if one.node.op_type == "Attention"]
    return [
        _Attention(one, two)
        for one in fused
        for two in products
        if two.entering == one.node.output[0]
    ]


def _fewer_neurons(graph: EncoderGraph, one: FeedForward, seen: Moment, share: float) -> None:
    n = len(one.down.matrix)
    n_kept = max(1, round(share * n))
    if n_kept == n:
        return
    kept = _narrow(graph, one.down, seen, n_kept).kept
    bias = graph.array(one.up_bias)
    assert bias is not None
    graph.set_matrix(one.up, one.up.matrix[:, kept])
    graph.set(one.up_bias, bias[kept])


def _fewer_heads(graph: EncoderGraph, one: _Attention, seen: Moment, share: float) -> None:
    node = one.fused.node
    n_heads = next(attribute.i for attribute in node.attribute if attribute.name == "num_heads")
    width = len(one.out.matrix)
    n_kept = max(1, round(share * n_heads))
    if n_kept == n_heads:
        return
    size = width // n_heads
    kept = _narrow(graph, one.out, seen, n_kept, size=size).kept
    columns = np.concatenate([part * width + kept for part in range(3)])
    bias = graph.array(node.input[2])
    assert bias is not None
    graph.set_matrix(one.fused, one.fused.matrix[:, columns])
    graph.set(node.input[2], bias[columns])
    graph.replace(node, _with_heads(graph, node, kept[::size] // size))


def _with_heads(graph: EncoderGraph, node: Any, heads: npt.NDArray[np.intp]) -> list[Any]:
    """The operator taken apart, since its 8-bit form has heads as wide as the model alone."""
    from onnx import helper

    nodes = opened(node)
    attention = nodes[-1]
    next(one for one in attention.attribute if one.name == "num_heads").i = len(heads)
    if len(attention.input) > 5:  # scores have a bias, by head
        mine = f"{attention.name}.bias"
        which = graph.set(f"{attention.name}.heads", heads.astype(np.int64))
        inputs = [attention.input[5], which]
        nodes.insert(0, helper.make_node("Gather", inputs, [mine], name=mine, axis=1))
        attention.input[5] = mine
    return nodes


def _narrow(
    graph: EncoderGraph, product: Product, seen: Moment, n_kept: int, *, size: int = 1
) -> Thinned:
    """Fewer inputs for a product, and what the others did in the bias that follows it."""
    name = _bias(graph, product)
    found = thinned(product.matrix, seen, n_kept, size=size, is_bias=name is not None)
    graph.set_matrix(product, found.matrix)
    if name is not None:
        bias = graph.array(name)
        assert bias is not None
        graph.set(name, bias + found.added)
    return found


def _bias(graph: EncoderGraph, product: Product) -> str | None:
    """Name of the constant that is added to what a product gives; None where there is none."""
    readers = graph.readers(product.node.output[0])
    place = {"SkipLayerNormalization": 4, "Add": 1}.get(readers[0].op_type) if readers else None
    if len(readers) != 1 or place is None or len(readers[0].input) <= place:
        return None
    name = str(readers[0].input[place])
    return None if graph.array(name) is None else name
