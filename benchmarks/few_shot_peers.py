"""Few labels: payoff's contrastive recipe against setfit, same backbone, same rows, in turn.

    pip install setfit==1.2.0
    python benchmarks/few_shot_peers.py
    python benchmarks/few_shot_peers.py --show

Nothing else may compute meanwhile. setfit takes `num_iterations` pairs a text and side: with its
default sampling it would build every pair. Every result is a line in
results/few_shot_peers.jsonl as soon as it is there.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

import record
from data_sets import Rows, bench_of, few, rows

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "few_shot_peers.jsonl"


def setfit(learnt: Rows, judged: Rows, *, iterations: int, seed: int) -> dict[str, Any]:
    """Setfit 1.2 with its defaults but for the number of pairs."""
    from datasets import Dataset
    from setfit import SetFitModel, Trainer, TrainingArguments

    from payoff.adapt.backbones.installation import ensure

    names = sorted(set(learnt[1]))
    started = time.perf_counter()
    model = SetFitModel.from_pretrained(str(ensure("minilm-l6")))
    codes = [names.index(label) for label in learnt[1]]
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            batch_size=32,
            num_epochs=1,
            num_iterations=iterations,
            seed=seed,
            report_to=[],
            save_strategy="no",
        )
        table = Dataset.from_dict({"text": learnt[0], "label": codes})
        trainer = Trainer(model=model, args=arguments, train_dataset=table)
        trainer.train()
    seconds = time.perf_counter() - started
    predicted = np.asarray(model.predict(judged[0]))
    truth = np.array([names.index(label) for label in judged[1]])
    return {"seconds": seconds, "accuracy": float((predicted == truth).mean())}


def ours(recipe: str, learnt: Rows, judged: Rows, *, seed: int) -> dict[str, Any]:
    """A recipe with its usual settings; its seconds hold everything but the judged rows."""
    from payoff.adapt.recipes import recipe_named

    made = recipe_named(recipe)
    with tempfile.TemporaryDirectory() as folder:
        alone = bench_of(
            learnt, ([], []), backbone="minilm-l6", seed=seed, folder=folder + "/alone"
        )
        started = time.perf_counter()
        made.start(made.standard(alone)[0], alone).advance(1.0)
        seconds = time.perf_counter() - started
        bench = bench_of(learnt, judged, backbone="minilm-l6", seed=seed, folder=folder)
        attempt = made.start(made.standard(bench)[0], bench)
        attempt.advance(1.0)
        right = attempt.logits(bench.validation).argmax(1) == bench.targets[bench.validation]
    return {"seconds": seconds, "accuracy": float(right.mean())}


def show() -> None:
    """Means and spreads over seeds."""
    found: dict[tuple[str, int], list[dict[str, float]]] = defaultdict(list)
    for line in record.latest(RESULTS):
        found[line["method"], line["labels"]].append(line["result"])
    for (method, each), results in sorted(found.items(), key=str):
        scores = [100 * r["accuracy"] for r in results]
        spread = f" ± {statistics.stdev(scores):.1f}" if len(scores) > 1 else ""
        seconds = statistics.median(r["seconds"] for r in results)
        print(
            f"{each:3} a class  {method:28} {statistics.fmean(scores):.1f}{spread} {seconds:.0f} s"
        )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data")
    parser.add_argument("--labels", nargs="+", type=int, default=[10])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--iterations", type=int, default=4)
    parser.add_argument("--recipes", nargs="+", default=["contrastive"])
    parser.add_argument("--show", action="store_true")
    options = parser.parse_args()
    if options.show:
        show()
        return
    judged = rows(options.data, "banking77", "test")
    for each in options.labels:
        for seed in options.seeds:
            learnt = few(*rows(options.data, "banking77", "train"), each, seed)
            for method in [*options.recipes, f"setfit, {options.iterations} iterations"]:
                key = {"method": method, "labels": each, "seed": seed}
                if record.is_done(RESULTS, key):
                    continue
                if method in options.recipes:
                    result = ours(method, learnt, judged, seed=seed)
                else:
                    result = setfit(learnt, judged, iterations=options.iterations, seed=seed)
                record.append(RESULTS, key, result, "python benchmarks/few_shot_peers.py")
                print(key, result, flush=True)


if __name__ == "__main__":
    main()
