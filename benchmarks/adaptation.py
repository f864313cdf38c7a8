"""Adapting pretrained models: how fast, how good, for how many labels.

    python benchmarks/adaptation.py throughput
    OMP_NUM_THREADS=1 python benchmarks/adaptation.py quality --labels 10 --recipes lora fine-tune
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


def quality(
    data: Path, *, name: str, recipe: str, backbone: str, each: int, seed: int, judged: int = 0
) -> dict[str, Any]:
    """Accuracy and macro-F1 on the test rows, and what the training takes of one processor.

    The texts are encoded beforehand, as a search does for all recipes at once; the activations stay
    in the benchmark's runs folder. Those that learn from texts alone have 2,000 training texts
    drawn at random from the rest, without their labels. Backbones may be several, with + between
    them. Where ``each`` is below 0 no label is learnt from; a decoder may be judged by some of the
    test rows, drawn at random.
    """
    from sklearn.metrics import f1_score

    from payoff.adapt.recipes import recipe_named

    texts, labels = rows(data, name, "train")
    chosen = draw(labels, max(each, 1) if each else 0, seed)
    others = np.setdiff1d(np.arange(len(texts)), chosen)  # in the file, by label
    rest = np.random.default_rng([seed, 1]).permutation(others)[:N_UNLABELLED]
    learnt = [texts[i] for i in chosen], [labels[i] for i in chosen]
    made = recipe_named(recipe)
    folder = HERE / "runs" / "quality" / f"{name}-{each}-{seed}"  # activations for all recipes
    test = rows(data, name, "test")
    if judged:
        folder = folder.with_name(f"{folder.name}-{judged}")
        some = np.random.default_rng(0).permutation(len(test[0]))[:judged]
        test = [test[0][i] for i in some], [test[1][i] for i in some]
    folder.mkdir(parents=True, exist_ok=True)
    bench = bench_of(learnt, test, backbone="", seed=seed, folder=str(folder))
    bench = replace(
        bench,
        backbones=tuple(backbone.split("+")) if backbone else (),
        unlabelled=tuple(texts[i] for i in rest),
        train=bench.train[:0] if each < 0 else bench.train,
    )
    candidate = made.standard(bench)[0]
    for one in bench.backbones:
        if bench.opened(one).backbone.family == "encoder":
            bench.opened(one).trunk.prepare({dict(candidate.settings).get("depth", 0)})
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
        "n_train": len(bench.train),
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
    parser.add_argument("part", nargs="?", choices=("throughput", "quality"))
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data")
    parser.add_argument("--sets", nargs="+", default=["banking77"])
    parser.add_argument("--recipes", nargs="+", default=["frozen-head", "fine-tune"])
    parser.add_argument("--backbone", default="minilm-l6")
    parser.add_argument(
        "--labels", nargs="+", type=int, default=[0], help="a class; 0 is all, -1 none"
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--judged", type=int, default=0, help="test rows; 0 is all")
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
        result = quality(
            options.data,
            name=key["set"],
            recipe=key["recipe"],
            backbone=key["backbone"],
            each=key["labels"],
            seed=key["seed"],
            judged=options.judged,
        )
        record.append(RESULTS, key, result, command)
        print(key, result, flush=True)


def _keys(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    for seed in options.seeds:
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
                        **({"judged": options.judged} if options.judged else {}),
                    }


if __name__ == "__main__":
    main()
