"""An artifact whose project states a budget: a small model, and an endpoint for what it lacks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from payoff.artifact.artifact import write_artifact
from payoff.artifact.calibration import Calibration
from payoff.artifact.runtime.endpoint import Question
from payoff.artifact.runtime.ngrams import NgramRuntime, NgramVectoriser
from payoff.artifact.tier import TierSpec
from payoff.economics.cascades.cascade_gain import Gain
from payoff.economics.cascades.cascade_policy import CascadePolicy
from payoff.economics.desk import policy_document
from payoff.economics.policy import Policy

LABELS = ("bad", "good")
POLICY = Policy(LABELS, np.array([[3.0, -7.0, -1.0], [-7.0, 3.0, -1.0]]))
ENDS = np.array([-10.0, 10.0])
UNKNOWN = Gain(np.eye(5)[0], np.zeros(2), -3.5, ENDS, ENDS, "linear")
CASCADE = CascadePolicy(("small", "large"), (0.0001, 0.02), (UNKNOWN,))


def budgeted(
    folder: Path, *, per_month: float | None, per_hour: float = 0.0, url: str = "", more: str = ""
) -> Path:
    """Write it; the endpoint answers what the small model does not know, where there is a url."""
    place = folder / "small"
    place.mkdir(exist_ok=True)
    vectoriser = NgramVectoriser(["bad", "good"], [], [1.0, 1.0], word=(1, 1))
    small = NgramRuntime(vectoriser, np.array([[4.0, 0.0], [0.0, 4.0]]), [0.0, 0.0])
    tiers = [(TierSpec("small", "ngrams", members=small.save(place)), place)]
    if url:
        question = Question((("system", "Sort it."),), "", "", LABELS, 100, 8)
        (folder / "endpoint.json").write_text(json.dumps(question.as_dict()), "utf-8")
        settings = {"base_url": url, "model": "large", "key_variable": "none"}
        tiers.append((TierSpec("large", "endpoint", settings=settings), folder))
    project = f"[machine]\nprice_per_hour = {per_hour}\n{more}"
    if per_month is not None:
        project += f"[budget]\nper_month = {per_month}\n"
    cascade = CASCADE if url else None
    return write_artifact(
        folder / "desk.payoff",
        name="desk",
        labels=LABELS,
        tiers=tiers,
        calibrations=[Calibration(2.0), Calibration()][: len(tiers)],
        documents={
            "policy.json": policy_document(POLICY, "USD", cascade=cascade),
            "payoff.toml": project,
        },
        seed=0,
        data_fingerprint="",
    )
