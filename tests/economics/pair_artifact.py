"""An artifact that was made for pairs, small enough to be made in a test."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from payoff.artifact.artifact import write_artifact
from payoff.artifact.calibration import Calibration
from payoff.artifact.runtime.ngrams import NgramRuntime, NgramVectoriser
from payoff.artifact.tier import TierSpec
from payoff.economics.desk import policy_document
from payoff.economics.policy import Policy

LABELS = ("bad", "good")


VALUES = np.array([[3.0, -7.0, -1.0], [-7.0, 3.0, -1.0]])


def pair_artifact(folder: Path, policy: Policy | None = None) -> Path:
    """Its logit for a label is 4 for each time that the label is said, in either text."""
    vectoriser = NgramVectoriser(["bad", "good"], [], [1.0, 1.0], word=(1, 1))
    runtime = NgramRuntime(vectoriser, np.array([[4.0, 0.0], [0.0, 4.0]]), [0.0, 0.0])
    runtime.save(folder)
    document = policy_document(policy or Policy(LABELS, VALUES), "USD")
    return write_artifact(
        folder / "pairs.payoff",
        name="pairs",
        labels=LABELS,
        tiers=[(TierSpec("bag of words", "ngrams", settings={"separator": " "}), folder)],
        calibrations=[Calibration()],
        documents={"policy.json": document},
        seed=0,
        data_fingerprint="0" * 64,
    )
