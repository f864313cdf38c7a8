"""A transformer encoder and its tokenizer, loaded from a plain folder."""

from __future__ import annotations

from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from payoff.adapt.backbones.weights_file import count_parameters
from payoff.core.errors import BackboneError
from payoff.core.extras import require

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer


def load_encoder(path: Path) -> torch.nn.Module:
    """Load an encoder in fp32, ready for inference, without any network.

    Args:
        path: Folder with ``config.json`` and ``model.safetensors``, as
            `payoff.adapt.backbones.installation.ensure` returns it.

    Returns:
        The transformers model without its pooler, in ``eval()`` mode, with SDPA attention where
        the architecture has it (MPNet has not).
        ``module(input_ids, attention_mask).last_hidden_state`` is ``(n_texts, n_tokens, width)``.

    Raises:
        BackboneError: PF304 where the folder lacks a file, its architecture is unknown to
            transformers, or weights are missing.
        MachineError: PF803 where torch or transformers is not installed.
    """
    transformers = require("transformers", "tune", "loading a transformer")
    read = require("safetensors.torch", "tune", "reading weights")
    for needed in ("config.json", "model.safetensors"):
        if not (path / needed).is_file():
            raise BackboneError("PF304", str(path), f"it has no {needed}")
    try:
        config = transformers.AutoConfig.from_pretrained(
            path, local_files_only=True, trust_remote_code=False
        )
        architecture = transformers.MODEL_MAPPING[type(config)]
        config._attn_implementation = "sdpa" if architecture._supports_sdpa else "eager"
    except (ValueError, KeyError, OSError) as error:
        raise BackboneError("PF304", str(path / "config.json"), str(error)) from error
    module = _without_pooler(architecture, config)
    count_parameters(path / "model.safetensors")  # refuses a cut file, and says what is wrong
    weights = read.load_file(path / "model.safetensors")
    _fill(module, {name: tensor.float() for name, tensor in weights.items()}, path)
    module.eval()
    return module


def load_tokenizer(path: Path) -> Tokenizer:
    """Load a backbone's tokenizer with truncation and padding off.

    Raises:
        BackboneError: PF304 where ``tokenizer.json`` is missing or cannot be read.
    """
    from tokenizers import Tokenizer

    file = path / "tokenizer.json"
    if not file.is_file():
        raise BackboneError("PF304", str(path), "it has no tokenizer.json")
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # tokenizers raises bare Exception
        raise BackboneError("PF304", str(file), f"it is no tokenizer ({error})") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _without_pooler(architecture: Any, config: Any) -> torch.nn.Module:
    """An empty module; architectures such as DistilBERT know no pooler to leave out."""
    wanted = signature(architecture.__init__).parameters
    options = {"add_pooling_layer": False} if "add_pooling_layer" in wanted else {}
    module: torch.nn.Module = architecture(config, **options)
    return module


def _fill(module: torch.nn.Module, weights: dict[str, torch.Tensor], path: Path) -> None:
    """Load weights by name; a task head's or a pooler's are left, missing ones are an error."""
    prefix = f"{getattr(module, 'base_model_prefix', '')}."
    known = {name.removeprefix(prefix): tensor for name, tensor in weights.items()}
    try:
        missing = module.load_state_dict(known, strict=False).missing_keys
    except RuntimeError as error:  # a shape that does not fit
        raise BackboneError("PF304", str(path / "model.safetensors"), str(error)) from error
    if missing:
        raise BackboneError(
            "PF304",
            str(path / "model.safetensors"),
            f"{len(missing)} weights of config.json are missing, such as {missing[0]}",
        )
