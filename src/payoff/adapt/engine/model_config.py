"""A model's ``config.json``, whose entries are of the right kind or told with their names."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from payoff.core.errors import BackboneError


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Content of a ``config.json``, read with `ModelConfig.read`.

    Args:
        content: Its entries.
        file: Where it is, for errors.

    Example:
        >>> ModelConfig({"hidden_size": 384}, Path("config.json")).size("hidden_size")
        384
    """

    content: dict[str, Any]
    file: Path

    @classmethod
    def read(cls, file: Path) -> ModelConfig:
        """Read the file.

        Raises:
            BackboneError: PF304 where it is no JSON object.
        """
        try:
            content = json.loads(file.read_text("utf-8"))
        except (ValueError, RecursionError) as error:
            raise BackboneError("PF304", str(file), f"it is no JSON ({error})") from error
        if not isinstance(content, dict):
            raise BackboneError("PF304", str(file), "it is no JSON object")
        return cls(content, file)

    def refusal(self, found: str, expected: str) -> BackboneError:
        """The error for an entry that cannot be meant."""
        return BackboneError("PF304", str(self.file), found, expected=expected)

    def size(self, key: str, default: int | None = None) -> int:
        """A whole number above 0.

        Raises:
            BackboneError: PF304 where it is missing and there is no default, or is another thing.
        """
        value = self.content.get(key, default)
        if key not in self.content and default is None:
            raise self.refusal(f"'{key}' is missing", "a whole number above 0")
        if type(value) is not int or value < 1:
            raise self.refusal(f"{key} is {value!r}", "a whole number above 0")
        return value

    def number(self, key: str, default: float) -> float:
        """A finite number of 0 or more.

        Raises:
            BackboneError: PF304 where it is another thing.
        """
        value = self.content.get(key, default)
        if type(value) not in (int, float) or not value >= 0 or math.isinf(value):
            raise self.refusal(f"{key} is {value!r}", "a small number")
        return float(value)

    def require_meant(self, meant: Mapping[str, Any]) -> None:
        """Refuse entries that would have the model computed otherwise than it is here.

        Raises:
            BackboneError: PF304 for the first that is there and differs from what is meant.
        """
        for key, known in meant.items():
            if self.content.get(key, known) != known:
                raise self.refusal(f"{key} {self.content[key]!r} cannot be adapted", repr(known))
