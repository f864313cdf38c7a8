r"""Pairs of texts as one: what joins them until a tokenizer puts its own separator there.

A pair travels as ``first + "\x1f" + second`` (U+001F, the unit separator of ASCII). Whoever
tokenises puts the tokens there that the tokenizer has for it; n-grams see white space.
"""

from __future__ import annotations

from collections.abc import Sequence

from payoff.core.errors import DataError

SIGN = "\x1f"
"""Stands between the two texts of a pair; neither may hold it."""


def joined(first: str, second: str, where: str = "text") -> str:
    r"""Two texts as one.

    Raises:
        DataError: PF105 where one of them holds U+001F.

    Example:
        >>> joined("is it open?", "open until six")
        'is it open?\x1fopen until six'
    """
    for text in (first, second):
        if SIGN in text:
            raise DataError(
                "PF105",
                where,
                f"it holds U+001F at position {text.index(SIGN)}, which joins the texts of a pair",
                mend="Remove it.",
            )
    return first + SIGN + second


def joined_pairs(
    texts: Sequence[str], pairs: Sequence[str], model: str, *, reads_pairs: bool
) -> list[str]:
    r"""Each text with its second one, for a model that was trained on pairs.

    Args:
        texts: First texts, ``(n,)``.
        pairs: Second texts, ``(n,)``.
        model: What errors call the model.
        reads_pairs: Whether it was trained on pairs.

    Raises:
        DataError: PF105 where it was not, or a text holds U+001F; PF112 where there are more of
            one than of the other.

    Example:
        >>> joined_pairs(["is it open?"], ["until six"], "desk", reads_pairs=True)
        ['is it open?\x1funtil six']
    """
    if len(texts) != len(pairs):
        raise DataError("PF112", "pairs", f"{len(texts):,} texts and {len(pairs):,} second texts")
    if not reads_pairs:
        raise not_of_pairs(model)
    return [
        joined(first, second, f"text {number}")
        for number, (first, second) in enumerate(zip(texts, pairs, strict=True), 1)
    ]


def not_of_pairs(model: str) -> DataError:
    """The error where a model of single texts is given pairs.

    Example:
        >>> not_of_pairs("desk").code
        'PF105'
    """
    return DataError(
        "PF105",
        "pair",
        f"'{model}' was trained on single texts",
        mend="Leave the second text out, or train on pairs: --pair COLUMN.",
    )


def separated(texts: Sequence[str], separator: str) -> list[str]:
    r"""Texts with a tokenizer's separator and a space in place of U+001F.

    The space begins the second text as a new word for tokenizers that mark where words begin; the
    others drop it.

    Args:
        texts: Pairs or single texts.
        separator: Such as ``"[SEP]"``; empty leaves the texts as they are.

    Example:
        >>> separated(["a\x1fb", "c"], "[SEP]")
        ['a[SEP] b', 'c']
    """
    if not separator:
        return list(texts)
    return [text.replace(SIGN, f"{separator} ") for text in texts]
