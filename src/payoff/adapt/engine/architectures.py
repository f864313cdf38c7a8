"""What payoff knows of foreign encoder formats: names of weights, and nothing else.

Each architecture is a table from the name in its ``safetensors`` file to the name here. Queries,
keys and values are three matrices there and one here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from payoff.adapt.engine.encoder import Encoder, EncoderShape
from payoff.core.errors import BackboneError


@dataclass(frozen=True, slots=True)
class Architecture:
    """Where one family of encoders keeps its weights.

    Args:
        prefixes: What may stand before every name.
        attention: Names of query, key, value and output inside a layer.
        attention_norm: Name of the normalisation after attention.
        first_position: Index of the first token's position, after those kept for padding.
        relative: Name of the relative-position table, where there is one.
    """

    prefixes: tuple[str, ...]
    attention: tuple[str, str, str, str]
    attention_norm: str
    first_position: int = 0
    relative: str = ""


_BERT_ATTENTION = (
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
)
_BERT = Architecture(("", "bert."), _BERT_ATTENTION, "attention.output.LayerNorm")
_ROBERTA = Architecture(
    ("", "roberta."), _BERT_ATTENTION, "attention.output.LayerNorm", first_position=2
)
_MPNET = Architecture(
    ("", "mpnet."),
    ("attention.attn.q", "attention.attn.k", "attention.attn.v", "attention.attn.o"),
    "attention.LayerNorm",
    first_position=2,
    relative="encoder.relative_attention_bias",
)
ARCHITECTURES = {"bert": _BERT, "roberta": _ROBERTA, "xlm-roberta": _ROBERTA, "mpnet": _MPNET}


def load(folder: Path) -> Encoder:
    """Load an encoder from a folder with ``config.json`` and ``model.safetensors``.

    Returns:
        The encoder in float32, in evaluation mode, nothing requiring a gradient.

    Raises:
        BackboneError: PF304 where the architecture is not one of `ARCHITECTURES`, or a weight
            is missing.
    """
    from safetensors.torch import load_file

    config = json.loads((folder / "config.json").read_text("utf-8"))
    architecture = ARCHITECTURES.get(config.get("model_type", ""))
    if architecture is None:
        raise BackboneError(
            "PF304",
            str(folder / "config.json"),
            f"model_type '{config.get('model_type')}' cannot be adapted",
            expected=f"one of {', '.join(sorted(ARCHITECTURES))}",
        )
    _refuse_variants(config, folder)
    weights = load_file(folder / "model.safetensors")
    try:
        shape = _shape(config, architecture)
        encoder = Encoder(shape)
        encoder.load_state_dict(_translate(weights, architecture, shape))
    except (KeyError, RuntimeError) as error:
        raise BackboneError(
            "PF304", str(folder / "model.safetensors"), f"a weight does not fit: {error}"
        ) from error
    return encoder.eval().requires_grad_(False)


def _refuse_variants(config: dict[str, Any], folder: Path) -> None:
    """What the same ``model_type`` may also mean, and would be computed wrongly here."""
    for key, known in (("hidden_act", "gelu"), ("position_embedding_type", "absolute")):
        if config.get(key, known) != known:
            raise BackboneError(
                "PF304",
                str(folder / "config.json"),
                f"{key} '{config[key]}' cannot be adapted",
                expected=known,
            )


def _shape(config: dict[str, Any], architecture: Architecture) -> EncoderShape:
    return EncoderShape(
        vocabulary=config["vocab_size"],
        width=config["hidden_size"],
        layers=config["num_hidden_layers"],
        heads=config["num_attention_heads"],
        inner=config["intermediate_size"],
        positions=config["max_position_embeddings"],
        first_position=architecture.first_position,
        norm_eps=config.get("layer_norm_eps", 1e-12),
        relative_buckets=config.get("relative_attention_num_buckets", 32)
        if architecture.relative
        else 0,
    )


def _translate(
    weights: dict[str, torch.Tensor], architecture: Architecture, shape: EncoderShape
) -> dict[str, torch.Tensor]:
    words = "embeddings.word_embeddings.weight"
    prefix = next((p for p in architecture.prefixes if f"{p}{words}" in weights), "")

    def get(name: str) -> torch.Tensor:
        return weights[prefix + name].float()

    positions = get("embeddings.position_embeddings.weight")
    types = f"{prefix}embeddings.token_type_embeddings.weight"
    if types in weights:  # every text is of type 0, so its vector belongs to the position
        positions = positions + weights[types].float()[0]
    ours = {
        "words.weight": get("embeddings.word_embeddings.weight"),
        "positions.weight": positions,
        "embedding_norm.weight": get("embeddings.LayerNorm.weight"),
        "embedding_norm.bias": get("embeddings.LayerNorm.bias"),
    }
    if architecture.relative:
        ours["relative.weight"] = get(f"{architecture.relative}.weight")
    *qkv, out = architecture.attention
    names = {
        "out": out,
        "attention_norm": architecture.attention_norm,
        "up": "intermediate.dense",
        "down": "output.dense",
        "norm": "output.LayerNorm",
    }
    for index in range(shape.layers):
        for part in ("weight", "bias"):
            layer = f"encoder.layer.{index}."
            ours[f"layers.{index}.qkv.{part}"] = torch.cat(
                [get(f"{layer}{name}.{part}") for name in qkv]
            )
            for name, theirs in names.items():
                ours[f"layers.{index}.{name}.{part}"] = get(f"{layer}{theirs}.{part}")
    return ours
