"""Ways to make a tier smaller and faster, one a file, all behind `compressor.Compressor`."""

from __future__ import annotations

from payoff.adapt.compress.compressor import Compressor
from payoff.core.registry import Registry


def compressors() -> list[Compressor]:
    """All registered compressors, built-in and third-party, by name.

    Example:
        >>> [compressor.name for compressor in compressors()]
        ['int8', 'int8-blocks']
    """
    registry = Registry("payoff.compressors", "compressor")
    return [registry.get(name)() for name in registry.names]
