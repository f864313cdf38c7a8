"""Ways to make a tier smaller and faster, one a file, all behind `compressor.Compressor`."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from payoff.adapt.compress.compressor import Compressor
from payoff.artifact.tier import TierSpec
from payoff.core.registry import Registry

JOINT = "+"
"""Between the compressors of a way, in their order: ``trim+int8``."""

_SEARCHED = ("int8", "trim+int8", "int8-blocks")
"""Ways that a search tries; each compressor of somebody else's is tried by itself besides."""

_OWN = {*(name for way in _SEARCHED for name in way.split(JOINT)), "early-exit", "zstd"}


def compressors() -> list[Compressor]:
    """All registered compressors, built-in and third-party, by name.

    Example:
        >>> [compressor.name for compressor in compressors()]
        ['early-exit', 'int8', 'int8-blocks', 'trim', 'zstd']
    """
    registry = Registry("payoff.compressors", "compressor")
    return [registry.get(name)() for name in registry.names]


def ways(spec: TierSpec) -> list[str]:
    """Ways to compress a tier that a search tries.

    Example:
        >>> ways(TierSpec("small", "tokens")), ways(TierSpec("words", "ngrams"))
        (['int8', 'trim+int8'], [])
    """
    known = {compressor.name: compressor for compressor in compressors()}
    found = [*_SEARCHED, *(name for name in known if name not in _OWN)]
    return [way for way in found if all(known[one].applies(spec) for one in way.split(JOINT))]


def compress_by(
    way: str, spec: TierSpec, folder: Path, target: Path, *, texts: Sequence[str] = ()
) -> TierSpec:
    """Compress a tier by one compressor after the other.

    Args:
        way: Names with `JOINT` between them.
        spec: The tier.
        folder: Where its files are.
        target: Folder to make.
        texts: See `compressor.Compressor.compress`.

    Raises:
        AdaptError: PF401 for an unknown compressor; PF404 where one cannot be used on the tier.
    """
    registry = Registry("payoff.compressors", "compressor")
    chain = [registry.get(name)() for name in way.split(JOINT)]
    with tempfile.TemporaryDirectory(prefix="payoff-") as between:
        for place, compressor in enumerate(chain):
            last = place == len(chain) - 1
            written = target if last else Path(between) / str(place)
            spec = compressor.compress(spec, folder, written, texts=texts)
            folder = written
    return spec
