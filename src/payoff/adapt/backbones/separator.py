"""What a tokenizer puts between the two texts of a pair."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_WITHOUT = "\n"  # where a tokenizer has no tokens for it: what separates texts for a reader


def separator_of(tokenizer: Tokenizer) -> str:
    """The text of the special tokens between two texts, such as ``"[SEP]"`` or ``"</s></s>"``.

    Where the tokenizer knows no pairs, those that end a single text; where it adds none, a line
    break.

    Args:
        tokenizer: With truncation off, or to a few tokens at least.
    """
    pair = tokenizer.encode("a", "b")
    owners = pair.sequence_ids
    if 0 in owners and 1 in owners:
        last = len(owners) - 1 - owners[::-1].index(0)
        between = pair.tokens[last + 1 : owners.index(1)]
        if between:
            return "".join(between)
    single = tokenizer.encode("a")
    owners = single.sequence_ids
    last = len(owners) - 1 - owners[::-1].index(0) if 0 in owners else len(owners) - 1
    return "".join(single.tokens[last + 1 :]) or _WITHOUT
