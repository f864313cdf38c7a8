"""What payoff knows of Llama's files: names of weights and entries of its config.

A decoder's folder holds ``config.json``, ``model.safetensors`` and ``tokenizer.json``, as
``save_pretrained`` writes them for a `LlamaForCausalLM` with a tied table.
"""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

import torch

from payoff.adapt.engine.decoder import Decoder, DecoderShape
from payoff.adapt.engine.model_config import ModelConfig
from payoff.adapt.engine.model_weights import read_tensors, refuse_misfits, require_files

LAYER_PARTS = MappingProxyType(
    {
        "query": "self_attn.q_proj",
        "key": "self_attn.k_proj",
        "value": "self_attn.v_proj",
        "out": "self_attn.o_proj",
        "gate": "mlp.gate_proj",
        "up": "mlp.up_proj",
        "down": "mlp.down_proj",
        "attention_norm": "input_layernorm",
        "norm": "post_attention_layernorm",
    }
)
"""Names inside a layer, theirs by ours."""

_MEANT = {
    "model_type": "llama",
    "hidden_act": "silu",
    "attention_bias": False,
    "mlp_bias": False,
    "rope_scaling": None,
}


def load_decoder(folder: Path) -> Decoder:
    """Load a decoder from a folder with ``config.json`` and ``model.safetensors``.

    Weights of half precision become float32.

    Args:
        folder: Where the two files are.

    Returns:
        The decoder in float32, in evaluation mode, nothing requiring a gradient.

    Raises:
        BackboneError: PF304 where a file is missing or cannot be read, where its config says
            something that is not computed here, or where a weight is missing or of another size.
        MachineError: PF803 where safetensors is not installed.
    """
    require_files(folder)
    config = ModelConfig.read(folder / "config.json")
    shape = _shape(config)
    file = folder / "model.safetensors"
    weights = read_tensors(file)
    tied = weights.pop("lm_head.weight", None)
    words = weights.get("model.embed_tokens.weight")
    if tied is not None and words is not None and not torch.equal(tied, words):
        raise config.refusal("lm_head.weight is another table than that of the words", "one table")
    refuse_misfits(weights, _wanted(shape), file)
    with torch.device("meta"):  # nothing is initialised that is overwritten at once
        decoder = Decoder(shape)
    ours = {name: weights[theirs].float() for name, theirs in weight_names(shape).items()}
    decoder.load_state_dict(ours, assign=True)
    return decoder.eval().requires_grad_(False)


def weight_names(shape: DecoderShape) -> dict[str, str]:
    """The file's name of each weight, by ours.

    Example:
        >>> names = weight_names(DecoderShape(8, 4, 1, 2, 1, 4, 1e-5, 1e4, 16))
        >>> names["layers.0.gate.weight"]
        'model.layers.0.mlp.gate_proj.weight'
    """
    layers = {
        f"layers.{index}.{ours}.weight": f"model.layers.{index}.{theirs}.weight"
        for index in range(shape.layers)
        for ours, theirs in LAYER_PARTS.items()
    }
    ends = {"words.weight": "model.embed_tokens.weight", "norm.weight": "model.norm.weight"}
    return ends | layers


def _shape(config: ModelConfig) -> DecoderShape:
    content = config.content
    if "model_type" not in content:
        raise config.refusal("'model_type' is missing", "'llama'")
    config.require_meant(_MEANT)
    if not content.get("tie_word_embeddings", False):
        raise config.refusal("tie_word_embeddings is not true", "one table for words and scores")
    width, heads = config.size("hidden_size"), config.size("num_attention_heads")
    key_heads = config.size("num_key_value_heads", heads)
    if width % heads or heads % key_heads or width // heads % 2:
        found = f"hidden_size {width}, {heads} heads and {key_heads} of keys"
        raise config.refusal(found, "an even width for each head, and as many heads for each key")
    if config.size("head_dim", width // heads) != width // heads:
        raise config.refusal(f"head_dim is {content['head_dim']}", str(width // heads))
    return DecoderShape(
        vocabulary=config.size("vocab_size"),
        width=width,
        layers=config.size("num_hidden_layers"),
        heads=heads,
        key_heads=key_heads,
        inner=config.size("intermediate_size"),
        norm_eps=config.number("rms_norm_eps", 1e-6),
        rope_base=_rope_base(config),
        positions=config.size("max_position_embeddings"),
    )


def _rope_base(config: ModelConfig) -> float:
    """The rotation's base; newer files keep it in an object of its own."""
    rotation = config.content.get("rope_parameters")
    if rotation is None:
        base = config.number("rope_theta", 10000.0)
    elif isinstance(rotation, dict):
        inner = ModelConfig(rotation, config.file)
        inner.require_meant({"rope_type": "default", "partial_rotary_factor": 1.0})
        base = inner.number("rope_theta", 10000.0)
    else:
        raise config.refusal(f"rope_parameters is {rotation!r}", "an object")
    if not base > 1:
        raise config.refusal(f"rope_theta is {base!r}", "a number above 1")
    return base


def _wanted(shape: DecoderShape) -> dict[str, tuple[int, ...]]:
    """Sizes of all weights that a file must hold, by the names there."""
    width, keys = shape.width, shape.key_heads * shape.head_width
    sizes: dict[str, tuple[int, ...]] = {
        "query": (width, width),
        "key": (keys, width),
        "value": (keys, width),
        "out": (width, width),
        "gate": (shape.inner, width),
        "up": (shape.inner, width),
        "down": (width, shape.inner),
        "words": (shape.vocabulary, width),
    }
    return {
        theirs: sizes.get(ours.split(".")[-2], (width,))
        for ours, theirs in weight_names(shape).items()
    }
