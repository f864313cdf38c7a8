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

from payoff.adapt.backbones.weights_file import count_parameters
from payoff.adapt.engine.encoder import Encoder, EncoderShape
from payoff.core.errors import BackboneError
from payoff.core.extras import require


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
_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


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
    for needed in ("config.json", "model.safetensors"):
        if not (folder / needed).is_file():
            raise BackboneError("PF304", str(folder), f"it has no {needed}")
    config = _Config.read(folder / "config.json")
    architecture = _architecture(config)
    shape = config.shape(architecture)
    n_types = config.size("type_vocab_size") if architecture.types else 0
    weights = _weights(folder / "model.safetensors", architecture)
    _refuse_misfits(weights, _wanted(architecture, shape, n_types), folder / "model.safetensors")
    encoder = Encoder(shape, pooling=pooling)
    encoder.load_state_dict(_translate(weights, architecture, shape))
    return encoder.eval().requires_grad_(False)


@dataclass(frozen=True, slots=True)
class _Config:
    """A ``config.json``, whose entries are of the right kind or told with their names."""

    content: dict[str, Any]
    file: Path

    @classmethod
    def read(cls, file: Path) -> _Config:
        try:
            content = json.loads(file.read_text("utf-8"))
        except (ValueError, RecursionError) as error:
            raise BackboneError("PF304", str(file), f"it is no JSON ({error})") from error
        if not isinstance(content, dict):
            raise BackboneError("PF304", str(file), "it is no JSON object")
        return cls(content, file)

    def refusal(self, found: str, expected: str) -> BackboneError:
        return BackboneError("PF304", str(self.file), found, expected=expected)

    def size(self, key: str, default: int | None = None) -> int:
        value = self.content.get(key, default)
        if key not in self.content and default is None:
            raise self.refusal(f"'{key}' is missing", "a whole number above 0")
        if type(value) is not int or value < 1:
            raise self.refusal(f"{key} is {value!r}", "a whole number above 0")
        return value

    def shape(self, architecture: Architecture) -> EncoderShape:
        width, heads = self.size("hidden_size"), self.size("num_attention_heads")
        if width % heads:
            raise self.refusal(f"hidden_size {width} and {heads} heads", "a whole width for each")
        epsilon = self.content.get("layer_norm_eps", 1e-12)
        if type(epsilon) not in (int, float) or not epsilon >= 0:
            raise self.refusal(f"layer_norm_eps is {epsilon!r}", "a small number")
        relative = architecture.relative
        return EncoderShape(
            vocabulary=self.size("vocab_size"),
            width=width,
            layers=self.size("num_hidden_layers"),
            heads=heads,
            inner=self.size("intermediate_size"),
            positions=self.size("max_position_embeddings"),
            first_position=architecture.first_position,
            norm_eps=epsilon,
            relative_buckets=self.size("relative_attention_num_buckets", 32) if relative else 0,
        )


def _architecture(config: _Config) -> Architecture:
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
    for key, known in meant.items():
        if config.content.get(key, known) != known:
            raise config.refusal(f"{key} {config.content[key]!r} cannot be adapted", repr(known))
    return architecture


def _weights(file: Path, architecture: Architecture) -> dict[str, torch.Tensor]:
    """All tensors by their names without the family's prefix."""
    library = require("safetensors", "tune", "reading weights")
    read = require("safetensors.torch", "tune", "reading weights")
    count_parameters(file)  # refuses a cut file, and says what is wrong
    try:
        weights: dict[str, torch.Tensor] = read.load_file(file)
    except (library.SafetensorError, KeyError) as error:  # KeyError: a dtype of another library
        raise BackboneError("PF304", str(file), f"it is no safetensors file ({error})") from error
    words = "embeddings.word_embeddings.weight"
    prefix = next((p for p in architecture.prefixes if f"{p}{words}" in weights), "")
    return {_modern(name.removeprefix(prefix)): tensor for name, tensor in weights.items()}


def _modern(name: str) -> str:
    """Old files name a normalisation's weight and bias as TensorFlow did."""
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace(
        "LayerNorm.beta", "LayerNorm.bias"
    )


def _layer_parts(architecture: Architecture) -> dict[str, str]:
    """Names inside a layer, theirs by ours, but for queries, keys and values."""
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
    parts = _layer_parts(architecture)
    matrices = dict.fromkeys(architecture.attention, (width, width))
    matrices |= {parts["up"]: (shape.inner, width), parts["down"]: (width, shape.inner)}
    for index in range(shape.layers):
        layer = f"encoder.layer.{index}."
        for name, size in matrices.items():
            wanted |= {f"{layer}{name}.weight": size, f"{layer}{name}.bias": size[:1]}
        for name in (parts["attention_norm"], parts["norm"]):
            wanted |= {f"{layer}{name}.weight": (width,), f"{layer}{name}.bias": (width,)}
    return wanted


def _refuse_misfits(
    weights: dict[str, torch.Tensor], wanted: dict[str, tuple[int, ...]], file: Path
) -> None:
    """Raise where weights are missing, of another size, or no plain floats."""
    missing = [name for name in wanted if name not in weights]
    if missing:
        told = f"{len(missing)} weights of config.json are missing, such as {missing[0]}"
        raise BackboneError("PF304", str(file), f"a weight does not fit: {told}")
    other = [name for name, size in wanted.items() if tuple(weights[name].shape) != size]
    if other:
        name = other[0]
        told = f"{len(other)} are of another size than config.json says, such as {name}"
        raise BackboneError(
            "PF304",
            str(file),
            f"a weight does not fit: {told} with {tuple(weights[name].shape)}",
            expected=str(wanted[name]),
        )
    for name in wanted:
        if weights[name].dtype not in _FLOATS:
            raise BackboneError(
                "PF304",
                f"{file} {name}",
                f"its numbers are {str(weights[name].dtype).removeprefix('torch.')}",
                expected="plain floats; a quantised model cannot be adapted",
            )


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
            for name, theirs in _layer_parts(architecture).items():
                ours[f"layers.{index}.{name}.{part}"] = get(f"{layer}{theirs}.{part}")
    return ours
