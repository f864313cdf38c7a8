"""Stages: in which order compressors follow each other."""

from __future__ import annotations

from collections.abc import Sequence

from payoff.adapt.compress.compressor import Compressor
from payoff.artifact.tier import TierSpec

STAGES = ("shape", "vocabulary", "values", "numbers", "exits", "storage")
"""What a compressor changes, in the order in which a chain of them goes: which heads, neurons and
ranks there are; which tokens; which values weights take; in how many bits they are computed with;
where an answer may come early; how files are written. What comes later keeps the earlier change."""


def at_stage(stage: str, spec: TierSpec, known: Sequence[Compressor]) -> list[str]:
    """Names of those of a stage that may come next for a tier.

    Example:
        >>> from payoff.adapt.compress import compressors
        >>> at_stage("vocabulary", TierSpec("small", "tokens"), compressors())
        ['trim']
    """
    return [one.name for one in known if one.stage == stage and one.applies(spec)]
