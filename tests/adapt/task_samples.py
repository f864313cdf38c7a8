"""Rows of tasks that are not one class a text, in which something can be learnt."""

from __future__ import annotations

import numpy as np
from tests.adapt.tiny_backbones import FILLER, SYLLABLES

NAMES = ("broken", "late", "refund", "rude")


def _text(rng: np.random.Generator, topics: list[int], number: int) -> str:
    words = [SYLLABLES[t] + SYLLABLES[(t * 3 + int(rng.integers(6))) % 20] for t in topics]
    filler = [str(word) for word in rng.choice(FILLER, 4)]
    return " ".join(str(word) for word in rng.permutation(words + filler)) + f" {number}"


def multi_label(n: int, *, seed: int = 0) -> tuple[list[str], list[str]]:
    """Texts and cells ``a;b``: each topic puts two words in; a fifth of the rows have none."""
    rng = np.random.default_rng(seed)
    texts, cells = [], []
    for number in range(n):
        own = [k for k in range(len(NAMES)) if rng.random() < 0.33]
        texts.append(_text(rng, [k for k in own for _ in range(2)], number))
        cells.append(";".join(NAMES[k] for k in own))
    return texts, cells


def ordinal(n: int, *, seed: int = 0, n_grades: int = 5) -> tuple[list[str], list[str]]:
    """Texts and grades from 1; a grade's words come from it and its neighbours."""
    rng = np.random.default_rng(seed)
    texts, cells = [], []
    for number in range(n):
        grade = int(rng.integers(n_grades))
        near = np.clip(grade + rng.integers(-1, 2, 2), 0, n_grades - 1).tolist()
        texts.append(_text(rng, [grade, grade, grade, *near], number))
        cells.append(str(grade + 1))
    return texts, cells


def regression(n: int, *, seed: int = 0) -> tuple[list[str], list[str]]:
    """Texts and amounts: each of six words adds its own, and there is some noise."""
    rng = np.random.default_rng(seed)
    texts, cells = [], []
    for number in range(n):
        topics = rng.integers(0, 6, 4).tolist()
        texts.append(_text(rng, topics, number))
        cells.append(f"{1000 + 700 * sum(topics) + rng.normal() * 200:,.2f}")
    return texts, cells


def pairs(n: int, *, seed: int = 0) -> tuple[list[str], list[str], list[str]]:
    """First texts, second texts, and what only the second ones tell."""
    rng = np.random.default_rng(seed)
    first, second, cells = [], [], []
    for number in range(n):
        topic = int(rng.integers(2))
        first.append(_text(rng, rng.integers(2, 6, 3).tolist(), number))
        second.append(_text(rng, [topic] * 3, number))
        cells.append(("solved", "open")[topic])
    return first, second, cells
