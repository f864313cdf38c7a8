"""A tier's ``tokenizer.json``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from payoff.core.files import write_text

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def write_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """Write a tokenizer that neither cuts nor pads: whoever serves it decides that.

    Args:
        tokenizer: Its truncation and padding are taken off.
        folder: Of the tier.

    Raises:
        MachineError: PF801 where the disk is full.

    Example:
        >>> import tempfile
        >>> from tokenizers import Tokenizer, models
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_tokenizer(Tokenizer(models.WordLevel({"card": 0}, "card")), Path(folder))
        ...     Tokenizer.from_file(f"{folder}/tokenizer.json").encode("card").ids
        [0]
    """
    tokenizer.no_truncation()
    tokenizer.no_padding()
    # Not by its own `save`, which tells a full disk as a bare Exception.
    write_text(folder / "tokenizer.json", tokenizer.to_str(pretty=True))
