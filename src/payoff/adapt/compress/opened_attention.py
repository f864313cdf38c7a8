"""The fused attention taken apart: its product stands alone, where it can be made smaller."""

from __future__ import annotations

from typing import Any

from payoff.adapt.compress.encoder_graph import FUSED, EncoderGraph


def open_attention(graph: EncoderGraph) -> None:
    """Write every ``Attention`` as a product, a split and ``MultiHeadAttention``.

    The answers are the same. Only so can its matrix be kept in blocks, have fewer heads, or be
    quantised where scores have a bias: the quantised form of the fused operator knows none.

    Args:
        graph: Changed in place.

    Example:
        >>> open_attention(graph)  # doctest: +SKIP
    """
    for node in graph.nodes:
        if node.op_type == "Attention":
            graph.replace(node, opened(node))


def opened(node: Any) -> list[Any]:
    """The nodes that do what one ``Attention`` with a mask does.

    Example:
        >>> from onnx import helper
        >>> node = helper.make_node("Attention", ["x", "w", "b", "mask"], ["y"], num_heads=4)
        >>> [one.op_type for one in opened(node)]
        ['MatMul', 'Split', 'MultiHeadAttention']
    """
    from onnx import helper

    entering, weight, bias, mask, *more = node.input
    name = str(weight).removesuffix(".weight")
    parts = [f"{name}.{part}" for part in ("query", "key", "value")]
    heads = next(one.i for one in node.attribute if one.name == "num_heads")
    inputs = [*parts, bias, mask, *(one for one in more[1:] if one)]
    product = f"{name}.product"
    return [
        helper.make_node("MatMul", [entering, weight], [product], name=product),
        helper.make_node("Split", [product], parts, name=f"{name}.split", axis=-1),
        helper.make_node(
            "MultiHeadAttention",
            inputs,
            list(node.output),
            name=node.name,
            domain=FUSED,
            num_heads=heads,
        ),
    ]
