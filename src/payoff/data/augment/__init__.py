"""Ways to make more texts from those at hand, one a file, all behind `augmenter.Augmenter`."""

from __future__ import annotations

from payoff.core.registry import Registry
from payoff.data.augment.augmenter import Augmenter
from payoff.data.augment.generator import generator_of

_GROUP = "payoff.augmenters"


def augmenters() -> list[Augmenter]:
    """All registered augmenters, built-in and third-party, by name.

    Example:
        >>> names = [augmenter.name for augmenter in augmenters()]
        >>> names == sorted(names)
        True
    """
    registry = Registry(_GROUP, "augmenter")
    return [registry.get(name)() for name in registry.names]


def augmenter_named(name: str) -> Augmenter:
    """One augmenter.

    Args:
        name: As registered; or ``module:function``, for a function from a list of texts to as many
            others (see `payoff.data.augment.generator`).

    Raises:
        AdaptError: PF401 where there is none of that name.

    Example:
        >>> from payoff.core.errors import AdaptError
        >>> try:
        ...     augmenter_named("telepathy")
        ... except AdaptError as error:
        ...     print(error.code, error.where)
        PF401 augmenter 'telepathy'
    """
    if ":" in name:
        return generator_of(name)
    augmenter: Augmenter = Registry(_GROUP, "augmenter").get(name)()
    return augmenter
