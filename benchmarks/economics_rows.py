"""All rows of a data set on one workbench, encoded once, for benchmarks/economics.py.

Training, validation and test rows are sets of row numbers of that workbench, so that any cut of
them shares the vectors, which lie in the benchmark's runs folder.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data_sets import rows

HERE = Path(__file__).resolve().parent
RUNS = HERE / "runs" / "economics"
PARTS = {
    "banking77": {"train": ["train"], "valid": [], "test": ["test"]},
    "clinc150": {
        "train": ["train", "oos_train"],
        "valid": ["valid", "oos_valid"],
        "test": ["test", "oos_test"],
    },
}
ENCODER, TABLE = "minilm-l6", "wordllama-256"
FROZEN_LAYERS = 3


@dataclass(frozen=True)
class Rows:
    """A workbench over all rows, and the published part that each is of.

    Args:
        bench: The workbench; nothing on it is trained or judged on yet.
        part: ``"train"``, ``"valid"`` or ``"test"`` of each row.
    """

    bench: Any
    part: Any

    def of(self, part: str) -> Any:
        """Row numbers of a published part."""
        return np.flatnonzero(self.part == part)


def all_rows(data: Path, name: str) -> Rows:
    """The data set with its out-of-scope rows, as a label of their own."""
    from payoff.adapt.workbench import Workbench

    texts: list[str] = []
    labels: list[str] = []
    part: list[str] = []
    for published, files in PARTS[name].items():
        for file in files:
            found = rows(data, name, file)
            texts += found[0]
            labels += found[1]
            part += [published] * len(found[0])
    names = tuple(sorted(set(labels)))
    index = {label: i for i, label in enumerate(names)}
    folder = RUNS / name
    folder.mkdir(parents=True, exist_ok=True)
    nobody = np.zeros(0, dtype=np.int64)
    bench = Workbench(
        texts=tuple(texts),
        targets=np.array([index[label] for label in labels]),
        labels=names,
        train=nobody,
        validation=nobody,
        backbones=(ENCODER, TABLE),
        folder=folder / "activations",
    )
    bench.opened(ENCODER).trunk.expected.add(FROZEN_LAYERS)
    return Rows(bench, np.array(part))


def static_vectors(bench: Any, name: str) -> None:
    """Take the static vectors from the runs folder, or put them there."""
    opened, path = bench.opened(TABLE), RUNS / name / "static.npy"
    if path.exists():
        opened.static = np.load(path)  # a cached property
    else:
        np.save(path, opened.static)
