"""A small market: a project, what its customers ask, and people who label it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from payoff.economics.desk import Desk
from payoff.learn.entry import Entry, packed_probabilities, text_hash
from payoff.learn.feedback import Feedback, take
from payoff.learn.journal import Journal

WORDS = {
    "billing": ("invoice", "charged", "fee", "bill", "twice", "amount"),
    "card": ("card", "lost", "stolen", "plastic", "chip", "pin"),
    "refund": ("refund", "back", "return", "money", "order", "cancel"),
    # Not in the project's rows: the market invents it.
    "loan": ("loan", "credit", "borrow", "instalment", "rate", "lend"),
}
FILLER = ("please", "hello", "my", "the", "today", "i", "need", "about", "why", "is")

TOML = """
name = "desk"
[data]
path = "rows.csv"
text = "text"
label = "label"
[value]
currency = "USD"
correct = 3.0
wrong = -7.0
handoff = -1.0
[traffic]
per_month = 10000
[machine]
price_per_hour = 0.1
[search]
minutes = 1.0
"""


def written(label: str, rng: np.random.Generator, number: int) -> str:
    """A text of a class, like no other."""
    words = [*rng.choice(WORDS[label], 3), *rng.choice(FILLER, 3)]
    return " ".join(rng.permutation(words)) + f" {number}"


def make_project(folder: Path, *, n_each: int = 40, seed: int = 0, noise: float = 0.0) -> Path:
    """A project folder with labelled rows of the three classes that are known at first."""
    rng = np.random.default_rng(seed)
    known = ("billing", "card", "refund")
    lines = ["text,label"]
    for number in range(n_each * len(known)):
        label = known[number % len(known)]
        told = known[(number + 1) % len(known)] if rng.random() < noise else label
        lines.append(f"{written(label, rng, number)},{told}")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rows.csv").write_text("\n".join(lines) + "\n", "utf-8")
    (folder / "payoff.toml").write_text(TOML, "utf-8")
    return folder


@dataclass
class Market:
    """Asks a version as customers do, and keeps what it decided as the service does."""

    desk: Desk
    journal: Journal
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(7))
    truth: dict[str, str] = field(default_factory=dict)

    def ask(self, counts: dict[str, int], *, keep: bool = True) -> list[str]:
        """So many requests of each class; gives their ids."""
        labels = [label for label, n in counts.items() for _ in range(n)]
        first = len(self.truth)
        texts = [written(k, self.rng, 10_000 + first + n) for n, k in enumerate(labels)]
        decisions, said = self.desk.decide_fully(texts)
        entries, kept, ids = [], {}, []
        for number, (text, done, row) in enumerate(zip(texts, decisions, said, strict=True)):
            request_id = f"r-{first + number:06d}"
            self.truth[request_id] = labels[number]
            ids.append(request_id)
            kept[request_id] = text
            entries.append(
                Entry(
                    request_id,
                    self.desk.artifact.sha256,
                    text_hash(text),
                    done.action,
                    done.label,
                    done.probability,
                    float(done.worth),
                    "USD",
                    1.0,
                    customer=f"c-{number % 40}",
                    probabilities=packed_probabilities(row),
                )
            )
        self.journal.append(entries, texts=kept if keep else {})
        return ids

    def label(
        self, ids: list[str], person: str, *, wrong: float = 0.0, seconds: float = 5.0
    ) -> None:
        """A person labels some requests, and errs so often."""
        known = sorted(WORDS)
        told = []
        for request_id in ids:
            label = self.truth[request_id]
            if self.rng.random() < wrong:
                label = known[(known.index(label) + 1) % len(known)]
            told.append(
                Feedback(request_id, label, source="person", person=person, seconds=seconds)
            )
        take(self.journal, told)
