"""What a question is sent with, and the most that it can then use."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from payoff.artifact.runtime.label_schema import SCHEMA_TOKENS, format_text, response_format

Messages = Sequence[Mapping[str, str]]

TOKENS_A_MESSAGE = 16
"""What a chat's own marks take beside a message, from above."""

_ALTERNATIVES = 20  # the most that OpenAI gives
# What an endpoint may not know is left out in turn: probabilities first, then the older names.
_EXTRAS: tuple[dict[str, Any], ...] = (
    {"temperature": 0, "logprobs": True, "top_logprobs": _ALTERNATIVES},
    {"temperature": 0, "logprobs": True, "top_logprobs": 5},
    {"temperature": 0},
    {},
)
_OLD_NAME, _NEW_NAME = "max_tokens", "max_completion_tokens"


@dataclass(frozen=True, slots=True)
class RequestOptions:
    """One of the ways to send a question, the best first: `FIRST`, then `after` each other.

    Args:
        strict: Whether the answer is held to a schema.
        extras: How much else is asked for; 0 for everything.

    Example:
        >>> way: RequestOptions | None = RequestOptions(True)
        >>> ways = []
        >>> while way:
        ...     ways.append(way)
        ...     way = way.after()
        >>> len(ways), ways[-1]
        (8, RequestOptions(strict=False, extras=3))
    """

    strict: bool
    extras: int = 0

    def after(self) -> RequestOptions | None:
        """The next one to try where this one is refused; None after the last."""
        if self.extras + 1 < len(_EXTRAS):
            return RequestOptions(self.strict, self.extras + 1)
        return RequestOptions(False) if self.strict else None

    def plain(self) -> RequestOptions:
        """The same without a schema."""
        return RequestOptions(False, self.extras)

    def body(self, max_answer_tokens: int, labels: Sequence[str]) -> dict[str, Any]:
        """The members of the request beside the model and the messages."""
        name = _NEW_NAME if self.extras + 1 == len(_EXTRAS) else _OLD_NAME
        body = {**_EXTRAS[self.extras], name: self.most_written(max_answer_tokens)}
        return body | {"response_format": response_format(labels)} if self.strict else body

    def most_written(self, max_answer_tokens: int) -> int:
        """Tokens that an answer may take."""
        return max_answer_tokens + SCHEMA_TOKENS * self.strict

    def most_read(self, messages: Messages, labels: Sequence[str]) -> int:
        """Tokens that an endpoint may count as read: a token is a byte or more.

        Some tokenizers bring a text into a normal form first, which may be longer.
        """
        n = sum(_n_bytes(m["content"]) + TOKENS_A_MESSAGE for m in messages)
        if self.strict:
            n += _n_bytes(format_text(labels)) + TOKENS_A_MESSAGE
        return n


def _n_bytes(text: str) -> int:
    forms = (text, unicodedata.normalize("NFKC", text))
    return max(len(form.encode("utf-8", "replace")) for form in forms)
