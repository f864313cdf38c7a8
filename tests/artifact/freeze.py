"""Makes the frozen artifact of a format: run once a format, commit, never run again for it.

    python tests/artifact/freeze.py tests/artifact/frozen/format-1

writes `format-1.zip` (the artifact) and `format-1.json` (what it decided on the day it was made).
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np

from payoff.artifact.artifact import write_artifact
from payoff.artifact.calibration import Calibration
from payoff.artifact.runtime.ngrams import NgramRuntime, NgramVectoriser
from payoff.artifact.tier import TierSpec
from payoff.core.files import write_json
from payoff.economics.desk import load, policy_document
from payoff.economics.payoff import Payoff
from payoff.economics.policy import Policy
from payoff.evidence.evidence import Evidence

ROWS = {
    "billing": [
        "why was I charged twice this month",
        "the invoice shows a wrong amount",
        "I was charged a fee I do not know",
        "please send the invoice for March",
        "发票金额不对",
        "为什么多扣了钱",
    ],
    "card": [
        "my card does not work in the shop",
        "I lost my card, please block it",
        "someone used my card in Lisbon",
        "when will my new card arrive",
        "我的卡丢了",
        "卡不能用了",
    ],
    "refund": [
        "I want my money back",
        "when do I get the refund",
        "please refund the last order",
        "the refund has not arrived",
        "我要退款",
        "退款什么时候到",
    ],
}
ASKED = [
    "someone took my card",
    "where is my refund?",
    "charged twice",
    "我要退款",
    "卡丢了",
    "hello",
    "ÄÖÜ 😀 ?",
    "refund the charge on my card",
]


def train(texts: list[str], truth: np.ndarray, k: int) -> NgramRuntime:
    """Softmax regression by plain gradient descent: enough for a dozen texts, always the same."""
    vectoriser = NgramVectoriser.fit(texts, max_features=120)
    indptr, indices, data = vectoriser.matrix(texts)
    x = np.zeros((len(texts), vectoriser.n_features))
    for i in range(len(texts)):
        x[i, indices[indptr[i] : indptr[i + 1]]] = data[indptr[i] : indptr[i + 1]]
    weights, bias = np.zeros((x.shape[1], k)), np.zeros(k)
    for _ in range(300):
        off = Calibration().apply(x @ weights + bias) - np.eye(k)[truth]
        weights -= 1.0 * (x.T @ off / len(x) + 1e-3 * weights)
        bias -= 1.0 * off.mean(axis=0)
    return NgramRuntime(vectoriser, weights.astype(np.float16), bias)


def freeze(target: Path) -> None:
    """Write the artifact and what it decides."""
    labels = tuple(sorted(ROWS))
    texts = [text for label in labels for text in ROWS[label]]
    truth = np.repeat(np.arange(len(labels)), [len(ROWS[label]) for label in labels])
    runtime = train(texts, truth, len(labels))
    logits, calibration = runtime.logits(texts), Calibration(1.25)
    evidence = Evidence.of(
        "validation", logits, truth, probabilities=calibration.apply(logits), training_s=0.1
    )
    policy = Policy.from_payoff(Payoff(3.2, -7.5, -1.0, currency="USD"), labels)
    with tempfile.TemporaryDirectory() as folder:
        tier = TierSpec("bag of words", "ngrams", members=runtime.save(Path(folder)))
        write_artifact(
            target.with_suffix(".zip"),
            name="tickets",
            labels=labels,
            tiers=[(tier, Path(folder))],
            calibrations=[calibration],
            documents={
                "policy.json": policy_document(policy, "USD"),
                "evidence.json": evidence.as_dict(),
                "card.md": "# tickets\nA frozen example.\n",
            },
            seed=0,
            data_fingerprint="0" * 64,
        )
    with load(target.with_suffix(".zip")) as desk:
        decided = [decision.as_dict() for decision in desk.decide_many(ASKED)]
    write_json(
        target.with_suffix(".json"),
        [
            {"text": text, "decision": decision}
            for text, decision in zip(ASKED, decided, strict=True)
        ],
    )


if __name__ == "__main__":
    place = Path(sys.argv[1])
    if place.with_suffix(".zip").exists():
        sys.exit(f"{place.with_suffix('.zip')} is frozen: a new format needs a new name")
    freeze(place)
    print(json.dumps(json.loads(place.with_suffix(".json").read_text("utf-8")), ensure_ascii=False))
