"""A data file and an artifact small enough to be made anew for each session."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

TOPICS = {
    "billing": ["why was I charged twice", "the invoice is wrong", "a fee I do not know"],
    "card": ["my card does not work", "I lost my card", "when will my card arrive"],
    "refund": ["I want my money back", "where is my refund", "please refund my order"],
}


@pytest.fixture
def tickets(tmp_path: Path) -> Path:
    """90 labelled texts in a CSV file."""
    lines = ["message,intent"]
    for number in range(10):
        for label, texts in TOPICS.items():
            lines += [f"{text} number {number},{label}" for text in texts]
    path = tmp_path / "tickets.csv"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


@pytest.fixture(scope="session")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bag-of-words artifact that tells the topics apart."""
    from payoff.artifact.artifact import write_artifact
    from payoff.artifact.calibration import Calibration
    from payoff.artifact.runtime.ngrams import NgramRuntime, NgramVectoriser
    from payoff.artifact.tier import TierSpec
    from payoff.economics.desk import policy_document
    from payoff.economics.payoff import Payoff
    from payoff.economics.policy import Policy

    folder = tmp_path_factory.mktemp("artifact")
    labels = tuple(TOPICS)
    texts = [text for of_topic in TOPICS.values() for text in of_topic]
    truth = np.repeat(np.arange(3), 3)
    vectoriser = NgramVectoriser.fit(texts, min_df=1)
    indptr, indices, data = vectoriser.matrix(texts)
    rows = np.zeros((len(texts), vectoriser.n_features), dtype=np.float32)
    for row in range(len(texts)):
        span = slice(indptr[row], indptr[row + 1])
        rows[row, indices[span]] = data[span]
    weights = np.stack([rows[truth == k].mean(0) - rows.mean(0) for k in range(3)], axis=1)
    tier = TierSpec("bag of words", "ngrams")
    NgramRuntime(vectoriser, 10 * weights, np.zeros(3)).save(folder / "tier")
    worth = Payoff(correct=3.0, wrong=-7.0, handoff=-2.0, currency="USD")
    policy = policy_document(Policy.from_payoff(worth, labels), "USD")
    return write_artifact(
        folder / "topics.payoff",
        name="topics",
        labels=labels,
        tiers=[(tier, folder / "tier")],
        calibrations=[Calibration(temperature=1.0)],
        documents={"policy.json": policy},
        seed=0,
        data_fingerprint="0" * 64,
    )
