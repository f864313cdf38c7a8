"""Tags of tokens, and the entities that a valid sequence of them spells.

The tags are BIO, one set a label: ``B-X`` begins an entity, ``I-X`` goes on with it, ``O`` is
outside of all. BILOU has twice as many tags to learn from the same examples, and what it adds,
where an entity ends, follows here from the next tag. Every sub-word token has a tag of its own, so
that Chinese needs no words; where entities are whole words, a token that goes on with a word goes
on with what the word began.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
_WITHOUT_SPACES = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
    r"\U00020000-\U0003ffff]"
)
OUTSIDE = 0
"""Index of the tag ``O``."""


@dataclass(frozen=True, slots=True)
class Entity:
    """Something that a text names.

    Args:
        start: First character in the text.
        end: Character behind the last.
        label: What kind of thing it is.
        text: The characters themselves.
        probability: Of the least sure of its tokens: the probability of that token's tag.
    """

    start: int
    end: int
    label: str
    text: str
    probability: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "start": self.start,
            "end": self.end,
            "label": self.label,
            "text": self.text,
            "probability": self.probability,
        }


def tag_names(labels: Sequence[str]) -> tuple[str, ...]:
    """The tags of some labels, in the order of a model's columns.

    Example:
        >>> tag_names(["DATE", "ORDER"])
        ('O', 'B-DATE', 'I-DATE', 'B-ORDER', 'I-ORDER')
    """
    return ("O", *(f"{sign}-{label}" for label in labels for sign in "BI"))


def within_word(text: str, place: int) -> bool:
    """Whether the characters before and behind a place belong to one word.

    Letters and digits do, but for those of scripts that put no spaces between words.

    Example:
        >>> within_word("ab-c", 1), within_word("ab-c", 2), within_word("退款", 1)
        (True, False, False)
    """
    return 0 < place < len(text) and all(
        char.isalnum() and not _WITHOUT_SPACES.match(char) for char in text[place - 1 : place + 1]
    )


def best_tags(
    log_probabilities: npt.NDArray[Any], joined: npt.NDArray[np.bool_] | None = None
) -> Ints:
    """The most probable sequence in which every ``I-X`` follows ``B-X`` or ``I-X``.

    Viterbi's algorithm with transitions that are possible or not, and no others: where the most
    probable tags of all tokens are a valid sequence by themselves, they are the answer.

    Args:
        log_probabilities: Of the tags of a text's tokens in order, ``(n_tokens, n_tags)``.
        joined: Tokens that begin nothing and end nothing, since they go on with the word of the
            token before, ``(n_tokens,)``; none of them where not given.

    Returns:
        Index of each token's tag, ``(n_tokens,)``.

    Example:
        >>> p = np.array([[0.5, 0.1, 0.4], [0.1, 0.1, 0.8]])
        >>> best_tags(np.log(p)).tolist()  # O I is no sequence, and O O would be worse than B I
        [1, 2]
    """
    alone = log_probabilities.argmax(axis=1)
    before = np.concatenate([[OUTSIDE], alone[:-1]])
    goes_on = (alone > OUTSIDE) & (alone % 2 == 0)
    wrong = goes_on & (before != alone) & (before != alone - 1)
    if joined is None:
        joined = np.zeros(len(alone), bool)
    wrong |= joined & ~goes_on & ((alone != OUTSIDE) | (before != OUTSIDE))
    if not wrong.any():
        found: Ints = alone.astype(np.int64)
        return found
    return _viterbi(np.asarray(log_probabilities, dtype=np.float64), joined)


def _viterbi(scores: npt.NDArray[np.float64], joined: npt.NDArray[np.bool_]) -> Ints:
    n, n_tags = scores.shape
    begins, goes_on = np.arange(1, n_tags, 2), np.arange(2, n_tags, 2)
    origin = np.zeros((n, n_tags), np.int64)
    total = scores[0].copy()
    total[goes_on] = -np.inf
    for token in range(1, n):
        origin[token] = total.argmax()
        reached = np.full(n_tags, -np.inf if joined[token] else total.max())
        if joined[token]:
            origin[token], reached[OUTSIDE] = OUTSIDE, total[OUTSIDE]
        from_begin = total[begins] >= total[goes_on]
        origin[token, goes_on] = np.where(from_begin, begins, goes_on)
        reached[goes_on] = np.where(from_begin, total[begins], total[goes_on])
        total = reached + scores[token]
    tags = np.empty(n, np.int64)
    tags[-1] = total.argmax()
    for token in range(n - 1, 0, -1):
        tags[token - 1] = origin[token, tags[token]]
    return tags


def spell(
    text: str,
    places: Ints,
    logits: npt.NDArray[Any],
    labels: Sequence[str],
    *,
    whole_words: bool = False,
) -> list[Entity]:
    """The entities of one text, in order and without overlap.

    Args:
        text: The text.
        places: Characters of each token that counts, in order, ``(n_tokens, 2)``.
        logits: Scores of the tags, ``(n_tokens, 1 + 2 n_labels)``.
        labels: In the order of the tags.
        whole_words: No entity begins or ends within a word.

    Example:
        >>> places = np.array([[0, 5], [6, 9], [9, 12]])
        >>> logits = np.array([[9.0, 0, 0], [0, 9, 0], [0, 0, 9]])
        >>> [(e.text, e.label) for e in spell("order AB-123", places, logits, ["ORDER"])]
        [('AB-123', 'ORDER')]
    """
    if not len(places):
        return []
    log_p = log_softmax(logits)
    joined = None
    if whole_words:
        joined = np.array([within_word(text, place) for place in places[:, 0].tolist()])
        joined[0] = False
    tags = best_tags(log_p, joined)
    sure = np.exp(log_p[np.arange(len(tags)), tags])
    begins = np.flatnonzero(tags % 2 == 1)
    entities: list[Entity] = []
    behind = 0  # tokens of one character, as of bytes, must not make two entities of it
    for first in begins.tolist():
        last = first
        while last + 1 < len(tags) and tags[last + 1] == tags[first] + 1:
            last += 1
        start, end = max(behind, int(places[first, 0])), int(places[last, 1])
        if start >= end:
            continue
        behind = end
        probability = float(sure[first : last + 1].min())
        label = labels[(int(tags[first]) - 1) // 2]
        entities.append(Entity(start, end, label, text[start:end], probability))
    return entities


def log_softmax(logits: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Logarithms of the probabilities of each row.

    Example:
        >>> np.exp(log_softmax(np.array([[0.0, 0.0]]))).tolist()
        [[0.5, 0.5]]
    """
    shifted = np.asarray(logits, dtype=np.float64)
    shifted = shifted - shifted.max(axis=1, keepdims=True)
    found: npt.NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return found
