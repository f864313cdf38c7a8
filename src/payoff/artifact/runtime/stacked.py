"""The runtime of a stack: several models answer, and their answers are mixed."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from payoff.artifact.runtime.runtime import Runtime
from payoff.artifact.tier import TierSpec
from payoff.core.errors import ArtifactError

STACK = "stack.json"
"""The file that says what a stack is made of, and how its members are mixed."""

MEMBER_KINDS = ("tokens", "ngrams")
"""Kinds of tiers that a stack may be made of."""

_LEAST = math.log(1e-12)  # a member's certainty that a label is wrong counts no more than this


@dataclass(frozen=True, slots=True)
class Blend:
    """A weighted sum of the members' calibrated log-probabilities and a bias a label.

    Args:
        temperatures: Of each member's logits.
        weights: Of each member, 0 or more.
        bias: ``n_labels`` of them.

    Example:
        >>> blend = Blend((1.0, 1.0), (0.5, 0.5), (0.0, 0.0))
        >>> even, sure = np.array([[0.0, 0.0]]), np.array([[9.0, 0.0]])
        >>> scores = blend([even, sure])
        >>> round(float(scores[0, 0] - scores[0, 1]), 3)
        4.5
    """

    temperatures: tuple[float, ...]
    weights: tuple[float, ...]
    bias: tuple[float, ...]

    def __call__(self, logits: Sequence[npt.ArrayLike]) -> npt.NDArray[np.float32]:
        """The members' logits, each ``(n_texts, n_labels)``, to those of the stack."""
        total = np.array(self.bias)
        for one, temperature, weight in zip(logits, self.temperatures, self.weights, strict=True):
            total = total + weight * log_probabilities(one, temperature)
        return np.asarray(total, np.float32)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for ``stack.json``."""
        return {
            "temperatures": list(self.temperatures),
            "weights": list(self.weights),
            "bias": list(self.bias),
        }

    @classmethod
    def from_dict(cls, content: Any) -> Blend:
        """What `as_dict` gave.

        Raises:
            ArtifactError: PF504 where numbers are missing or cannot be meant.
        """
        found = content if isinstance(content, dict) else {}
        temperatures, weights, bias = (
            _numbers(found.get(key), key) for key in ("temperatures", "weights", "bias")
        )
        if len(temperatures) != len(weights) or not all(t > 0 for t in temperatures):
            raise _broken(STACK, f"temperatures {temperatures}", "one above 0 a member")
        return cls(temperatures, weights, bias)


class StackedRuntime:
    """Logits from several models of one tier.

    Args:
        members: Ready to answer.
        blend: How they are mixed.

    Example:
        >>> runtime = StackedRuntime.open(spec, read, n_labels=77)  # doctest: +SKIP
        >>> runtime.logits(["where is my card?"]).shape  # doctest: +SKIP
        (1, 77)
    """

    def __init__(self, members: Sequence[Runtime], blend: Blend) -> None:
        self._members = tuple(members)
        self._blend = blend

    @classmethod
    def open(
        cls,
        spec: TierSpec,
        read: Callable[[str], bytes],
        *,
        n_labels: int | None = None,
        threads: int = 0,
        file: Callable[[str], AbstractContextManager[Path]] | None = None,
    ) -> StackedRuntime:
        """Make all members ready; see `payoff.artifact.runtime.open_tier`.

        Raises:
            ArtifactError: PF504 where ``stack.json`` or a member cannot be used.
        """
        from payoff.artifact.runtime import open_tier

        content = _document(read(STACK))
        blend = Blend.from_dict(content)
        specs = member_specs(content, spec)
        wrong = n_labels is not None and len(blend.bias) != n_labels
        if len(specs) != len(blend.weights) or wrong:
            found = f"{len(specs)} members, {len(blend.weights)} weights, {len(blend.bias)} labels"
            raise _broken(f"tier '{spec.name}'", found, f"as many, and {n_labels} labels")

        def opened(number: int, member: TierSpec) -> Runtime:
            return open_tier(
                member,
                lambda name: read(member_file(number, name)),
                n_labels=len(blend.bias),
                threads=threads,
                file=(lambda name: file(member_file(number, name))) if file else None,
            )

        return cls([opened(number, member) for number, member in enumerate(specs)], blend)

    def logits(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Scores, ``(n_texts, n_labels)``, in the caller's order.

        Raises:
            DataError: PF105 where a text is unusable.
        """
        return self._blend([member.logits(texts) for member in self._members])


def member_file(number: int, name: str) -> str:
    """What the file ``name`` of a stack's member is called, since a tier has no folders.

    Example:
        >>> member_file(1, "model.onnx")
        '1-model.onnx'
    """
    return f"{number}-{name}"


def log_probabilities(logits: npt.ArrayLike, temperature: float) -> npt.NDArray[np.float64]:
    """Calibrated logarithms, ``(n_texts, n_labels)`` to the same shape; none below that of 1e-12.

    Example:
        >>> np.exp(log_probabilities([[2.0, 2.0], [9e9, 0.0]], 1.0)).round(3).tolist()
        [[0.5, 0.5], [1.0, 0.0]]
    """
    scaled = np.asarray(logits, np.float64) / temperature
    if not len(scaled):
        return scaled
    scaled = scaled - scaled.max(axis=1, keepdims=True)
    logs = scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True))
    return np.asarray(np.maximum(logs, _LEAST))


def _document(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _broken(STACK, f"it is no JSON ({str(error)[:80]})", "an object") from error
    if not isinstance(found, dict):
        raise _broken(STACK, "it is no JSON object", "an object")
    return found


def member_specs(content: Mapping[str, Any], spec: TierSpec) -> list[TierSpec]:
    """What the members of a stack are made of.

    Args:
        content: Of ``stack.json``.
        spec: The stack, which must have the files of each.

    Raises:
        ArtifactError: PF504 where a member is none, or lacks a file.

    Example:
        >>> stack = TierSpec("two", "stacked", (STACK, "0-ngrams.json", "0-weights.npz"))
        >>> words = {"name": "words", "kind": "ngrams", "settings": {}}
        >>> [member.members for member in member_specs({"members": [words]}, stack)]
        [('ngrams.json', 'weights.npz')]
    """
    entries = content.get("members")
    if not isinstance(entries, list) or not entries:
        raise _broken(STACK, f"members {str(entries)[:80]}", "at least one")
    specs = []
    for number, entry in enumerate(entries):
        found = entry if isinstance(entry, dict) else {}
        name, kind, settings = (found.get(key) for key in ("name", "kind", "settings"))
        if not isinstance(name, str) or not isinstance(settings, dict) or kind not in MEMBER_KINDS:
            told = f"member {number} is {str(entry)[:80]}"
            expected = f"name, settings and a kind among {', '.join(MEMBER_KINDS)}"
            raise _broken(STACK, told, expected)
        own = member_file(number, "")
        files = tuple(file.removeprefix(own) for file in spec.members if file.startswith(own))
        if not files:
            raise _broken(f"tier '{spec.name}'", f"lacks member {number}", "all members")
        specs.append(TierSpec(name, kind, files, settings=settings))
    return specs


def _numbers(values: Any, key: str) -> tuple[float, ...]:
    good = isinstance(values, list) and all(
        isinstance(v, (int, float)) and not isinstance(v, bool) and math.isfinite(v) for v in values
    )
    if not good or not values:
        raise _broken(STACK, f"{key} {str(values)[:80]}", "numbers")
    return tuple(float(value) for value in values)


def _broken(where: str, found: str, expected: str) -> ArtifactError:
    return ArtifactError("PF504", where, found, expected=expected)
