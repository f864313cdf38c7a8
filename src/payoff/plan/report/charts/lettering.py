"""Words in pictures: how wide they are, how they are cut, and how they reach the SVG unread.

Labels come from users: they may be Chinese, hostile, or twice the same. So the drawing engine
never sees them: it draws stand-ins of the same width, and the words are put back, escaped, when
the drawing is done. It then needs no Chinese font either, nor the time to look for one.
"""

from __future__ import annotations

import html
import re
import unicodedata

_NARROW = frozenset("iljtfrI.,:;'|!()[] ")
_WIDE = frozenset("mwMW@%")
_STAND_IN = re.compile("¦([0-9]+)¬*¦")


def width_em(text: str) -> float:
    """About how wide a text is, in units of its font size.

    Example:
        >>> width_em("退款"), width_em("refund")
        (2.0, 2.76)
    """
    return round(sum(_character_em(character) for character in text), 2)


def _character_em(character: str) -> float:
    if unicodedata.combining(character):
        return 0.0
    if unicodedata.east_asian_width(character) in "WF":
        return 1.0
    if character in _NARROW:
        return 0.3
    return 0.85 if character in _WIDE else 0.66 if character.isupper() else 0.54


def cut(text: str, limit_em: float) -> str:
    """The text, or as much of its beginning and end as fits, joined by an ellipsis.

    Labels often differ only at their end, so the end is kept too.

    Example:
        >>> cut("cash_withdrawal_not_recognised", 9), cut("refund", 9)
        ('cash_with…gnised', 'refund')
    """
    if width_em(text) <= limit_em:
        return text
    head, tail = text, text
    while head and width_em(head) > (limit_em - 1) * 0.62:
        head = head[:-1]
    while tail and width_em(tail) > (limit_em - 1) * 0.38:
        tail = tail[1:]
    return f"{head.rstrip()}…{tail.lstrip()}"


def clean(text: str) -> str:
    r"""One line without control characters, which SVG cannot hold.

    Example:
        >>> clean("a\x00b\nc")
        'a b c'
    """
    kept = "".join(" " if unicodedata.category(c) in ("Cc", "Cn", "Cs") else c for c in text)
    return " ".join(kept.split())


class Lettering:
    """The words of one picture and their stand-ins.

    Example:
        >>> words = Lettering()
        >>> words.restore(f"<text>{words.put('<b> 退款')}</text>")
        '<text>&lt;b&gt; 退款</text>'
    """

    def __init__(self) -> None:
        self._texts: list[str] = []

    def put(self, text: str, limit_em: float = 60.0) -> str:
        """A stand-in for a text, cut to ``limit_em``; every call gives another one."""
        shown = cut(clean(text), limit_em)
        self._texts.append(shown)
        index = str(len(self._texts) - 1)
        padding = max(0, round((width_em(shown) - 0.52 - 0.556 * len(index)) / 0.584))
        return f"¦{index}{'¬' * padding}¦"

    def restore(self, svg: str) -> str:
        """The drawing with the words, escaped, in place of their stand-ins."""
        return _STAND_IN.sub(lambda found: html.escape(self._texts[int(found[1])]), svg)
