"""Runtimes: the models of an artifact, made ready to answer. No torch, ever."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from payoff.artifact.runtime.runtime import Runtime
from payoff.artifact.runtime.session import broken
from payoff.artifact.tier import TierSpec

__all__ = ["Runtime", "open_tier"]


def open_tier(
    spec: TierSpec,
    read: Callable[[str], bytes],
    *,
    n_labels: int | None = None,
    threads: int = 0,
    file: Callable[[str], AbstractContextManager[Path]] | None = None,
) -> Runtime:
    """Make one tier ready.

    Args:
        spec: What the tier is made of.
        read: Gives the bytes of one of its members.
        n_labels: Columns its logits must have; not checked where None.
        threads: Threads the model may use; 0 takes the physical cores this process may use.
        file: Gives a member as a file for as long as a block lasts. With it, a large model is
            read from disk once instead of being held twice in memory.

    Raises:
        ArtifactError: PF504 where a member cannot be used or the number of labels differs.

    Example:
        >>> folder = Path("draft")
        >>> spec = TierSpec("bag of words", "ngrams")
        >>> open_tier(spec, lambda m: (folder / m).read_bytes()).logits(["hi"])  # doctest: +SKIP
        array([[0.2, 1.3]], dtype=float32)
    """
    if spec.kind == "entities":
        raise broken(spec, "it gives entities and no labels", "EntityRuntime.open to read it")
    if spec.kind == "answers":
        raise broken(spec, "it gives answers and no labels", "AnswerRuntime.open to read it")
    if spec.kind == "prompted":
        from payoff.artifact.runtime.prompted import PromptedRuntime

        return PromptedRuntime.open(spec, read, n_labels=n_labels, threads=threads, file=file)
    if spec.kind == "ngrams":
        from payoff.artifact.runtime.ngrams import NgramRuntime

        return NgramRuntime.open(read, n_labels=n_labels)
    if spec.kind == "stacked":
        from payoff.artifact.runtime.stacked import StackedRuntime

        return StackedRuntime.open(spec, read, n_labels=n_labels, threads=threads, file=file)
    if spec.kind == "endpoint":
        from payoff.artifact.runtime.endpoint import EndpointRuntime

        return EndpointRuntime.open(spec, read, n_labels=n_labels, threads=threads, file=file)
    from payoff.artifact.runtime.packed import unpacking
    from payoff.artifact.runtime.tokens import TokenRuntime

    read, file = unpacking(spec, read, file)
    return TokenRuntime.open(spec, read, n_labels=n_labels, threads=threads, file=file)
