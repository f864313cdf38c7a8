"""What payoff knows of foreign encoder formats: names of weights, and nothing else.

Each architecture is a table from the name in its ``safetensors`` file to the name here. Queries,
keys and values are three matrices there and one here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from payoff.adapt.engine.encoder import Encoder, EncoderShape
from payoff.adapt.engine.model_config import ModelConfig
from payoff.adapt.engine.model_weights import read_tensors, refuse_misfits, require_files


@dataclass(frozen=True, slots=True)
class Architecture:
    """Where one family of encoders keeps its weights.

    Args:
        prefixes: What may stand before every name.
        attention: Names of query, key, value and output inside a layer.
        attention_norm: Name of the normalisation after attention.
        first_position: Index of the first token's position, after those kept for padding.
        relative: Name of the relative-position table, where there is one.
        types: Name of the table of token types, where there is one.
    """

    prefixes: tuple[str, ...]
    attention: tuple[str, str, str, str]
    attention_norm: str
    first_position: int = 0
    relative: str = ""
    types: str = "embeddings.token_type_embeddings"


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
    types="",
)
ARCHITECTURES = {"bert": _BERT, "roberta": _ROBERTA, "xlm-roberta": _ROBERTA, "mpnet": _MPNET}


def load(folder: Path, *, pooling: str = "mean") -> Encoder:
    """Load an encoder from a folder with ``config.json`` and ``model.safetensors``.

    Weights of half precision become float32; those of a pooler or a task's head are left out.

    Args:
        folder: Where the two files are.
        pooling: ``"mean"`` or ``"cls"``, as the backbone's card says.

    Returns:
        The encoder in float32, in evaluation mode, nothing requiring a gradient.

    Raises:
        BackboneError: PF304 where a file is missing or cannot be read, the architecture is not
            one of `ARCHITECTURES` or would be computed otherwise than its config says, or a
            weight is missing or of another size.
        MachineError: PF803 where safetensors is not installed.
    """
    require_files(folder)
    config = ModelConfig.read(folder / "config.json")
    architecture = _architecture(config)
    shape = _shape(config, architecture)
    n_types = config.size("type_vocab_size") if architecture.types else 0
    weights = _weights(folder / "model.safetensors", architecture)
    refuse_misfits(weights, _wanted(architecture, shape, n_types), folder / "model.safetensors")
    encoder = Encoder(shape, pooling=pooling)
    encoder.load_state_dict(_translate(weights, architecture, shape))
    return encoder.eval().requires_grad_(False)


def _shape(config: ModelConfig, architecture: Architecture) -> EncoderShape:
    width, heads = config.size("hidden_size"), config.size("num_attention_heads")
    if width % heads:
        raise config.refusal(f"hidden_size {width} and {heads} heads", "a whole width for each")
    relative = architecture.relative
    return EncoderShape(
        vocabulary=config.size("vocab_size"),
        width=width,
        layers=config.size("num_hidden_layers"),
        heads=heads,
        inner=config.size("intermediate_size"),
        positions=config.size("max_position_embeddings"),
        first_position=architecture.first_position,
        norm_eps=config.number("layer_norm_eps", 1e-12),
        relative_buckets=config.size("relative_attention_num_buckets", 32) if relative else 0,
    )


def _architecture(config: ModelConfig) -> Architecture:
    """The table for a config's ``model_type``, where it means what is computed here."""
    name = config.content.get("model_type")
    architecture = ARCHITECTURES.get(name) if isinstance(name, str) else None
    if architecture is None:
        families = f"one of {', '.join(sorted(ARCHITECTURES))}"
        if "model_type" not in config.content:
            raise config.refusal("'model_type' is missing", families)
        raise config.refusal(f"model_type {name!r} cannot be adapted", families)
    meant: dict[str, Any] = {
        "hidden_act": "gelu",
        "position_embedding_type": "absolute",
        "is_decoder": False,
    }
    if architecture.first_position:  # positions begin after that of the padding
        meant["pad_token_id"] = architecture.first_position - 1
    config.require_meant(meant)
    return architecture


def _weights(file: Path, architecture: Architecture) -> dict[str, torch.Tensor]:
    """All tensors by their names without the family's prefix."""
    weights = read_tensors(file)
    words = "embeddings.word_embeddings.weight"
    prefix = next((p for p in architecture.prefixes if f"{p}{words}" in weights), "")
    return {_modern(name.removeprefix(prefix)): tensor for name, tensor in weights.items()}


def _modern(name: str) -> str:
    """Old files name a normalisation's weight and bias as TensorFlow did."""
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace(
        "LayerNorm.beta", "LayerNorm.bias"
    )


def layer_parts(architecture: Architecture) -> dict[str, str]:
    """Names inside a layer, theirs by ours, but for queries, keys and values.

    Example:
        >>> layer_parts(ARCHITECTURES["bert"])["up"]
        'intermediate.dense'
    """
    return {
        "out": architecture.attention[-1],
        "attention_norm": architecture.attention_norm,
        "up": "intermediate.dense",
        "down": "output.dense",
        "norm": "output.LayerNorm",
    }


def _wanted(
    architecture: Architecture, shape: EncoderShape, n_types: int
) -> dict[str, tuple[int, ...]]:
    """Sizes of all weights that a file must hold, by the names there."""
    width = shape.width
    wanted: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (shape.vocabulary, width),
        "embeddings.position_embeddings.weight": (shape.positions, width),
        "embeddings.LayerNorm.weight": (width,),
        "embeddings.LayerNorm.bias": (width,),
    }
    if architecture.types:
        wanted[f"{architecture.types}.weight"] = (n_types, width)
    if architecture.relative:
        wanted[f"{architecture.relative}.weight"] = (shape.relative_buckets, shape.heads)
    parts = layer_parts(architecture)
    matrices = dict.fromkeys(architecture.attention, (width, width))
    matrices |= {parts["up"]: (shape.inner, width), parts["down"]: (width, shape.inner)}
    for index in range(shape.layers):
        layer = f"encoder.layer.{index}."
        for name, size in matrices.items():
            wanted |= {f"{layer}{name}.weight": size, f"{layer}{name}.bias": size[:1]}
        for name in (parts["attention_norm"], parts["norm"]):
            wanted |= {f"{layer}{name}.weight": (width,), f"{layer}{name}.bias": (width,)}
    return wanted


def _translate(
    weights: dict[str, torch.Tensor], architecture: Architecture, shape: EncoderShape
) -> dict[str, torch.Tensor]:
    """The weights by our names, in float32."""

    def get(name: str) -> torch.Tensor:
        return weights[name].float()

    positions = get("embeddings.position_embeddings.weight")
    if architecture.types:  # every text is of type 0, so its vector belongs to the position
        positions = positions + get(f"{architecture.types}.weight")[0]
    ours = {
        "words.weight": get("embeddings.word_embeddings.weight"),
        "positions.weight": positions,
        "embedding_norm.weight": get("embeddings.LayerNorm.weight"),
        "embedding_norm.bias": get("embeddings.LayerNorm.bias"),
    }
    if architecture.relative:
        ours["relative.weight"] = get(f"{architecture.relative}.weight")
    queries_keys_values = architecture.attention[:3]
    for index in range(shape.layers):
        for part in ("weight", "bias"):
            layer = f"encoder.layer.{index}."
            ours[f"layers.{index}.qkv.{part}"] = torch.cat(
                [get(f"{layer}{name}.{part}") for name in queries_keys_values]
            )
            for name, theirs in layer_parts(architecture).items():
                ours[f"layers.{index}.{name}.{part}"] = get(f"{layer}{theirs}.{part}")
    return ours
