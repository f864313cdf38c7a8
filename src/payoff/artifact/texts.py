"""What a text must be, told in one place so that every door refuses the same ones."""

from __future__ import annotations

from collections.abc import Sequence

from payoff.core.errors import DataError

MAX_TEXT_BYTES = 1_000_000
"""Longest text in UTF-8 bytes: far beyond any request, far below what could stall a service."""


def check_text(text: str, where: str = "text", *, max_bytes: int = MAX_TEXT_BYTES) -> None:
    r"""Refuse a text that cannot be used as it stands; nothing is ever mended silently.

    Args:
        text: The text as the user gave it. An empty one is allowed here.
        where: How the user would name it, such as ``"text 3"``.
        max_bytes: Longest text, in UTF-8 bytes.

    Raises:
        DataError: PF105 for what is no string, holds NUL, is no Unicode, or is too long.

    Example:
        >>> check_text("退款")
        >>> check_text("a\0b")
        Traceback (most recent call last):
        ...
        payoff.core.errors.DataError: PF105 text: it holds a NUL at position 1. Remove it.
    """
    if not isinstance(text, str):
        raise DataError("PF105", where, f"it is {type(text).__name__}", expected="a string")
    if text.isascii():
        n_bytes = len(text)
    else:
        try:
            n_bytes = len(text.encode("utf-8"))
        except UnicodeEncodeError as error:
            raise DataError(
                "PF105",
                where,
                f"it holds half a surrogate pair at position {error.start}",
                expected="valid Unicode",
                mend="Read the source in its right encoding.",
            ) from error
    if n_bytes > max_bytes:
        raise DataError(
            "PF105", where, f"it has {n_bytes:,} bytes", expected=f"at most {max_bytes:,}"
        )
    if "\0" in text:
        at = text.index("\0")
        raise DataError("PF105", where, f"it holds a NUL at position {at}", mend="Remove it.")


def check_texts(texts: Sequence[str], *, max_bytes: int = MAX_TEXT_BYTES) -> None:
    """`check_text` for each of ``(n_texts,)``, counted from 1 in errors.

    Raises:
        DataError: PF105, for the first text that is unusable or where ``texts`` is one string.

    Example:
        >>> check_texts(["where is my card?", "退款"])
    """
    if isinstance(texts, (str, bytes)):
        raise DataError(
            "PF105", "texts", "it is one string", expected="a list of strings", mend="Put it in []."
        )
    for number, text in enumerate(texts, 1):
        check_text(text, f"text {number}", max_bytes=max_bytes)


def check_request(text: str, where: str = "text", *, max_bytes: int = MAX_TEXT_BYTES) -> None:
    """`check_text` for a text to decide on, which must also say something.

    Raises:
        DataError: PF105, also where the text is empty or only white space.

    Example:
        >>> check_request("  ")
        Traceback (most recent call last):
        ...
        payoff.core.errors.DataError: PF105 text: it is empty (expected a text to decide on).
    """
    check_text(text, where, max_bytes=max_bytes)
    if not text or text.isspace():
        raise DataError("PF105", where, "it is empty", expected="a text to decide on")
