"""An artifact whose only model is somebody else's."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from payoff.artifact.artifact import write_artifact
from payoff.artifact.calibration import Calibration
from payoff.artifact.runtime.endpoint import Question
from payoff.artifact.tier import TierSpec
from payoff.economics.desk import policy_document
from payoff.economics.policy import Policy


def asked(folder: Path, labels: Sequence[str], url: str, *, project: str = "") -> Path:
    """Write ``desk.payoff``; every text is a question to ``url``."""
    folder.mkdir(parents=True, exist_ok=True)
    question = Question((("system", "Sort it."),), "", "", tuple(labels), 100, 8)
    (folder / "endpoint.json").write_text(json.dumps(question.as_dict()), "utf-8")
    settings = {"base_url": url, "model": "large", "key_variable": "none"}
    k = len(labels)
    values = np.hstack([np.where(np.eye(k, dtype=bool), 3.0, -7.0), np.full((k, 1), -1.0)])
    documents = {"policy.json": policy_document(Policy(tuple(labels), values), "USD")}
    if project:
        documents["payoff.toml"] = project
    return write_artifact(
        folder / "desk.payoff",
        name="desk",
        labels=tuple(labels),
        tiers=[(TierSpec("large", "endpoint", settings=settings), folder)],
        calibrations=[Calibration()],
        documents=documents,
        seed=0,
        data_fingerprint="",
    )
