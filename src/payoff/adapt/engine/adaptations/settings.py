"""Settings of adaptations: told by their names where they cannot be meant."""

from __future__ import annotations

from collections.abc import Iterable

from payoff.core.errors import AdaptError, did_you_mean


def check_positive(**settings: float) -> None:
    """Refuse numbers that are not above 0.

    Raises:
        AdaptError: PF406 for the first that is not.

    Example:
        >>> check_positive(rank=8, alpha=0.0)
        Traceback (most recent call last):
        ...
        payoff.core.errors.AdaptError: PF406 setting 'alpha': 0.0 (expected a number above 0).
    """
    for name, value in settings.items():
        if not value > 0:
            raise AdaptError("PF406", f"setting '{name}'", repr(value), expected="a number above 0")


def check_names(setting: str, found: Iterable[str], known: Iterable[str]) -> None:
    """Refuse names that are not among ``known``, and an empty list of them.

    Raises:
        AdaptError: PF406 for the first that is not.

    Example:
        >>> check_names("targets", ["qkv", "dawn"], ["qkv", "down"])
        Traceback (most recent call last):
        ...
        payoff.core.errors.AdaptError: PF406 setting 'targets': 'dawn'\
 (expected some of qkv, down). Did you mean 'down'?
    """
    names, possible = list(found) or [""], list(known)
    for name in names:
        if name not in possible:
            raise AdaptError(
                "PF406",
                f"setting '{setting}'",
                repr(name),
                expected=f"some of {', '.join(possible)}",
                mend=did_you_mean(name, possible),
            )
