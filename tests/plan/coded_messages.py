"""Messages of which a small model knows some, and one behind an endpoint knows all."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from tests.artifact.chat_server import Reply, sampled

from payoff.artifact.runtime.ngrams import NgramRuntime, NgramVectoriser

LABELS = ("billing", "card", "loan", "refund")
PLAIN = ("invoice charge statement", "plastic wallet chip", "mortgage instalment", "return money")
N_CODES = 400

PROJECT = """
name = "desk"
[data]
path = "messages.csv"
text = "message"
label = "intent"
[value]
currency = "USD"
correct = 3.0
wrong = -6.0
handoff = -2.0
[traffic]
per_month = 40000
[machine]
price_per_hour = 0.10
[budget]
per_month = {budget}
[search]
minutes = 2
"""


def _code(label: int, number: int) -> str:
    """A word that says nothing of its label to whoever has not seen it."""
    digits = hashlib.sha256(f"{label}-{number}".encode()).hexdigest()[:8]
    return digits.translate(str.maketrans("0123456789", "ghijklmnop"))


def write_project(folder: Path, *, budget: float = 1000.0, n: int = 240, seed: int = 0) -> Path:
    """A project of ``n`` messages: four in ten are codes, most of which occur once."""
    rng = np.random.default_rng(seed)
    lines = ["message,intent"]
    for number in range(n):
        label = int(rng.integers(len(LABELS)))
        words = PLAIN[label].split()
        if rng.random() < 0.4:
            words = [_code(label, int(rng.integers(N_CODES - 1)))]
        lines.append(f"{' '.join(rng.permutation(words))} number {number},{LABELS[label]}")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "messages.csv").write_text("\n".join(lines) + "\n", "utf-8")
    (folder / "payoff.toml").write_text(PROJECT.format(budget=budget), "utf-8")
    return folder


def unknown_messages(n: int) -> list[str]:
    """Messages of codes that no project has."""
    return [f"{_code(number % len(LABELS), N_CODES - 1)} again {number}" for number in range(n)]


def upper_tier() -> NgramRuntime:
    """A classifier that knows every word and every code."""
    words, owners = [], []
    for label, plain in enumerate(PLAIN):
        words += plain.split() + [_code(label, number) for number in range(N_CODES)]
        owners += [label] * (len(plain.split()) + N_CODES)
    vectoriser = NgramVectoriser(words, [], [1.0] * len(words), word=(1, 1))
    scores = 6.0 * np.eye(len(LABELS))[owners]
    return NgramRuntime(vectoriser, scores, [0.0] * len(LABELS))


def answers_of(runtime: NgramRuntime) -> Any:
    """What an endpoint with that classifier behind it chooses for a chat."""

    def choose(messages: list[dict[str, str]]) -> Reply:
        scores = np.exp(runtime.logits([messages[-1]["content"]])[0].astype(float))
        return sampled(LABELS, (scores / scores.sum()).tolist())

    return choose
