"""8-bit weights, and 8-bit activations scaled as they come ("dynamic" quantisation)."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from payoff.adapt.compress.encoder_graph import (
    EncoderGraph,
    is_encoder,
    need_encoder,
    need_matrices,
)
from payoff.adapt.compress.opened_attention import opened
from payoff.adapt.compress.way import need_within
from payoff.artifact.tier import TierSpec
from payoff.core.files import whole_folder


@dataclass(frozen=True)
class Int8:
    """Signed weights, one scale a column; unsigned activations: the fast pair on AVX2.

    The token table is quantised too, which is most of the file. Embeddings of a static model are
    left alone, since nothing would become faster.

    Args:
        reduced: 1 for weights of 7 bits: sums of two products then fit 16 bits, which processors
            without VNNI add them in, where they would be cut otherwise. 0 for all 8.

    Raises:
        AdaptError: PF406 for another number.
    """

    reduced: int = 0
    name = "int8"
    stage = "numbers"

    def __post_init__(self) -> None:
        need_within(self.name, "reduced", self.reduced, 0, 1)

    def applies(self, spec: TierSpec) -> bool:
        """Encoders only."""
        return is_encoder(spec)

    def compress(
        self, spec: TierSpec, folder: Path, target: Path, *, texts: Sequence[str] = ()
    ) -> TierSpec:
        """Quantise ``model.onnx``.

        Raises:
            AdaptError: PF404 where the tier is no encoder, or is rounded already.
        """
        import onnx
        from onnxruntime.quantization import (  # type: ignore[import-untyped]
            QuantType,
            quantize_dynamic,
        )

        need_encoder(spec, self.name)
        graph = EncoderGraph(onnx.load(folder / "model.onnx"))
        need_matrices(spec, self.name, [*graph.products(), *graph.tables()])
        _open_biased(graph)
        logger = logging.getLogger()
        level = logger.level
        logger.setLevel(logging.ERROR)  # it advises a step that our graphs do not need
        try:
            with whole_folder(target) as draft:
                quantize_dynamic(
                    graph.model,
                    draft / "model.onnx",
                    per_channel=True,
                    reduce_range=bool(self.reduced),
                    weight_type=QuantType.QInt8,
                    nodes_to_exclude=_own_products(graph.model.graph),
                    extra_options={"DefaultTensorType": 1},
                )
                shutil.copyfile(folder / "tokenizer.json", draft / "tokenizer.json")
        finally:
            logger.setLevel(level)
        return replace(spec, name=f"{spec.name} int8")


def _open_biased(graph: EncoderGraph) -> None:
    """Take attention with a bias of its scores apart: its 8-bit form would leave the bias out."""
    for node in graph.nodes:
        if node.op_type == "Attention" and len(node.input) > 5:
            graph.replace(node, opened(node))


def _own_products(graph: Any) -> list[str]:
    """Products with matrices that stay apart from the backbone, which no two models share."""
    own = {one.name for one in graph.input}
    products = [node for node in graph.node if node.op_type in ("MatMul", "Gemm")]
    return [node.name for node in products if node.input[1] in own]
