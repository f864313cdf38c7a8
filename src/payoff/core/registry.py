"""Registries of plug-ins: built-in and third-party ones come in by the same entry points."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from payoff.core.errors import AdaptError, did_you_mean


class Registry:
    """The plug-ins of one entry-point group, loaded when asked for.

    Args:
        group: Entry-point group such as ``"payoff.recipes"``.
        noun: What one entry is called in errors, such as ``"recipe"``.

    Example:
        >>> "bag-of-words" in Registry("payoff.recipes", "recipe").names
        True
    """

    def __init__(self, group: str, noun: str) -> None:
        self.group = group
        self.noun = noun
        self._entries: dict[str, EntryPoint] = {e.name: e for e in entry_points(group=group)}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all entries, sorted."""
        return tuple(sorted(self._entries))

    def get(self, name: str) -> Any:
        """Load one entry.

        Raises:
            AdaptError: PF401 where no entry has that name.
        """
        if name not in self._entries:
            raise AdaptError(
                "PF401",
                f"{self.noun} '{name}'",
                "there is none of that name",
                expected=f"one of {', '.join(self.names) or 'none: payoff is not installed'}",
                mend=did_you_mean(name, self.names),
            )
        return self._entries[name].load()
