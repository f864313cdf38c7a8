"""4-bit weights in blocks that share a scale, for encoders: an eighth of the size as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from payoff.adapt.compress.activations import moments
from payoff.adapt.compress.compensated import compensated
from payoff.adapt.compress.encoder_graph import (
    FUSED,
    Doubles,
    EncoderGraph,
    Floats,
    Product,
    is_encoder,
    need_encoder,
    need_matrices,
    write_changed,
)
from payoff.adapt.compress.opened_attention import open_attention
from payoff.artifact.tier import TierSpec
from payoff.core.errors import AdaptError

LOWEST, HIGHEST = -8, 7
"""Of a weight's 4 bits."""

_BLOCKS = (16, 32, 64, 128)
_ACCURACY = 4  # of onnxruntime's levels: activations are rounded to 8 bits as well
_TABLE_BLOCKS = (128, 64, 32, 16)


@dataclass(frozen=True)
class Int4:
    """Matrices and the token table in 4 bits, with a scale for every block of a row.

    The scale of a block maps its largest weight to the level that has the most room. Errors of
    matrices are made up for by `compensated`. Products take 8-bit activations.

    Args:
        block: Inputs of an output that share a scale: 16, 32, 64 or 128.

    Raises:
        AdaptError: PF406 for another number.
    """

    block: int = 32
    name = "int4"
    stage = "numbers"

    def __post_init__(self) -> None:
        if self.block not in _BLOCKS:
            raise AdaptError(
                "PF406",
                f"compressor '{self.name}', setting 'block'",
                f"{self.block}",
                expected=" or ".join(map(str, _BLOCKS)),
            )

    def applies(self, spec: TierSpec) -> bool:
        """Encoders."""
        return is_encoder(spec)

    def compress(
        self, spec: TierSpec, folder: Path, target: Path, *, texts: Sequence[str] = ()
    ) -> TierSpec:
        """Quantise the layers and the token table; the head stays.

        Raises:
            AdaptError: PF404 where the tier is no encoder, or is rounded already; PF411 without
                texts; PF412 with too few.
        """
        need_encoder(spec, self.name)

        def change(graph: EncoderGraph) -> None:
            products, tables = graph.inner(), graph.tables()
            need_matrices(spec, self.name, [*products, *tables])
            seen = moments(graph, spec, folder, texts, [one.entering for one in products])
            open_attention(graph)
            for product in graph.inner():
                _in_blocks(graph, product, seen[product.entering].second, self.block)
            for node in tables:
                _looked_up(graph, node)

        return write_changed(self.name, spec, folder, target, change)


def levels_of(matrix: Floats, second: Doubles, block: int) -> tuple[npt.NDArray[np.int8], Floats]:
    """Levels of a matrix's weights, errors made up for, and the scale of each block.

    Args:
        matrix: ``(n_inputs, n_outputs)``.
        second: Second moment of its inputs, ``(n_inputs, n_inputs)``.
        block: Inputs that share a scale; the last block may have fewer.

    Returns:
        ``(n_inputs, n_outputs)`` and ``(n_blocks, n_outputs)``.

    Example:
        >>> levels, scales = levels_of(np.array([[0.8], [-0.1]], np.float32), np.eye(2), 16)
        >>> levels.ravel().tolist(), (scales * -10).round().tolist()
        ([-8, 1], [[1.0]])
    """
    scales = _scales(np.moveaxis(matrix, 0, 1), block).T
    by_input = np.repeat(scales, block, axis=0)[: len(matrix)].astype(np.float64)

    def level(place: int, row: Doubles) -> Doubles:
        return np.asarray(np.clip(np.rint(row / by_input[place]), LOWEST, HIGHEST))

    found = compensated(matrix, second, lambda i, row: level(i, row) * by_input[i])
    return np.rint(found / by_input).astype(np.int8), scales


def _scales(rows: Floats, block: int) -> Floats:
    """Of each block of each row, ``(n_rows, n_blocks)``, with the sign of its largest weight."""
    n_blocks = -(-rows.shape[1] // block)
    padded = np.zeros((len(rows), n_blocks * block), np.float32)
    padded[:, : rows.shape[1]] = rows
    blocks = padded.reshape(len(rows), n_blocks, block)
    largest = np.take_along_axis(blocks, np.abs(blocks).argmax(-1)[..., None], -1)[..., 0]
    return np.where(largest == 0, 1, largest / LOWEST).astype(np.float32)


def _packed(levels: npt.NDArray[np.int8]) -> npt.NDArray[np.uint8]:
    """Two levels a byte, the first in the lower half, along the last axis of even length."""
    shifted = (levels - LOWEST).astype(np.uint8)
    return np.asarray(shifted[..., ::2] | (shifted[..., 1::2] << 4), np.uint8)


def _in_blocks(graph: EncoderGraph, product: Product, second: Doubles, block: int) -> None:
    from onnx import helper

    n_inputs, n_outputs = product.matrix.shape
    levels, scales = levels_of(product.matrix, second, block)
    padded = np.zeros((len(scales) * block, n_outputs), np.int8)
    padded[:n_inputs] = levels
    blocks = _packed(padded.T.reshape(n_outputs, len(scales), block))
    node = helper.make_node(
        "MatMulNBits",
        [
            product.entering,
            graph.set(f"{product.weight}.levels", blocks),
            graph.set(f"{product.weight}.scales", scales.T),
        ],
        list(product.node.output),
        name=product.node.name,
        domain=FUSED,
        K=n_inputs,
        N=n_outputs,
        bits=4,
        block_size=block,
        accuracy_level=_ACCURACY,
    )
    graph.replace(product.node, [node])


def _looked_up(graph: EncoderGraph, node: Any) -> None:
    """Rows of the table in 4 bits, made whole as they are looked up."""
    from onnx import helper

    table = graph.array(node.input[0])
    assert table is not None
    width = table.shape[1]
    block = next((one for one in _TABLE_BLOCKS if width % one == 0), 0)
    if not block:
        return  # the operator takes whole blocks alone
    scales = _scales(table, block)
    levels = np.rint(table / np.repeat(scales, block, axis=1)).clip(LOWEST, HIGHEST)
    made = helper.make_node(
        "GatherBlockQuantized",
        [
            graph.set(f"{node.input[0]}.levels", _packed(levels.astype(np.int8))),
            node.input[1],
            graph.set(f"{node.input[0]}.scales", scales),
        ],
        list(node.output),
        name=node.name,
        domain=FUSED,
        bits=4,
        block_size=block,
        gather_axis=0,
        quantize_axis=1,
    )
    graph.replace(node, [made])
