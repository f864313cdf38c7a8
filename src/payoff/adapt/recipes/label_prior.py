"""What a decoder thinks of labels before it has read the text, taken off its scores.

Some labels are probable after any text: they are frequent words, or stood last in the prompt. How
much so is measured on inputs without content (Zhao et al. 2021, section 5) or as the mean over
real texts (Zhou et al. 2024, section 3); the latter takes the texts to be spread over the labels,
as rows drawn in turn are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from payoff.evidence.calibration import fit_temperature
from payoff.evidence.quality import log_losses

if TYPE_CHECKING:
    from payoff.artifact.runtime.prompt import Prompt

CONTENT_FREE = ("N/A", "", "[MASK]")
"""Inputs that say nothing, as in the paper."""

CALIBRATIONS = ("texts", "content-free", "none")
"""Values of the setting ``calibration`` beside ``auto``, the usual one first."""

LENGTHS = ("mean", "sum")
"""Values of the setting ``length`` beside ``auto``, the usual one first."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Log-probabilities of one prompt, and what they can be judged by.

    Args:
        prompt: The prompt, without a prior.
        token_counts: Tokens of each label, ``(n_labels,)``.
        of_texts: Log-probabilities of the labels after some texts, ``(n_texts, n_labels)``.
        of_nothing: The same after `CONTENT_FREE`, ``(3, n_labels)``.
    """

    prompt: Prompt
    token_counts: NDArray[Any]
    of_texts: NDArray[Any]
    of_nothing: NDArray[Any]

    def variant(self, length: str, calibration: str) -> tuple[Prompt, NDArray[np.float64]]:
        """The prompt with one way of dividing and one prior, and its scores of the texts.

        Args:
            length: ``"mean"`` to divide by the number of tokens, or ``"sum"``.
            calibration: One of `CALIBRATIONS`.
        """
        divisor = self.token_counts if length == "mean" else np.ones(len(self.token_counts))
        scores = np.asarray(self.of_texts / divisor, np.float64)
        if calibration == "none":
            prior = np.zeros(scores.shape[1])
        else:
            prior = prior_of(scores if calibration == "texts" else self.of_nothing / divisor)
        by_token = length == "mean"
        prompt = replace(self.prompt, by_token=by_token, prior=tuple(prior.tolist()))
        return prompt, scores - prior


def prior_of(scores: NDArray[Any]) -> NDArray[np.float64]:
    """The logarithm of the mean probability of each label, ``(n, n_labels)`` to ``(n_labels,)``.

    Example:
        >>> np.exp(prior_of(np.log([[0.2, 0.8], [0.4, 0.6]]))).round(3).tolist()
        [0.3, 0.7]
    """
    shifted = np.asarray(scores, np.float64) - scores.max(axis=1, keepdims=True)
    odds = np.exp(shifted)
    mean = (odds / odds.sum(axis=1, keepdims=True)).mean(axis=0)
    return np.asarray(np.log(np.maximum(mean, 1e-12)), np.float64)


def best_variants(
    readings: Sequence[Reading],
    truth: NDArray[np.int64],
    *,
    lengths: Sequence[str],
    calibrations: Sequence[str],
) -> list[Prompt]:
    """The best variant of each prompt, the best prompt first: by log loss at its temperature.

    The temperature is fitted anew for each, since the scores of a model are calibrated later on;
    what counts is how well they tell the labels apart.

    Args:
        readings: One a prompt.
        truth: Class of each text, ``(n_texts,)``.
        lengths: Which of `LENGTHS` may be taken.
        calibrations: Which of `CALIBRATIONS` may be taken.
    """
    best = []
    for reading in readings:
        tried = [reading.variant(one, other) for one in lengths for other in calibrations]
        losses = [_loss(scores, truth) for _, scores in tried]
        place = int(np.argmin(losses))
        best.append((losses[place], tried[place][0]))
    return [prompt for _, prompt in sorted(best, key=lambda pair: pair[0])]


def _loss(scores: NDArray[np.float64], truth: NDArray[np.int64]) -> float:
    probabilities = fit_temperature(scores, truth).apply(scores)
    return float(log_losses(probabilities, truth).mean())
