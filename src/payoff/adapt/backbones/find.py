"""A backbone by its name: in the catalogue, in a folder of the user's, or on a hub."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from payoff.adapt.backbones.backbone import Backbone, catalogue
from payoff.adapt.backbones.weights_file import count_parameters
from payoff.core.errors import BackboneError, did_you_mean

_HUB_ID = re.compile(r"hf:(?P<id>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?", re.ASCII)


def find(name: str) -> Backbone:
    """Describe a backbone without downloading or loading it.

    Args:
        name: A name of the catalogue (``"minilm-l6"``), ``"hf:owner/name"`` with an optional
            ``@revision``, or the path of a folder with ``config.json``, ``model.safetensors``
            and ``tokenizer.json``.

    Raises:
        BackboneError: PF301 where there is none of that name, PF304 where a folder lacks a file.

    Example:
        >>> find("minilm-l6").n_layers, find("hf:BAAI/bge-small-en-v1.5@main").revision
        (6, 'main')
        >>> find("minilm-6")
        Traceback (most recent call last):
        ...
        payoff.core.errors.BackboneError: PF301 backbone 'minilm-6': there is none of that name\
 (expected one of minilm-l6, mpnet-base, e5-small-multi, wordllama-256, smollm2-135m; a\
 folder; or hf:owner/name). Did you mean 'minilm-l6'?
    """
    known = catalogue()
    if name in known:
        return known[name]
    if match := _HUB_ID.fullmatch(name):
        return _on_hub(name, match["id"], match["revision"] or "")
    folder = Path(name).expanduser()
    if folder.is_dir():
        return describe_folder(folder, name)
    raise BackboneError(
        "PF301",
        f"backbone '{name}'",
        "there is none of that name",
        expected=f"one of {', '.join(known)}; a folder; or hf:owner/name",
        mend=did_you_mean(name, known),
    )


def describe_folder(folder: Path, name: str = "") -> Backbone:
    """Read what a folder says of itself: its config, pooling, limits and number of weights.

    Sentence-transformers' ``1_Pooling/config.json`` (else: mean pooling), its limit of tokens
    and its default prompt are read where they are there; a folder that payoff laid says all in
    ``payoff.json``.

    Raises:
        BackboneError: PF304 where a file is missing or cannot be read, or where its vectors are
            pooled in a way that payoff does not know.
    """
    laid = _json(folder / "payoff.json")
    static = (folder / "table.safetensors").is_file()
    weights = "table.safetensors" if static else "model.safetensors"
    for needed in ("tokenizer.json", weights, *(() if static else ("config.json",))):
        if not (folder / needed).is_file():
            raise BackboneError(
                "PF304",
                str(folder),
                f"it has no {needed}",
                expected="config.json, model.safetensors and tokenizer.json",
                mend="Save the model with save_pretrained(…) and a fast tokenizer.",
            )
    config = _json(folder / "config.json")
    limit = _json(folder / "sentence_bert_config.json").get("max_seq_length")
    return Backbone(
        name or str(folder),
        "static" if static else _family(config),
        "plain",
        title=laid.get("title") or folder.name,
        upstream=laid.get("upstream", ""),
        licence=laid.get("licence", "not stated"),
        languages=laid.get("languages", "not stated"),
        n_parameters=count_parameters(folder / weights),
        width=laid.get("width") or config.get("hidden_size", 0),
        n_layers=laid.get("n_layers") or config.get("num_hidden_layers", 0),
        max_tokens=laid.get("max_tokens") or limit or _positions(config),
        pooling=laid.get("pooling") or _pooling(folder),
        prefix=laid["prefix"] if "prefix" in laid else _prefix(folder),
        laid_file=weights,
        laid_bytes=(folder / weights).stat().st_size,
        folder=folder,
    )


def _on_hub(name: str, hub_id: str, revision: str) -> Backbone:
    """A hub's backbone; one that was laid before says more of itself."""
    blank = Backbone(name, "encoder", "hub", upstream=hub_id, revision=revision)
    if not (blank.path / "payoff.json").is_file():
        return blank
    described = describe_folder(blank.path, name)
    return replace(described, format="hub", upstream=hub_id, revision=revision, folder=None)


def _family(config: dict[str, Any]) -> Literal["encoder", "decoder"]:
    """What a config describes; an architecture that payoff does not know is refused on loading."""
    return "decoder" if config.get("model_type") == "llama" else "encoder"


def _pooling(folder: Path) -> Literal["mean", "cls"]:
    path = folder / "1_Pooling" / "config.json"
    said = _json(path)
    modes = [key.removeprefix("pooling_mode_") for key, value in said.items() if value is True]
    modes = [said["pooling_mode"]] if "pooling_mode" in said else modes
    known = [mode.removesuffix("_tokens").removesuffix("_token") for mode in modes]
    known = [mode for mode in known if mode != "include_prompt"]
    if known in ([], ["mean"]):
        return "mean"
    if known == ["cls"]:
        return "cls"
    raise BackboneError("PF304", str(path), f"pooling by {', '.join(known)}", expected="mean, cls")


def _prefix(folder: Path) -> str:
    said = _json(folder / "config_sentence_transformers.json")
    prompts = said.get("prompts") or {}
    return str(prompts.get(said.get("default_prompt_name"), ""))


def _positions(config: dict[str, Any]) -> int:
    """Longest text of a config; RoBERTa and MPNet keep positions for the padding too."""
    positions = int(config.get("max_position_embeddings", 512))
    shifted = config.get("model_type") in ("roberta", "xlm-roberta", "camembert", "mpnet")
    return positions - 2 if shifted else positions


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise BackboneError("PF304", str(path), f"it is no JSON ({error})") from error
    return content if isinstance(content, dict) else {}
