"""The models of a service, by their names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Generic, Protocol, TypeVar

from payoff.core.errors import ServiceError, did_you_mean


class Named(Protocol):
    """What has a name."""

    @property
    def name(self) -> str:
        """What people call it."""


_T = TypeVar("_T", bound=Named)


class Models(Generic[_T]):
    """Several models, the first of which is meant where none is named.

    Args:
        models: At least one.

    Raises:
        ServiceError: PF712 where two have one name.

    Example:
        >>> from types import SimpleNamespace
        >>> models = Models([SimpleNamespace(name="mood"), SimpleNamespace(name="topic")])
        >>> models.of(None).name, models.of("topic").name
        ('mood', 'topic')
        >>> models.of("topics")
        Traceback (most recent call last):
        ...
        payoff.core.errors.ServiceError: PF711 model: there is no 'topics'\
 (expected mood or topic). Did you mean 'topic'?
    """

    def __init__(self, models: Sequence[_T]) -> None:
        twice = [name for name, n in Counter(one.name for one in models).items() if n > 1]
        if twice:
            raise ServiceError(
                "PF712",
                "service",
                f"{', '.join(map(repr, twice))} is the name of several models",
                expected="a name for each",
                mend="Make one of them again under another name, or serve it by itself.",
            )
        self._models = {one.name: one for one in models}

    @property
    def names(self) -> tuple[str, ...]:
        """In the order given."""
        return tuple(self._models)

    def of(self, name: str | None) -> _T:
        """The model of a name; the first where none is given.

        Raises:
            ServiceError: PF711 where there is none of that name.
        """
        found = self._models.get(self.names[0] if name is None else name)
        if found is None:
            raise ServiceError(
                "PF711",
                "model",
                f"there is no '{name}'"[:200],
                expected=" or ".join(self.names),
                mend=did_you_mean((name or "")[:200], self.names),
            )
        return found

    def __iter__(self) -> Iterator[_T]:
        return iter(self._models.values())
