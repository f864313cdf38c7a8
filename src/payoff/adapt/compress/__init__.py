"""Ways to make a tier smaller and faster, one a file, all behind `compressor.Compressor`."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from payoff.adapt.compress.compressor import Compressor
from payoff.adapt.compress.stack import compress_part, compressed_part
from payoff.adapt.compress.way import JOINT, chain_of
from payoff.artifact.tier import TierSpec
from payoff.core.registry import Registry

__all__ = ["JOINT", "compress_by", "compressed_part", "compressors", "ways"]

_SEARCHED = ("int8", "trim+int8", "int8-blocks")
"""Ways that a search tries; each compressor of somebody else's is tried by itself besides."""


def compressors() -> list[Compressor]:
    """All registered compressors, built-in and third-party, by name, with their usual settings.

    Example:
        >>> [compressor.name for compressor in compressors()][:4]
        ['codebook', 'early-exit', 'few-levels', 'fp16']
    """
    registry = Registry("payoff.compressors", "compressor")
    return [registry.get(name)() for name in registry.names]


def ways(spec: TierSpec) -> list[str]:
    """Ways to compress a tier that a search tries; of a stack, its `compressed_part`.

    Example:
        >>> ways(TierSpec("small", "tokens")), ways(TierSpec("words", "ngrams"))
        (['int8', 'trim+int8'], [])
    """
    known = {compressor.name: compressor for compressor in compressors()}
    theirs = [name for name, one in known.items() if not type(one).__module__.startswith(__name__)]
    return [
        way
        for way in (*_SEARCHED, *theirs)
        if all(known[one].applies(spec) for one in way.split(JOINT))
    ]


def compress_by(
    way: str, spec: TierSpec, folder: Path, target: Path, *, texts: Sequence[str] = ()
) -> TierSpec:
    """Compress a tier by one compressor after the other.

    Args:
        way: As `way.chain_of` reads it.
        spec: The tier.
        folder: Where its files are.
        target: Folder to make.
        texts: See `compressor.Compressor.compress`.

    Raises:
        AdaptError: PF401 for an unknown compressor; PF406 for a setting that it does not have;
            PF404 where one cannot be used on the tier; PF411 and PF412 where texts are missing.
    """
    chain = chain_of(way)
    with tempfile.TemporaryDirectory(prefix="payoff-") as between:
        for place, compressor in enumerate(chain):
            last = place == len(chain) - 1
            written = target if last else Path(between) / str(place)
            spec = compress_part(compressor, spec, folder, written, texts=texts)
            folder = written
    return spec
