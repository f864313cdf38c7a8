"""One model in two parts: a request that the first part is sure of never sees the second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from payoff.artifact.runtime.session import broken
from payoff.artifact.tier import TierSpec

SETTING = "exit"
"""Of a tier in two parts: the smallest confidence with which the first part answers."""

REST = "rest.onnx"
"""The member with the second part."""

HIDDEN = "hidden"
"""What the first part hands on: the vectors of all tokens, ``(batch, length, width)``."""


EARLY = "early_logits"
"""Scores of the first part. They are not called as those of a whole model are, so that a payoff
without early exits refuses the tier, and does not answer by half a model."""


class EarlyExit:
    """Two sessions that answer as one (Teerapittayanon et al. 2016, "BranchyNet").

    Args:
        first: Gives `EARLY` and `HIDDEN`.
        rest: Takes `HIDDEN` and some of what the first takes, and gives scores.
        confidence: Of the most probable label by the first part's scores, from 0 to 1: with less,
            the second part answers.

    Example:
        >>> session = EarlyExit(first, rest, confidence=0.9)  # doctest: +SKIP
        >>> session.run(["logits"], {"input_ids": ids, "attention_mask": mask})  # doctest: +SKIP
    """

    def __init__(self, first: Any, rest: Any, *, confidence: float) -> None:
        self._first = first
        self._rest = rest
        self._confidence = confidence
        self._taken = [one.name for one in rest.get_inputs() if one.name != HIDDEN]

    def get_inputs(self) -> Any:
        """As of an onnxruntime session."""
        return self._first.get_inputs()

    def get_outputs(self) -> Any:
        """As of an onnxruntime session."""
        return self._rest.get_outputs()

    def run(
        self, outputs: Sequence[str], feed: Mapping[str, npt.NDArray[Any]]
    ) -> list[npt.NDArray[np.float32]]:
        """Scores of a batch, ``[(batch, n_labels)]``, each row by the part that answers it."""
        scores, hidden = self._first.run([EARLY, HIDDEN], feed)
        unsure = confidence_of(scores) < self._confidence
        if unsure.any():
            left = slice(None) if unsure.all() else unsure
            part = {name: feed[name][left] for name in self._taken}
            scores[left] = self._rest.run([*outputs], {HIDDEN: hidden[left], **part})[0]
        return [scores]


def confidence_of(scores: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
    """Probability of the most probable label, ``(n, n_labels)`` to ``(n,)``.

    Example:
        >>> confidence_of(np.array([[0.0, 0.0], [9.0, -9.0]])).round(3).tolist()
        [0.5, 1.0]
    """
    above = np.asarray(scores, np.float64)
    above = above - above.max(axis=1, keepdims=True)
    return np.asarray(1.0 / np.exp(above).sum(axis=1))


def exit_confidence(spec: TierSpec) -> float | None:
    """With which confidence the first part of a tier answers; None where it is of one part.

    Raises:
        ArtifactError: PF504 where it is no share.

    Example:
        >>> exit_confidence(TierSpec("small", "tokens", settings={"exit": 0.9}))
        0.9
    """
    told = spec.settings.get(SETTING)
    if told is None:
        return None
    if isinstance(told, bool) or not isinstance(told, int | float) or not 0 <= told <= 1:
        raise broken(spec, f"setting '{SETTING}' is {told!r}", "0 to 1")
    return float(told)
