"""Occlusion: which words of a text a decision hangs on, by leaving each of them out."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST_PIECES = 48
"""Texts that one explanation asks the model about, at most."""

_WRITTEN_ON = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af"
_PIECE = re.compile(rf"[{_WRITTEN_ON}]{{1,2}}|[^\s{_WRITTEN_ON}]+")
_BATCH = 16

Answer = Callable[[Sequence[str]], NDArray[np.float64]]
"""Probabilities of texts: ``(n_texts, n_labels)``."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text.

    Args:
        text: As it stands there, with what stands before it since the last one.
        change: Of the most probable label's probability when it is left out; None where it was
            not tried.
        strength: From 0 to 4: how large the change is beside the largest one.
    """

    text: str
    change: float | None
    strength: int


def occlusion(text: str, answer: Answer, *, most: int = MOST_PIECES) -> list[Piece]:
    """What leaving out each word changes.

    Source: Zeiler and Fergus 2014, "Visualizing and understanding convolutional networks", ECCV,
    section 4.2, applied to words.

    Words are what spaces separate; where none do, as in Chinese, runs of two characters. In a long
    text several neighbours are left out together.

    Args:
        text: The text.
        answer: Asks the model.
        most: Pieces at most.

    Returns:
        The text in its order, in pieces.

    Example:
        >>> def answer(texts):
        ...     p = np.array([0.9 if "refund" in text else 0.6 for text in texts])
        ...     return np.stack([p, 1 - p], axis=1)
        >>> [(one.text, round(one.change, 3)) for one in occlusion("a refund", answer)]
        [('a', 0.0), (' refund', -0.3)]
    """
    spans = _spans(text, most)
    if len(spans) < 2:
        return [Piece(text, None, 0)]
    others = [f"{text[:start]}{text[end:]}" for start, end in spans]
    good = [number for number, other in enumerate(others) if other.strip()]
    asked = [text, *(others[number] for number in good)]
    said = np.concatenate([answer(asked[i : i + _BATCH]) for i in range(0, len(asked), _BATCH)])
    top = int(said[0].argmax())
    changes = dict(zip(good, (said[1:, top] - said[0, top]).tolist(), strict=True))
    largest = max((abs(one) for one in changes.values()), default=0.0)
    made, last = [], 0
    for number, (_, end) in enumerate(spans):
        end = len(text) if number == len(spans) - 1 else end
        change = changes.get(number)
        strength = round(4 * abs(change) / largest) if change and largest > 1e-4 else 0
        made.append(Piece(text[last:end], change, strength))
        last = end
    return made


def _spans(text: str, most: int) -> list[tuple[int, int]]:
    """Where the pieces are; neighbours together where there are too many."""
    found = [match.span() for match in _PIECE.finditer(text)]
    size = -(-len(found) // most) if found else 1
    groups = [found[start : start + size] for start in range(0, len(found), size)]
    return [(group[0][0], group[-1][1]) for group in groups]
