"""Trainings from a head that learnt the labels' names, beside the same from rows alone.

    OMP_NUM_THREADS=1 python benchmarks/named_start.py --sets banking77 clinc150 --labels 1 2 5 10
    python benchmarks/named_start.py --show

Judged by 2,000 rows of the training file that nothing learnt from: this chose how few rows a label
names count for (decision 15), and test rows took no part. Results are lines in
results/named_start.jsonl.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

import record
from data_sets import bench_of, draw, rows

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "named_start.jsonl"
COMMAND = "python benchmarks/named_start.py"
N_JUDGED = 2000
STARTS = {"rows": 0, "rows and names": 1 << 30}  # rows a label up to which names count


def measure(data: Path, key: dict[str, Any]) -> dict[str, float]:
    """Accuracy of both."""
    from payoff.adapt.recipes import recipe_named

    texts, labels = rows(data, key["set"], "train")
    order = np.random.default_rng([key["seed"], 7]).permutation(len(texts))
    judged, rest = order[:N_JUDGED], order[N_JUDGED:]
    chosen = [rest[i] for i in draw([labels[i] for i in rest], key["labels"], key["seed"])]
    parts = [([texts[i] for i in part], [labels[i] for i in part]) for part in (chosen, judged)]
    found = {}
    for name, few in STARTS.items():
        with (
            tempfile.TemporaryDirectory() as folder,
            patch("payoff.adapt.recipes.named_fit._FEW", few),
        ):
            bench = bench_of(*parts, backbone="minilm-l6", seed=key["seed"], folder=folder)
            made = recipe_named(key["recipe"])
            attempt = made.start(made.standard(bench)[0], bench)
            attempt.advance(1.0)
            said = attempt.logits(bench.validation).argmax(1)
            found[name] = float((said == bench.targets[bench.validation]).mean())
    return found


def show() -> None:
    """A line a set, recipe and number of labels."""
    for line in record.latest(RESULTS):
        told = ", ".join(f"{name} {share:.2%}" for name, share in line["result"].items())
        print(line["set"], line["recipe"], f"{line['labels']} a class, seed {line['seed']}:", told)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data")
    parser.add_argument("--sets", nargs="+", default=["banking77"])
    parser.add_argument("--recipes", nargs="+", default=["fine-tune", "lora"])
    parser.add_argument("--labels", nargs="+", type=int, default=[1, 2, 5, 10])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--show", action="store_true")
    options = parser.parse_args()
    if not options.show:
        keys = [
            {"set": name, "labels": each, "recipe": recipe, "seed": seed}
            for seed in options.seeds
            for name in options.sets
            for each in options.labels
            for recipe in options.recipes
        ]
        for key in keys:
            if not record.is_done(RESULTS, key):
                record.append(RESULTS, key, measure(options.data, key), COMMAND)
    show()


if __name__ == "__main__":
    main()
