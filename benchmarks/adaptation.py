"""Adapting pretrained models: how fast, how good, for how many labels.

    python benchmarks/adaptation.py throughput
    OMP_NUM_THREADS=1 python benchmarks/adaptation.py quality --labels 10 --recipes lora fine-tune
    python benchmarks/adaptation.py ingredients
    python benchmarks/adaptation.py --show

Every result is a line in results/adaptation.jsonl as soon as it is there; what has one for this
commit is not run again. Recipes run with their usual settings, which were chosen on validation
rows; test rows only report. Nothing else may compute while `throughput` runs;
`quality` tells processor seconds.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import record
from data_sets import bench_of, draw, rows

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "adaptation.jsonl"
ROUNDS = 3
N_TEXTS = 1600
N_UNLABELLED = 2000
INGREDIENTS: dict[str, dict[str, Any]] = {
    "all": {},
    "head not started": {"head_start": False},
    "first token instead of mean": {"pooling": "cls"},
    "no label smoothing": {"smoothing": 0.0},
    "one rate for all": {"head_learning_rate": 2e-4},
    "half the rate": {"learning_rate": 1e-4},
    "twice the rate": {"learning_rate": 4e-4},
    "contrastive term": {"contrast": 0.1},
}


def quality(
    data: Path, *, name: str, recipe: str, backbone: str, each: int, seed: int
) -> dict[str, Any]:
    """Accuracy and macro-F1 on the test rows, and what the training takes of one processor.

    The texts are encoded beforehand, as a search does for all recipes at once. Those that learn
    from texts alone have 2,000 training texts that were not drawn, without their labels.
    """
    from sklearn.metrics import f1_score

    from payoff.adapt.recipes import recipe_named

    texts, labels = rows(data, name, "train")
    chosen = draw(labels, each, seed)
    rest = np.setdiff1d(np.arange(len(texts)), chosen)[:N_UNLABELLED]
    learnt = [texts[i] for i in chosen], [labels[i] for i in chosen]
    made = recipe_named(recipe)
    with tempfile.TemporaryDirectory() as folder:
        bench = bench_of(
            learnt, rows(data, name, "test"), backbone=backbone, seed=seed, folder=folder
        )
        bench = replace(bench, unlabelled=tuple(texts[i] for i in rest))
        candidate = made.standard(bench)[0]
        if backbone and bench.opened(backbone).backbone.family == "encoder":
            bench.opened(backbone).trunk.prepare({dict(candidate.settings).get("depth", 0)})
        started = time.process_time()
        attempt = made.start(candidate, bench)
        attempt.advance(1.0)
        cpu_s = time.process_time() - started
        predicted = attempt.logits(bench.validation).argmax(1)
    truth = bench.targets[bench.validation]
    tuned = getattr(attempt, "training", None)
    return {
        "cpu_s": cpu_s,
        "trained_share": tuned.classifier.trained_share() if tuned else None,
        "n_train": len(learnt[0]),
        "accuracy": float((predicted == truth).mean()),
        "macro_f1": float(f1_score(truth, predicted, average="macro")),
    }


def throughput(data: Path) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Texts a second of one training epoch, all methods in turn, some rounds."""
    import opponents
    from payoff.adapt.backbones.installation import ensure
    from payoff.adapt.recipes import recipe_named

    texts, labels = rows(data, "banking77", "train")
    chosen = np.random.default_rng(0).permutation(len(texts))[:N_TEXTS]
    some = [texts[i] for i in chosen], [labels[i] for i in chosen]
    folder = ensure("minilm-l6")
    peers: dict[str, dict[str, Any]] = {
        "Trainer, as usual": {"tuned": False, "grouped": False},
        "Trainer, tuned": {},
        "peft LoRA in the Trainer": {"lora_rank": 8, "grouped": False},
        "peft LoRA in the Trainer, grouped": {"lora_rank": 8},
    }
    ours = {
        "payoff fine-tune, all layers": ("fine-tune", 0),
        "payoff fine-tune, upper half": ("fine-tune", 3),
        "payoff LoRA, all layers": ("lora", 0),
        "payoff LoRA, upper half": ("lora", 3),
    }
    for turn in range(ROUNDS):
        for name, options in peers.items():
            done = opponents.trainer(folder, *some, epochs=1, **options)
            yield {"method": name, "round": turn}, {"texts_per_s": done.texts_per_s}
        for name, (recipe, depth) in ours.items():
            made = recipe_named(recipe)
            with tempfile.TemporaryDirectory() as place:
                bench = bench_of(some, ([], []), backbone="minilm-l6", seed=0, folder=place)
                candidate = made.standard(bench)[0]
                settings = {**dict(candidate.settings), "depth": depth, "epochs": 1.0}
                attempt = made.start(
                    type(candidate)(recipe, "minilm-l6", tuple(settings.items())), bench
                )
                attempt.training  # noqa: B018  (the pass below the trained layers, and the head)
                started = time.perf_counter()
                attempt.advance(1.0)
                seconds = time.perf_counter() - started
            yield {"method": name, "round": turn}, {"texts_per_s": len(some[0]) / seconds}


