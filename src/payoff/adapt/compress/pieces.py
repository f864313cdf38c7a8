"""Texts of the domain as the tokens that a tier is given when it is served."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from payoff.artifact.runtime.long_texts import cut_into_pieces
from payoff.artifact.tier import TierSpec

_TEXTS_AT_ONCE = 1000


def pieces_of(spec: TierSpec, folder: Path, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of every piece of these texts, cut as they are when they are served.

    Args:
        spec: A tier of the kind ``tokens``.
        folder: Has its ``tokenizer.json``.
        texts: Of the domain.

    Example:
        >>> pieces_of(spec, folder, ["where is my card?"])  # doctest: +SKIP
        [[101, 2073, 2003, 2026, 4003, 1029, 102]]
    """
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(spec.settings["max_tokens"])
    found: list[list[int]] = []
    for start in range(0, len(texts), _TEXTS_AT_ONCE):
        cut = cut_into_pieces(
            texts[start : start + _TEXTS_AT_ONCE],
            tokenizer,
            max_tokens=spec.settings["max_tokens"],
            max_pieces=spec.settings.get("max_pieces", 1),
            prefix=spec.settings.get("prefix", ""),
            separator=spec.settings.get("separator", ""),
        )
        found += cut.ids
    return found
