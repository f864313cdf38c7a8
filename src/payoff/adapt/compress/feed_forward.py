"""The feed-forward half of an encoder's layers, found in its graph."""

from __future__ import annotations

from dataclasses import dataclass

from payoff.adapt.compress.encoder_graph import EncoderGraph, Product


@dataclass(frozen=True)
class FeedForward:
    """What makes neurons of a token's vector, and a vector of the neurons.

    Args:
        up: Gives one value a neuron.
        up_bias: Name of what is added before GELU, one value a neuron.
        down: Takes the neurons.
    """

    up: Product
    up_bias: str
    down: Product


def feed_forwards(graph: EncoderGraph) -> list[FeedForward]:
    """All in their order whose matrices are whole.

    Example:
        >>> len(feed_forwards(graph))  # doctest: +SKIP
        6
    """
    products = graph.inner()
    by_output = {str(one.node.output[0]): one for one in products}
    by_input: dict[str, list[Product]] = {}
    for one in products:
        by_input.setdefault(one.entering, []).append(one)
    found = []
    for node in graph.nodes:
        if node.op_type != "BiasGelu" or node.input[0] not in by_output:
            continue
        down = by_input.get(str(node.output[0]), [])
        if len(down) == 1 and len(graph.readers(node.output[0])) == 1:
            found.append(FeedForward(by_output[node.input[0]], str(node.input[1]), down[0]))
    return found
