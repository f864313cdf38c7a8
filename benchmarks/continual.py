"""Learning over time: a fifth of CLINC150's intents comes later.

    python benchmarks/continual.py                    # judged by validation rows
    python benchmarks/continual.py --judged test
    python benchmarks/continual.py --show

The recipe `continual` learns 120 intents, keeps some of their texts, and learns 30 more. Told is
the accuracy on the old intents before and after, on the new ones, and that of learning all 150 at
once. Settings are chosen on validation rows. Every result is a line in results/continual.jsonl.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import record
from data_sets import bench_of, rows

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "continual.jsonl"
N_LATER = 30
WAYS: dict[str, dict[str, Any]] = {
    "usual": {},
    "nothing kept": {"kept_texts": 0, "replay": 0.0},
    "with distillation": {"distillation": 1.0},
    "with some distillation": {"distillation": 0.3},
    "with consolidation": {"consolidation": 100.0},
    "1,000 kept": {"kept_texts": 1000},
    "3,000 kept": {"kept_texts": 3000},
    "6,000 kept": {"kept_texts": 6000},
    "6,000 kept, with distillation": {"kept_texts": 6000, "distillation": 1.0},
}


def measure(bench: Any, later: np.ndarray, settings: dict[str, Any]) -> dict[str, Any]:
    """One continual training."""
    from payoff.adapt.recipes.continual import ContinualTuning

    recipe = ContinualTuning()
    came = bench.train[np.isin(bench.train_targets, later)]
    bench = replace(bench, later=came)
    usual = recipe.standard(bench)[0]
    changed = {**dict(usual.settings), **settings}
    attempt = recipe.start(replace(usual, settings=tuple(changed.items())), bench)
    truth = bench.targets[bench.validation]
    new = np.isin(truth, later)
    attempt.advance(0.5)
    before = attempt.logits(bench.validation).argmax(1) == truth
    attempt.advance(1.0)
    after = attempt.logits(bench.validation).argmax(1) == truth
    lost = attempt.forgotten()
    assert lost is not None
    return {
        "old_before": float(before[~new].mean()),
        "old_after": float(after[~new].mean()),
        "new_after": float(after[new].mean()),
        "worst_class_lost": lost.worst,
        "settings": changed,
    }


def at_once(bench: Any, later: np.ndarray) -> dict[str, Any]:
    """All intents learnt together, by the same schedule."""
    from payoff.adapt.recipes.fine_tune import FineTune

    recipe = FineTune()
    usual = recipe.standard(bench)[0]
    settings = {**dict(usual.settings), "depth": 3}
    attempt = recipe.start(replace(usual, settings=tuple(settings.items())), bench)
    attempt.advance(1.0)
    truth = bench.targets[bench.validation]
    right = attempt.logits(bench.validation).argmax(1) == truth
    new = np.isin(truth, later)
    return {"old_after": float(right[~new].mean()), "new_after": float(right[new].mean())}


def show(judged: str) -> None:
    """Means and spreads over seeds, in per cent."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for line in record.lines(RESULTS):
        if line["judged"] == judged:
            kept = line["result"].get("settings", {}).get("kept_texts")
            way = line["way"] if kept is None else f"{line['way']}, {kept:,} texts kept"
            for figure, value in line["result"].items():
                if isinstance(value, float):
                    found[way][figure].append(100 * value)
    for way, figures in found.items():
        told = (
            f"{figure} {statistics.fmean(values):.2f}"
            + (f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else "")
            for figure, values in figures.items()
        )
        print(f"{way:36}", ", ".join(told))


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data")
    parser.add_argument("--judged", choices=("validation", "test"), default="validation")
    parser.add_argument("--ways", nargs="+", default=[*WAYS, "at once"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--show", action="store_true")
    options = parser.parse_args()
    if options.show:
        show(options.judged)
        return
    learnt = rows(options.data, "clinc150", "train")
    judged = rows(options.data, "clinc150", "test" if options.judged == "test" else "valid")
    with tempfile.TemporaryDirectory() as folder:
        base = bench_of(learnt, judged, backbone="minilm-l6", seed=0, folder=folder)
        for seed in options.seeds:
            bench = replace(base, seed=seed)
            later = np.random.default_rng(seed).permutation(len(bench.labels))[:N_LATER]
            for way in options.ways:
                key = {"judged": options.judged, "way": way, "seed": seed}
                if any(key.items() <= line.items() for line in record.lines(RESULTS)):
                    continue
                result = (
                    at_once(bench, later) if way == "at once" else measure(bench, later, WAYS[way])
                )
                record.append(RESULTS, key, result, "python benchmarks/continual.py")
                print(key, result, flush=True)


if __name__ == "__main__":
    main()
