"""Texts made up from those at hand, for a teacher to label: a student learns from more of them.

Jiao et al. 2020, "TinyBERT", section 3 and table 5: a small student gains much from altered texts
that its teacher labels. There words are exchanged; here a text goes on as another one does, at a
word that both have, so that nothing but the texts is needed, in any language.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

_UNITS = re.compile(r"\s*(?:[\u3400-\u9fff]|[^\s\u3400-\u9fff]+)")  # with what stands before
_TURN = 0.2  # chance, at each word, to go on as another text does
_LONGEST = 1.5  # times the text that it starts as


def made_up(texts: Sequence[str], n: int, *, seed: int) -> tuple[str, ...]:
    """New texts, each begun as one of ``texts`` and continued as others.

    Args:
        texts: What they are made from; Chinese characters count as words.
        n: How many to try. Those that are one of ``texts``, or come twice, are left out.
        seed: Of all chance.

    Returns:
        At most ``n``; none where no two texts share a word.

    Example:
        >>> sorted(made_up(["where is my card", "I lost my phone"], 100, seed=0))
        ['I lost my card', 'where is my phone']
    """
    rng = np.random.default_rng(seed)
    words = [_UNITS.findall(text) for text in texts]
    places: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for text, units in enumerate(words):
        for place, unit in enumerate(units):
            places[unit.strip().lower()].append((text, place))
    found: dict[str, None] = {}
    order = [rng.permutation(len(texts)) for _ in range(-(-n // max(1, len(texts))))]
    for first in np.concatenate(order)[:n] if order else ():
        text, place = int(first), 0
        made: list[str] = []
        longest = _LONGEST * len(words[text])
        while place < len(words[text]) and len(made) < longest:
            made.append(words[text][place])
            if rng.random() < _TURN:
                same = places[words[text][place].strip().lower()]
                text, place = same[rng.integers(len(same))]
            place += 1
        found["".join(made).strip()] = None
    for text_at_hand in texts:
        found.pop(text_at_hand.strip(), None)
    found.pop("", None)
    return tuple(found)
