"""A backbone's tokenizer, loaded from a plain folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from payoff.core.errors import BackboneError

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def load_tokenizer(path: Path) -> Tokenizer:
    """Load a backbone's tokenizer with truncation and padding off.

    Args:
        path: Folder with ``tokenizer.json``, as `payoff.adapt.backbones.installation.ensure`
            returns it.

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
