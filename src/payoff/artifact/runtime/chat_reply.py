"""What an OpenAI-compatible endpoint sends back, read without trusting it."""

from __future__ import annotations

import email.utils
import json
import math
import time
from typing import Any

from payoff.artifact.runtime.answered_label import Answer, AnswerToken
from payoff.core.errors import MachineError

_SHOWN = 200


def read_reply(content: bytes, where: str, *, most_tokens: int) -> Answer:
    """The answer of a chat completion.

    Args:
        content: The body of a response with status 200.
        where: The endpoint, for errors.
        most_tokens: Taken for the tokens used where the endpoint does not count them.

    Raises:
        MachineError: PF814 where it is no JSON or no chat completion.

    Example:
        >>> body = b'{"choices": [{"message": {"content": "refund"}}]}'
        >>> read_reply(body, "here", most_tokens=9).text
        'refund'
    """
    try:
        found = json.loads(content)
        choice = found["choices"][0]
        text = choice["message"].get("content")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise MachineError(
            "PF814",
            where,
            f"it sent {shown(content)!r}",
            expected="a chat completion as JSON",
            mend="Check the address: it should end with /v1 for most servers.",
        ) from error
    usage = found.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    counted = _counted(usage)
    n_input, n_output = counted or (most_tokens, 0)
    return Answer(
        text if isinstance(text, str) else "",
        _tokens(choice.get("logprobs")),
        input_tokens=n_input,
        output_tokens=n_output,
        metered=counted is not None,
    )


def _counted(usage: dict[str, Any]) -> tuple[int, int] | None:
    """Tokens read and written; thoughts that only the total counts were written too."""
    read, written = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if type(read) is not int or type(written) is not int or read < 1 or written < 0:
        return None  # no question is read for nothing
    total = usage.get("total_tokens")
    return read, max(written, total - read) if type(total) is int else written


def _tokens(logprobs: Any) -> tuple[AnswerToken, ...]:
    """Tokens with probabilities; none where a single one cannot be read."""
    try:
        return tuple(
            AnswerToken(
                *_pair(entry), tuple(_pair(other) for other in entry.get("top_logprobs") or ())
            )
            for entry in (logprobs or {}).get("content") or ()
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return ()


def _pair(entry: Any) -> tuple[str, float]:
    token, value = entry["token"], float(entry["logprob"])
    if not isinstance(token, str) or math.isnan(value) or value > 1e-3:
        raise ValueError("no token with a probability")
    return token, max(value, -1e4)


def complaint(content: bytes) -> str:
    """What an error response says, as much as a message can hold.

    Example:
        >>> complaint(b'{"error": {"message": "no such model"}}'), complaint(b"<html>")
        ('no such model', '<html>')
    """
    try:
        error = json.loads(content)["error"]
        said = error if isinstance(error, str) else error["message"]
    except (ValueError, KeyError, TypeError, RecursionError):
        said = shown(content)
    return " ".join(str(said).split())[:_SHOWN]


def shown(content: bytes) -> str:
    """The beginning of a body.

    Example:
        >>> shown(b"<html>")
        '<html>'
    """
    return content[:_SHOWN].decode("utf-8", "replace")


def retry_after_s(header: str | None) -> float | None:
    """Seconds that ``Retry-After`` asks to wait, given in seconds or as a date.

    Example:
        >>> retry_after_s("1.5"), retry_after_s("soon"), retry_after_s(None)
        (1.5, None, None)
    """
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(header).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
