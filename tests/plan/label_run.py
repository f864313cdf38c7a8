"""The label evidence of a simulated run: models that are right more often with more labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from tests.plan.simulated_run import write_run

from payoff.plan.kept import Kept
from payoff.plan.labels.label_evidence import LabelEvidence, Studied
from payoff.plan.terms import Terms

SIZES = np.array([100, 200, 400, 800, 1600])


def studied(
    name: str,
    kept: Kept,
    *,
    worst: float = 0.55,
    gain: float = 0.42,
    power: float = 0.5,
    seed: int = 0,
) -> Studied:
    """Right in a share of ``worst + gain · (1 − (100 / n) ^ power)``, and as sure as that."""
    truth, k = kept.validation_truth, len(kept.labels)
    rng = np.random.default_rng(seed)
    ease = rng.random(len(truth))  # a row that few labels suffice for suffices for many

    def table(n: int) -> Any:
        right = worst + gain * (1.0 - (100.0 / n) ** power)
        lucky = (0.8 * ease + 0.2 * rng.random(len(truth))) < right
        likely = np.where(lucky, truth, (truth + 1) % k)
        told = np.full((len(truth), k), (1.0 - right) / (k - 1))
        told[np.arange(len(truth)), likely] = right
        return told.astype(np.float32)

    below = np.array([[table(n) for n in SIZES[:-1]] for _ in range(3)])
    return Studied(name, SIZES, below, table(SIZES[-1]))


def write_label_run(
    folder: Path, terms: Terms, *, own: bool = True, proxy: bool = False, reason: str = ""
) -> LabelEvidence:
    """A finished run's folder with its label evidence."""
    kept = write_run(folder, terms, n_validation=900)
    found = [studied("cheap", kept, worst=0.7, gain=0.2)] if proxy else []
    found += [studied("chosen", kept, seed=1)] if own else []
    evidence = LabelEvidence("chosen", kept.options[-1].validation, 2000, tuple(found), reason)
    evidence.write(folder)
    return evidence
