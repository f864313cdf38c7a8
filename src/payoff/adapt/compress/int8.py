"""8-bit weights, and 8-bit activations scaled as they come ("dynamic" quantisation)."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from payoff.artifact.tier import TierSpec
from payoff.core.errors import AdaptError
from payoff.core.files import whole_folder


class Int8:
    """Signed weights, one scale a column; unsigned activations: the fast pair on AVX2.

    The token table is quantised too, which is most of the file. Embeddings of a static model are
    left alone, since nothing would become faster.
    """

    name = "int8"
    stage = "numbers"

    def applies(self, spec: TierSpec) -> bool:
        """Encoders only."""
        return spec.kind == "tokens" and not spec.settings.get("static", False)

    def compress(
        self, spec: TierSpec, folder: Path, target: Path, *, texts: Sequence[str] = ()
    ) -> TierSpec:
        """Quantise ``model.onnx``."""
        from onnxruntime.quantization import (  # type: ignore[import-untyped]
            QuantType,
            quantize_dynamic,
        )

        if not self.applies(spec):
            raise AdaptError(
                "PF404",
                f"tier '{spec.name}'",
                "int8 makes only encoders faster",
                mend="Serve it as it is.",
            )
        logger = logging.getLogger()
        level = logger.level
        logger.setLevel(logging.ERROR)  # it advises a step that our graphs do not need
        try:
            with whole_folder(target) as draft:
                quantize_dynamic(
                    folder / "model.onnx",
                    draft / "model.onnx",
                    per_channel=True,
                    weight_type=QuantType.QInt8,
                    nodes_to_exclude=_own_products(folder / "model.onnx"),
                    extra_options={"DefaultTensorType": 1},
                )
                shutil.copyfile(folder / "tokenizer.json", draft / "tokenizer.json")
        finally:
            logger.setLevel(level)
        return replace(spec, name=f"{spec.name} int8")


def _own_products(path: Path) -> list[str]:
    """Products with matrices that stay apart from the backbone, which no two models share."""
    import onnx

    graph = onnx.load(path).graph
    own = {one.name for one in graph.input}
    products = [node for node in graph.node if node.op_type in ("MatMul", "Gemm")]
    return [node.name for node in products if node.input[1] in own]