def ingredient(data: Path, *, change: str, seed: int) -> dict[str, Any]:
    """The upper half of MiniLM on BANKING77 with one thing changed, on validation rows."""
    from sklearn.model_selection import train_test_split

    from payoff.adapt.engine.classifier import Classifier, classifier_logits
    from payoff.adapt.engine.finetuning import FineTuning, Schedule
    from payoff.adapt.engine.objectives.cross_entropy import CrossEntropy
    from payoff.core.progress import Silent

    options = dict(INGREDIENTS[change])
    texts, labels = rows(data, "banking77", "train")
    split = train_test_split(texts, labels, test_size=2000, stratify=labels, random_state=seed)
    learnt, judged = (split[0], split[2]), (split[1], split[3])
    with tempfile.TemporaryDirectory() as place:
        bench = bench_of(learnt, judged, backbone="minilm-l6", seed=seed, folder=place)
        opened = bench.opened("minilm-l6")
        head = opened.start_head(bench.train)
        weight, bias = head.weight, head.bias
        if not options.pop("head_start", True):
            weight = np.random.default_rng(seed).normal(0, 0.02, weight.shape).astype(np.float32)
            bias = np.zeros_like(bias)
        opened.encoder.pooling = options.pop("pooling", "mean")
        objective = CrossEntropy(
            smoothing=options.pop("smoothing", 0.1), contrast=options.pop("contrast", 0.0)
        )
        training = FineTuning(
            Classifier(opened.encoder, 3, weight, bias),
            opened.trunk,
            bench.targets,
            rows=bench.train,
            schedule=Schedule(depth=3, seed=seed, **options),
            objective=objective,
            progress=Silent(),
        )
        opened.trunk.prepare((3,))
        started = time.perf_counter()
        training.advance(1.0)
        seconds = time.perf_counter() - started
        logits = classifier_logits(training.classifier, opened.trunk, bench.validation)
    right = logits.argmax(1) == bench.targets[bench.validation]
    return {"accuracy": float(right.mean()), "seconds": seconds}


def show() -> None:
    """Medians and means of what is there, the newest commit of each key."""
    found: dict[tuple[Any, ...], dict[Any, dict[str, Any]]] = defaultdict(dict)
    for line in record.lines(RESULTS):
        varied = {"seed", "round", "result", "commit", "machine", "command"}
        key = tuple(sorted((k, v) for k, v in line.items() if k not in varied))
        found[key][line.get("seed"), line.get("round")] = line["result"]
    for key, results in sorted(found.items(), key=str):
        parts = []
        for figure in next(iter(results.values())):
            values = [r[figure] for r in results.values() if r[figure] is not None]
            if not values:
                continue
            spread = f" ± {statistics.stdev(values):.4g}" if len(values) > 1 else ""
            parts.append(f"{figure} {statistics.fmean(values):.4g}{spread}")
        print(" ".join(str(v) for _, v in key), f"(n={len(results)}):", ", ".join(parts))


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="?", choices=("throughput", "quality", "ingredients"))
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data")
    parser.add_argument("--sets", nargs="+", default=["banking77"])
    parser.add_argument("--recipes", nargs="+", default=["frozen-head", "fine-tune"])
    parser.add_argument("--backbone", default="minilm-l6")
    parser.add_argument("--labels", nargs="+", type=int, default=[0], help="a class; 0 is all")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--show", action="store_true")
    options = parser.parse_args()
    if options.show or not options.part:
        show()
        return
    command = f"python benchmarks/adaptation.py {options.part}"
    if options.part == "throughput":
        for varied, result in throughput(options.data):
            record.append(RESULTS, {"part": "throughput", **varied}, result, command)
        show()
        return
    for key in _keys(options):
        if record.is_done(RESULTS, key):
            continue
        if options.part == "ingredients":
            result = ingredient(options.data, change=key["change"], seed=key["seed"])
        else:
            result = quality(
                options.data,
                name=key["set"],
                recipe=key["recipe"],
                backbone=key["backbone"],
                each=key["labels"],
                seed=key["seed"],
            )
        record.append(RESULTS, key, result, command)
        print(key, result, flush=True)


def _keys(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    for seed in options.seeds:
        if options.part == "ingredients":
            for change in INGREDIENTS:
                yield {"part": "ingredients", "change": change, "seed": seed}
            continue
        for name in options.sets:
            for each in options.labels:
                for recipe in options.recipes:
                    yield {
                        "part": "quality",
                        "set": name,
                        "labels": each,
                        "recipe": recipe,
                        "backbone": options.backbone,
                        "seed": seed,
                    }


if __name__ == "__main__":
    main()
