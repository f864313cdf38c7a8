"""The interface of every compressor: files of a tier in, files of a smaller tier out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from payoff.artifact.tier import TierSpec


class Compressor(Protocol):
    """A way to make a tier smaller or faster.

    It is registered as a class that needs no arguments. Where that is a dataclass, its fields are
    settings, numbers with a usual value each, and people give them as `way.chain_of` reads them.

    Attributes:
        name: As registered under the entry point ``payoff.compressors``.
        stage: One of `payoff.adapt.compress.stages.STAGES`: what it changes.
    """

    name: str
    stage: str

    def applies(self, spec: TierSpec) -> bool:
        """Whether the tier can be compressed this way."""

    def compress(
        self, spec: TierSpec, folder: Path, target: Path, *, texts: Sequence[str] = ()
    ) -> TierSpec:
        """Read the tier in ``folder`` and write the smaller one to ``target``.

        Args:
            spec: The tier.
            folder: Where its files are.
            target: Folder to make.
            texts: Of the domain, without labels: what a model was learnt from, never what it is
                judged by. A compressor that needs none does not look at them.

        Raises:
            AdaptError: PF404 where the tier cannot be compressed this way; PF411 without texts
                where they are needed; PF412 with too few of them.
        """
