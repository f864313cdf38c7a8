"""An answer in a strict schema: a JSON object with one of the labels and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from payoff.artifact.runtime.answered_label import AnswerToken

SCHEMA_TOKENS = 16
"""What the object takes beside the label, in tokens, from above."""

_BEFORE = re.compile(r'\s*\{\s*"label"\s*:\s*"')


def response_format(labels: Sequence[str]) -> dict[str, Any]:
    """What an endpoint is told to hold an answer to.

    Example:
        >>> response_format(["card", "refund"])["json_schema"]["schema"]["properties"]
        {'label': {'type': 'string', 'enum': ['card', 'refund']}}
    """
    schema = {
        "type": "object",
        "properties": {"label": {"type": "string", "enum": list(labels)}},
        "required": ["label"],
        "additionalProperties": False,
    }
    return {
        "type": "json_schema",
        "json_schema": {"name": "label", "strict": True, "schema": schema},
    }


def format_text(labels: Sequence[str]) -> str:
    """The same as text: an endpoint may count it among the tokens read.

    Example:
        >>> format_text(["card"])[:44]
        '{"type": "json_schema", "json_schema": {"nam'
    """
    return json.dumps(response_format(labels))


def is_object(text: str) -> bool:
    """Whether an answer begins as a JSON object does.

    Example:
        >>> is_object(' {"label": "card"}'), is_object("card")
        (True, False)
    """
    return text.lstrip().startswith("{")


def strict_label(text: str, labels: Sequence[str]) -> int | None:
    """The label of an answer that fits the schema to the letter; None for any other answer.

    Example:
        >>> labels = ["card", "refund"]
        >>> strict_label('{"label": "refund"}', labels), strict_label('{"label": "Refund"}', labels)
        (1, None)
    """
    try:
        pairs = json.loads(text, object_pairs_hook=list)
    except (ValueError, RecursionError):
        return None
    if not isinstance(pairs, list) or len(pairs) != 1 or not isinstance(pairs[0], tuple):
        return None
    key, value = pairs[0]
    if key != "label" or not isinstance(value, str) or value not in labels:
        return None
    return list(labels).index(value)


def value_tokens(tokens: Sequence[AnswerToken]) -> tuple[AnswerToken, ...]:
    """The tokens of the label, without those of the object before it; what follows may stay.

    A token that ends what stands before the label and begins the label is cut; so are its
    alternatives, and those that do not begin alike are left out.

    Example:
        >>> from payoff.artifact.runtime.answered_label import AnswerToken
        >>> said = [AnswerToken(part, 0.0) for part in ('{"', 'label', '": "re', 'fund', '"}')]
        >>> [token.token for token in value_tokens(said)]
        ['re', 'fund', '"}']
    """
    said = ""
    for place, one in enumerate(tokens):
        said += one.token
        found = _BEFORE.match(said)
        if not found:
            continue
        head = one.token[: len(one.token) - (len(said) - found.end())]
        rest = one.token[len(head) :]
        if not rest:
            return tuple(tokens[place + 1 :])
        others = tuple(
            (other[len(head) :], value)
            for other, value in one.others
            if other.startswith(head) and other != head
        )
        return (replace(one, token=rest, others=others), *tokens[place + 1 :])
    return ()
