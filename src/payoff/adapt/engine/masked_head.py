"""The head of a masked language model, where a backbone's weights hold one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from payoff.adapt.engine.encoder import EncoderShape
from payoff.adapt.engine.model_weights import read_tensors, refuse_misfits
from payoff.core.extras import require


@dataclass(frozen=True, slots=True)
class _Names:
    """Where a family keeps the parts of the head."""

    dense: str
    norm: str
    bias: tuple[str, str]
    decoder: str


_FAMILIES = (
    _Names(  # BERT
        "cls.predictions.transform.dense",
        "cls.predictions.transform.LayerNorm",
        ("cls.predictions.bias", "cls.predictions.decoder.bias"),
        "cls.predictions.decoder.weight",
    ),
    _Names(  # RoBERTa, XLM-R and MPNet
        "lm_head.dense",
        "lm_head.layer_norm",
        ("lm_head.bias", "lm_head.decoder.bias"),
        "lm_head.decoder.weight",
    ),
)


@dataclass(frozen=True, slots=True)
class MaskedHead:
    """From vectors of tokens to scores of words (Devlin et al. 2019, appendix A.2).

    A linear map, GELU, a normalisation, and the product with a table of words.

    Args:
        dense_weight: ``(width, width)``.
        dense_bias: ``(width,)``.
        norm_weight: ``(width,)``.
        norm_bias: ``(width,)``.
        norm_eps: Of the normalisation.
        bias: ``(vocabulary,)``.
        decoder: Table of words, ``(vocabulary, width)``; None where it is that of the encoder.
    """

    dense_weight: Tensor
    dense_bias: Tensor
    norm_weight: Tensor
    norm_bias: Tensor
    norm_eps: float
    bias: Tensor
    decoder: Tensor | None

    def scores(self, hidden: Tensor, dense: nn.Linear, words: Tensor) -> Tensor:
        """Scores of all words, ``(n, width)`` to ``(n, vocabulary)``.

        Args:
            hidden: Vectors of tokens.
            dense: The linear map as it is by now.
            words: The encoder's table of words, ``(vocabulary, width)``.
        """
        width = (hidden.shape[1],)
        made = functional.layer_norm(
            functional.gelu(dense(hidden)), width, self.norm_weight, self.norm_bias, self.norm_eps
        )
        return made @ (words if self.decoder is None else self.decoder).T + self.bias


def has_masked_head(folder: Path) -> bool:
    """Whether the weights in a folder hold the head of a masked language model.

    Raises:
        MachineError: PF803 where safetensors is not installed.
    """
    file = folder / "model.safetensors"
    if not file.is_file():
        return False
    library = require("safetensors", "tune", "reading weights")
    try:
        with library.safe_open(str(file), "pt") as weights:
            return _found(set(weights.keys())) is not None
    except library.SafetensorError:
        return False  # whoever loads it says what is wrong


def load_masked_head(folder: Path, shape: EncoderShape) -> MaskedHead | None:
    """The head in a folder's ``model.safetensors``, in float32; None where there is none.

    Raises:
        BackboneError: PF304 where a part of it is missing or of another size.
        MachineError: PF803 where safetensors is not installed.
    """
    file = folder / "model.safetensors"
    weights = {
        name.replace("LayerNorm.gamma", "LayerNorm.weight").replace(
            "LayerNorm.beta", "LayerNorm.bias"
        ): value
        for name, value in read_tensors(file).items()
    }
    names = _found(set(weights))
    if names is None:
        return None
    width, vocabulary = (shape.width,), (shape.vocabulary,)
    bias = next((name for name in names.bias if name in weights), names.bias[0])
    wanted: dict[str, tuple[int, ...]] = {f"{names.dense}.weight": width * 2, bias: vocabulary}
    for part in (f"{names.dense}.bias", f"{names.norm}.weight", f"{names.norm}.bias"):
        wanted[part] = width
    if names.decoder in weights:
        wanted[names.decoder] = vocabulary + width
    refuse_misfits(weights, wanted, file)

    def get(name: str) -> Tensor:
        return weights[name].to(torch.float32)

    return MaskedHead(
        get(f"{names.dense}.weight"),
        get(f"{names.dense}.bias"),
        get(f"{names.norm}.weight"),
        get(f"{names.norm}.bias"),
        shape.norm_eps,
        get(bias),
        get(names.decoder) if names.decoder in weights else None,
    )


def _found(names: set[str]) -> _Names | None:
    return next((family for family in _FAMILIES if f"{family.dense}.weight" in names), None)
