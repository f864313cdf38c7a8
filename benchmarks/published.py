"""Quality on the splits that others publish on: test rows, three seeds, settings fixed before.

    python benchmarks/published.py
    python benchmarks/published.py --only clinc150 mpnet-base
    python benchmarks/published.py --show

The few-label rows are those of the data sets' own few-shot files; a seed moves the training alone.
Settings were chosen on validation rows. The activations of a data set and backbone are computed
once, so that seconds are not kept here. Every result is a line in results/published.jsonl as soon
as it is there, and is not computed again.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import record
from data_sets import bench_of, rows

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "published.jsonl"
UPPER_HALF, LAST_TWO = {"depth": 6}, {"depth": 10}

Row = tuple[str, dict[str, Any]]
WANTED: dict[tuple[str, str, str], list[Row]] = {
    ("banking77", "fewshot_train_5", "minilm-l6"): [("named-head", {}), ("contrastive", {})],
    ("banking77", "fewshot_train_10", "minilm-l6"): [("named-head", {}), ("contrastive", {})],
    ("clinc150", "fewshot_train_5", "minilm-l6"): [("named-head", {}), ("contrastive", {})],
    ("clinc150", "fewshot_train_10", "minilm-l6"): [("named-head", {}), ("contrastive", {})],
    ("tweeteval_emotion", "train", "minilm-l6"): [("frozen-head", {}), ("fine-tune", {})],
    ("banking77", "train", "minilm-l6"): [("frozen-head", {}), ("fine-tune", {}), ("averaged", {})],
    ("clinc150", "train", "minilm-l6"): [("frozen-head", {}), ("fine-tune", {})],
    ("zh_waimai_10k", "train", "e5-small-multi"): [("frozen-head", {}), ("fine-tune", LAST_TWO)],
    ("banking77", "train", "mpnet-base"): [("frozen-head", {}), ("fine-tune", UPPER_HALF)],
}


def candidate_of(recipe: str, settings: dict[str, Any], bench: Any) -> Any:
    """The recipe's usual candidate with these settings in place of its own."""
    from payoff.adapt.recipes import recipe_named

    usual = recipe_named(recipe).standard(bench)[0]
    return replace(usual, settings=tuple({**dict(usual.settings), **settings}.items()))


def score(candidate: Any, bench: Any) -> dict[str, Any]:
    """Accuracy and macro-F1 on the test rows."""
    from sklearn.metrics import f1_score

    from payoff.adapt.recipes import recipe_named

    attempt = recipe_named(candidate.recipe).start(candidate, bench)
    attempt.advance(1.0)
    predicted = attempt.logits(bench.validation).argmax(1)
    truth = bench.targets[bench.validation]
    return {
        "accuracy": float((predicted == truth).mean()),
        "macro_f1": float(f1_score(truth, predicted, average="macro")),
        "n_train": len(bench.train),
        "settings": dict(candidate.settings),
    }


def run(data: Path, only: list[str], seeds: list[int]) -> None:
    """All that is wanted and not there yet."""
    done = [
        ((r["set"], r["part"], r["backbone"], r["recipe"], r["seed"]), r["result"]["settings"])
        for r in record.latest(RESULTS)
    ]
    for (name, part, backbone), recipes in WANTED.items():
        if only and not {name, part, backbone} & set(only):
            continue
        with tempfile.TemporaryDirectory() as folder:
            bench = bench_of(
                rows(data, name, part),
                rows(data, name, "test"),
                backbone=backbone,
                seed=0,
                folder=folder,
            )
            left = []
            for seed in seeds:
                for recipe, settings in recipes:
                    candidate = candidate_of(recipe, settings, bench)
                    key = (name, part, backbone, recipe, seed)
                    if (key, dict(candidate.settings)) not in done:
                        left.append((candidate, seed))
            depths = {dict(candidate.settings).get("depth", 0) for candidate, _ in left}
            if left:
                bench.opened(backbone).trunk.prepare(depths)
            for candidate, seed in left:
                result = score(candidate, replace(bench, seed=seed))
                key_told = {
                    "set": name,
                    "part": part,
                    "backbone": backbone,
                    "recipe": candidate.recipe,
                    "seed": seed,
                }
                record.append(RESULTS, key_told, result, "python benchmarks/published.py")
                print(key_told, result, flush=True)


def show() -> None:
    """Means and spreads over seeds."""
    found: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for line in record.latest(RESULTS):
        found[line["set"], line["part"], line["backbone"], line["recipe"]].append(line["result"])
    for key, results in found.items():
        parts = []
        for figure in ("accuracy", "macro_f1"):
            values = [100 * result[figure] for result in results]
            spread = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
            parts.append(f"{figure} {statistics.fmean(values):.2f}{spread}")
        print(f"{' '.join(key):60} {', '.join(parts)} (n={len(results)})")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data")
    parser.add_argument("--only", nargs="*", default=[], help="names of sets, parts or backbones")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--show", action="store_true")
    options = parser.parse_args()
    if options.show:
        show()
    else:
        run(options.data, options.only, options.seeds)


if __name__ == "__main__":
    main()
