"""What stands around a text for a decoder: the content of ``prompt.json``."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from payoff.core.errors import ArtifactError

WHERE = "prompt.json"
_MAX_TOKENS = 1 << 20


@dataclass(frozen=True, slots=True)
class Prompt:
    """What stands around a text, and what the labels are called there.

    Args:
        before: Before every text.
        after: Between a text and the label.
        labels: The labels as the model is to say them, ``n_labels``.
        max_tokens: Longest text in tokens; what is beyond is cut.
        by_token: Divide a label's log-probability by its number of tokens.
        prior: Taken off the scores, ``n_labels``; empty for nothing.

    Example:
        >>> Prompt("Message: ", " Topic:", (" card", " refund"), 64).as_dict()["prior"]
        [0.0, 0.0]
    """

    before: str
    after: str
    labels: tuple[str, ...]
    max_tokens: int
    by_token: bool = False
    prior: tuple[float, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The content of ``prompt.json``."""
        prior = list(self.prior) or [0.0] * len(self.labels)
        return {**asdict(self), "labels": list(self.labels), "prior": prior}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Prompt:
        """What `as_dict` gave.

        Raises:
            ArtifactError: PF504 where a key is missing or unknown, or a value is not what it is
                called.
        """
        names = ("before", "after", "labels", "max_tokens", "by_token", "prior")
        _exactly(content, names)
        labels = _list(content, "labels", lambda one: isinstance(one, str) and one, "names")
        prior = _list(content, "prior", _is_finite, "finite numbers")
        if len(prior) != len(labels):
            raise _broken(f"it has {len(prior)} numbers in 'prior'", f"{len(labels)}, as labels")
        return cls(
            _of_kind(content, "before", str),
            _of_kind(content, "after", str),
            tuple(labels),
            _count(content, "max_tokens"),
            _of_kind(content, "by_token", bool),
            tuple(map(float, prior)),
        )


@dataclass(frozen=True, slots=True)
class AnswerPrompt:
    """What stands around a text that is to be answered, and where an answer ends.

    Args:
        before: Before every text.
        after: Between a text and the answer.
        stop: Tokens (by id) or texts that end an answer and do not belong to it.
        max_tokens: Longest text in tokens; what is beyond is cut.
        max_new_tokens: Longest answer in tokens.

    Example:
        >>> AnswerPrompt("Q: ", " A:", ("<|im_end|>",), 64, 32).as_dict()["stop"]
        ['<|im_end|>']
    """

    before: str
    after: str
    stop: tuple[int | str, ...]
    max_tokens: int
    max_new_tokens: int

    def as_dict(self) -> dict[str, Any]:
        """The content of ``prompt.json``."""
        return {**asdict(self), "stop": list(self.stop)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> AnswerPrompt:
        """What `as_dict` gave.

        Raises:
            ArtifactError: PF504 as in `Prompt.from_dict`.
        """
        _exactly(content, ("before", "after", "stop", "max_tokens", "max_new_tokens"))
        stop = _list(content, "stop", _is_stop, "token ids and texts")
        return cls(
            _of_kind(content, "before", str),
            _of_kind(content, "after", str),
            tuple(stop),
            _count(content, "max_tokens"),
            _count(content, "max_new_tokens"),
        )


def read_prompts(content: Mapping[str, Any]) -> tuple[Prompt, ...]:
    """The prompts of a tier: one, or several under ``"prompts"`` whose scores are averaged.

    Raises:
        ArtifactError: PF504 as in `Prompt.from_dict`, or where prompts differ in their number of
            labels.

    Example:
        >>> one = Prompt("Message: ", " Topic:", (" card", " refund"), 64)
        >>> len(read_prompts({"prompts": [one.as_dict(), one.as_dict()]}))
        2
    """
    if "prompts" not in content:
        return (Prompt.from_dict(content),)
    _exactly(content, ("prompts",))
    entries = _list(content, "prompts", lambda one: isinstance(one, dict), "prompts")
    prompts = tuple(map(Prompt.from_dict, entries))
    counts = sorted({len(prompt.labels) for prompt in prompts})
    if len(counts) > 1:
        raise _broken(f"its prompts have {counts} labels", "the same number in each")
    return prompts


def parse_prompt(content: bytes) -> dict[str, Any]:
    """The JSON object in ``prompt.json``.

    Raises:
        ArtifactError: PF504 where it is none.

    Example:
        >>> parse_prompt(b'{"before": "Message: "}')
        {'before': 'Message: '}
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _broken(f"{str(error)[:100]}", "JSON") from error
    if not isinstance(found, dict):
        raise _broken(f"it holds {type(found).__name__}", "an object")
    return found


def _exactly(content: Mapping[str, Any], names: tuple[str, ...]) -> None:
    missing = [name for name in names if name not in content]
    unknown = sorted(set(content) - set(names))
    if missing or unknown:
        parts = [f"it lacks {', '.join(missing)}"] if missing else []
        parts += [f"it has unknown keys {', '.join(map(repr, unknown))[:100]}"] if unknown else []
        raise _broken(" and ".join(parts), ", ".join(names))


def _of_kind(content: Mapping[str, Any], name: str, kind: type[Any]) -> Any:
    value = content[name]
    if type(value) is not kind:
        raise _broken(f"'{name}' is {_shown(value)}", kind.__name__)
    return value


def _count(content: Mapping[str, Any], name: str) -> int:
    value: int = _of_kind(content, name, int)
    if not 1 <= value <= _MAX_TOKENS:
        raise _broken(f"'{name}' is {value}", f"1 … {_MAX_TOKENS:,}")
    return value


def _list(
    content: Mapping[str, Any], name: str, fits: Callable[[Any], object], expected: str
) -> list[Any]:
    """A list in which every value fits; of one value or more."""
    value = content[name]
    if not isinstance(value, list | tuple):
        raise _broken(f"'{name}' is {_shown(value)}", f"a list of {expected}")
    for one in value:
        if not fits(one):
            raise _broken(f"'{name}' holds {_shown(one)}", expected)
    if not value:
        raise _broken(f"'{name}' is empty", f"a list of {expected}")
    return list(value)


def _is_finite(value: object) -> bool:
    if isinstance(value, int):
        return not isinstance(value, bool) and abs(value) < 2**53
    return isinstance(value, float) and math.isfinite(value)


def _is_stop(value: object) -> bool:
    return (isinstance(value, str) and bool(value)) or (type(value) is int and value >= 0)


def _shown(value: object) -> str:
    return repr(value)[:60]


def _broken(found: str, expected: str) -> ArtifactError:
    return ArtifactError("PF504", WHERE, found, expected=expected)
