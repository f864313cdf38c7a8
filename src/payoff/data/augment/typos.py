"""Typing errors: a neighbouring key, a letter left out, two letters in the wrong order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from payoff.data.augment.augmenter import check_share

if TYPE_CHECKING:
    import numpy as np

_ROWS = (("qwertyuiop", 0.0), ("asdfghjkl", 0.25), ("zxcvbnm", 0.75))
"""Letters of a keyboard, and how far each row stands to the right, in keys."""


def _neighbours() -> Mapping[str, str]:
    places = {
        letter: (column + offset, row)
        for row, (letters, offset) in enumerate(_ROWS)
        for column, letter in enumerate(letters)
    }
    return MappingProxyType(
        {
            letter: "".join(
                other
                for other, (right, down) in places.items()
                if other != letter and abs(down - row) <= 1 and abs(right - column) <= 1
            )
            for letter, (column, row) in places.items()
        }
    )


NEIGHBOURS = _neighbours()
"""Keys beside, above and below each letter of a QWERTY keyboard."""


@dataclass(frozen=True)
class Typos:
    """A few letters mistyped, as one types in a hurry.

    Digits, punctuation and spaces stay, since a wrong digit is another number. Letters without a
    known key, such as Chinese characters, are left out or change places; what one confuses in them
    by sound or shape would need a list of confusions. At least one letter of a text stays.

    Args:
        share: Edits over the letters of a text; at least one edit is made.

    Raises:
        DataError: PF113 where ``share`` is not above 0 and at most 1.

    Example:
        >>> import numpy as np
        >>> typed = Typos().augment(["card 4471 lost", "42"], np.random.default_rng(0))
        >>> "4471" in typed[0], typed[0] == "card 4471 lost", typed[1]
        (True, False, '42')
    """

    name = "typos"
    share: float = 0.05

    def __post_init__(self) -> None:
        check_share(self.name, self.share)

    def augment(self, texts: Sequence[str], rng: np.random.Generator) -> list[str]:
        """Each text with some typing errors."""
        return [self._mistyped(text, rng) for text in texts]

    def _mistyped(self, text: str, rng: np.random.Generator) -> str:
        characters = list(text)
        n_letters = sum(character.isalpha() for character in characters)
        for _ in range(max(1, round(self.share * n_letters))):
            places = [i for i, character in enumerate(characters) if character.isalpha()]
            if len(places) < 2:
                break
            _edit(characters, places[rng.integers(len(places))], rng)
        return "".join(characters)


def _edit(characters: list[str], place: int, rng: np.random.Generator) -> None:
    """One error at a letter, each kind that is possible there as likely."""
    letter = characters[place]
    following = characters[place + 1] if place + 1 < len(characters) else ""
    near = NEIGHBOURS.get(letter.lower(), "")
    kinds = ["leave out"]
    if near:
        kinds.append("hit a neighbour")
    if following.isalpha() and following != letter:
        kinds.append("change places")
    kind = kinds[rng.integers(len(kinds))]
    if kind == "leave out":
        del characters[place]
    elif kind == "hit a neighbour":
        hit = near[rng.integers(len(near))]
        characters[place] = hit.upper() if letter.isupper() else hit
    else:
        characters[place : place + 2] = [following, letter]
