"""The data sets of the benchmarks as texts and labels, and workbenches over them."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

Rows = tuple[list[str], list[str]]


def rows(data: Path, name: str, part: str) -> Rows:
    """Texts and labels of a data set, in scope only."""
    with (data / name / f"{part}.csv").open(newline="", encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    text = next(c for c in found[0] if c in ("text", "review", "message"))
    label = next(c for c in found[0] if c in ("label", "intent"))
    return [row[text] for row in found], [row[label] for row in found]


def few(texts: list[str], labels: list[str], each: int, seed: int) -> Rows:
    """So many rows of each label, drawn at random; all of them where ``each`` is 0."""
    chosen = draw(labels, each, seed)
    return [texts[row] for row in chosen], [labels[row] for row in chosen]


def draw(labels: list[str], each: int, seed: int) -> list[int]:
    """Positions of so many rows of each label, in their order; of all where ``each`` is 0."""
    if not each:
        return list(range(len(labels)))
    by_label = defaultdict(list)
    for row in np.random.default_rng(seed).permutation(len(labels)):
        by_label[labels[row]].append(int(row))
    return sorted(row for found in by_label.values() for row in found[:each])


def bench_of(learnt: Rows, judged: Rows, *, backbone: str, seed: int, folder: str) -> Any:
    """A workbench that trains on the first rows and scores the second."""
    from payoff.adapt.workbench import Workbench

    labels = tuple(sorted(set(learnt[1])))
    index = {label: i for i, label in enumerate(labels)}
    n = len(learnt[0])
    return Workbench(
        texts=(*learnt[0], *judged[0]),
        targets=np.array([index[label] for label in (*learnt[1], *judged[1])]),
        labels=labels,
        train=np.arange(n),
        validation=np.arange(n, n + len(judged[0])),
        backbones=(backbone,) if backbone else (),
        folder=Path(folder),
        seed=seed,
    )
