"""Known words: which words texts have held before, without keeping the words."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from payoff.core.errors import ServiceError
from payoff.data.segments.terms import terms_of
from payoff.learn.watching.window import Floats

_BITS = 1 << 17


@dataclass(frozen=True, slots=True)
class KnownWords:
    """A bitmap of keyed hashes of the words seen before; no word can be read from it.

    Terms are words, and 2- to 4-grams of characters where a script writes no spaces. About one
    unknown word in a hundred is taken for a known one where 1,300 are kept (Bloom 1970, with one
    hash).

    Args:
        bits: 2^17 of them, packed.
        key: What words are hashed with: the journal's salt.

    Example:
        >>> known = KnownWords.of(["I lost my card", "我的卡丢了"], key="salt")
        >>> known.unknown_shares(["lost card", "lost visa", "卡丢了"]).tolist()
        [0.0, 0.5, 0.0]
        >>> KnownWords.from_text(known.to_text(), key="salt") == known
        True
    """

    bits: bytes
    key: str

    @classmethod
    def of(cls, texts: Iterable[str], *, key: str) -> KnownWords:
        """The words of some texts."""
        held = np.zeros(_BITS, dtype=bool)
        seen: set[str] = set()
        for text in texts:
            seen.update(_words(text))
        held[[_place(word, key) for word in seen]] = True
        return cls(np.packbits(held).tobytes(), key)

    def unknown_shares(self, texts: Iterable[str]) -> Floats:
        """Share of each text's words that were not seen before, ``(n,)``; 0 where it has none."""
        held = np.unpackbits(np.frombuffer(self.bits, np.uint8)).astype(bool)
        places: dict[str, bool] = {}
        shares = []
        for text in texts:
            words = _words(text)
            for word in words:
                if word not in places:
                    places[word] = bool(held[_place(word, self.key)])
            unknown = sum(not places[word] for word in words)
            shares.append(unknown / len(words) if words else 0.0)
        return np.array(shares, dtype=np.float64)

    def to_text(self) -> str:
        """The bits, for JSON."""
        return base64.b64encode(self.bits).decode("ascii")

    @classmethod
    def from_text(cls, text: str, *, key: str) -> KnownWords:
        """What `to_text` gave.

        Raises:
            ServiceError: PF750 where it is something else.
        """
        try:
            bits = base64.b64decode(text, validate=True)
        except ValueError:
            bits = b""
        if len(bits) != _BITS // 8:
            raise ServiceError("PF750", "known words", f"{len(text)} characters", expected="a map")
        return cls(bits, key)


def _words(text: str) -> set[str]:
    """Terms of one word each."""
    return {term for term in terms_of(text) if " " not in term}


def _place(word: str, key: str) -> int:
    digest = hmac.digest(key.encode(), word.encode("utf-8", "surrogatepass"), "sha256")
    return int.from_bytes(digest[:4], "big") % _BITS
