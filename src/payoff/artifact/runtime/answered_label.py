"""Which label an answer in words names, and how sure the model was of it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from payoff.artifact.runtime.label_schema import strict_label, value_tokens

_THOUGHTS = re.compile(r"<think>.*?(</think>|$)", re.DOTALL)
_QUOTED = re.compile(r"[\"'`*“‘「《]+([^\"'`*”’」》\n]+)[\"'`*”’」》]+")
_SURE = 0.9  # of the answered label, where the endpoint gives no probabilities
_ENOUGH = 0.5  # probability that must fall on labels for the endpoint's probabilities to be used


@dataclass(frozen=True, slots=True)
class AnswerToken:
    """One token of an answer.

    Args:
        token: Its characters.
        logprob: Natural logarithm of its probability.
        others: The most probable tokens of that place with theirs; may hold the token itself.
    """

    token: str
    logprob: float
    others: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What an endpoint answered, and what it counted.

    Args:
        text: The answer; empty where it gave none.
        tokens: Its tokens with probabilities; empty where the endpoint gives none.
        input_tokens: Tokens read; an upper bound where the endpoint counts none.
        output_tokens: Tokens written; likewise.
        metered: Whether the endpoint counted them.
        seconds: From the first try to the answer.
        strict: Whether the endpoint was held to a schema: what does not fit it is no answer.
    """

    text: str
    tokens: tuple[AnswerToken, ...] = ()
    input_tokens: int = 0
    output_tokens: int = 0
    metered: bool = True
    seconds: float = 0.0
    strict: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        tokens = [[one.token, one.logprob, [list(o) for o in one.others]] for one in self.tokens]
        return {
            "text": self.text,
            "tokens": tokens,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "metered": self.metered,
            "seconds": self.seconds,
            "strict": self.strict,
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Answer:
        """What `as_dict` gave."""
        tokens = tuple(
            AnswerToken(token, logprob, tuple((other, value) for other, value in others))
            for token, logprob, others in content["tokens"]
        )
        return cls(**{**content, "tokens": tokens})


def folded(text: str) -> str:
    """A text without case, space and punctuation, so that spellings of a label are alike.

    Example:
        >>> folded(" Card_arrival. "), folded("“退款”")
        ('cardarrival', '退款')
    """
    plain = unicodedata.normalize("NFKC", text).casefold()
    return "".join(character for character in plain if character.isalnum())


def named_label(text: str, labels: Sequence[str]) -> int | None:
    """The one label that an answer names; None where it names none or several.

    The answer as a whole, a line of it, what follows a colon, or what stands in quotation marks
    must be a label, but for case, space and punctuation. Thoughts in ``<think>`` do not count.

    Args:
        text: The answer.
        labels: The labels as the model was told them.

    Example:
        >>> labels = ["card arrival", "refund"]
        >>> named_label("Label: **Refund**.", labels), named_label("a refund or a card?", labels)
        (1, None)
    """
    text = _THOUGHTS.sub("", text)
    exact = [place for place, label in enumerate(labels) if label == text.strip()]
    if exact:
        return exact[0]
    keys = [folded(label) for label in labels]
    for pieces in _pieces(text):
        wanted = {folded(piece) for piece in pieces} - {""}
        found = [place for place, key in enumerate(keys) if key in wanted]
        if found:
            return found[0] if len(found) == 1 else None
    return None


def _pieces(text: str) -> Iterator[list[str]]:
    """What may be the label: from the whole answer to parts of it."""
    lines = text.splitlines()
    yield [text]
    yield lines
    yield [part for line in lines for part in re.split("[:：]", line)[1:]]
    yield _QUOTED.findall(text)


def label_logits(answer: Answer, labels: Sequence[str]) -> tuple[npt.NDArray[np.float32], bool]:
    """Logarithms of the labels' probabilities, and whether the answer named any label.

    With probabilities of tokens, each alternative to an answered token gives its probability to
    the labels that it would have begun, in equal parts; what falls on none is spread over all.
    Without, the answered label gets 0.9 and the others share the rest: how far such an answer
    can be trusted is for calibration on labelled rows to say. An answer that was held to a schema
    and does not fit it names no label, whatever its tokens.

    Args:
        answer: What the endpoint gave.
        labels: The labels as the model was told them, ``n_labels``.

    Returns:
        ``(n_labels,)``, uniform where no label is named, and whether one is.

    Example:
        >>> tokens = (AnswerToken("refund", -0.5, (("refund", -0.5), ("card", -1.5))),)
        >>> logits, _ = label_logits(Answer("refund", tokens), ["card arrival", "refund"])
        >>> [round(float(p), 2) for p in np.exp(logits)]
        [0.31, 0.69]
    """
    n_labels = len(labels)
    named = (strict_label if answer.strict else named_label)(answer.text, labels)
    if answer.strict and named is None:
        return np.full(n_labels, -np.log(n_labels), np.float32), False
    tokens = value_tokens(answer.tokens) if answer.strict else answer.tokens
    mass = _mass(tokens, [folded(label) for label in labels])
    if mass.sum() < _ENOUGH:
        if named is None:
            return np.full(n_labels, -np.log(n_labels), np.float32), False
        mass = np.zeros(n_labels)
        mass[named] = _SURE
    rest = max(1.0 - float(mass.sum()), 1e-6)
    probabilities = mass + rest / n_labels
    return np.log(probabilities / probabilities.sum()).astype(np.float32), True


def _mass(tokens: Sequence[AnswerToken], keys: Sequence[str]) -> npt.NDArray[np.float64]:
    """Probability that falls on each label, ``(n_labels,)``; sums to 1 at most."""
    mass = np.zeros(len(keys))
    said, probability = "", 1.0
    for place in tokens:
        for other, logprob in place.others:
            begun = _begun(said + other, keys)
            if other != place.token and begun:
                mass[begun] += probability * float(np.exp(min(0.0, logprob))) / len(begun)
        said += place.token
        probability *= float(np.exp(min(0.0, place.logprob)))
        begun = _begun(said, keys)
        if folded(said) and len(begun) <= 1:  # settled, or no label at all
            mass[begun] += probability
            return mass
    whole = [place for place, key in enumerate(keys) if key == folded(said)] or _begun(said, keys)
    if whole:
        mass[whole] += probability / len(whole)
    return mass


def _begun(said: str, keys: Sequence[str]) -> list[int]:
    """Labels that begin with what was said; none where that is nothing yet."""
    start = folded(said)
    return [place for place, key in enumerate(keys) if start and key.startswith(start)]
