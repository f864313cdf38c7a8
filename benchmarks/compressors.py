"""Compressors and sensible chains of them on one model: size, speed, and what is lost.

    python benchmarks/compressors.py --data DATA [--recipe fine-tune] [--ways int8 trim+int8 …]
    python benchmarks/compressors.py --show

minilm-l6 is adapted to BANKING77 on its training rows but 2,000, drawn at random, and judged on
those: settings of compressors are chosen here, so that test rows are not looked at. The trained
model is kept in the benchmark's runs folder. Every way is then written, opened with one thread, and
takes its turn: five rounds of 40 requests one at a time, and of 300 at once. Sizes are told as the
files are, and packed by `zstd`. Every result is a line in results/compressors.jsonl.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import record
from data_sets import bench_of, rows

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "compressors.jsonl"
N_JUDGED = 2000
ROUNDS, N_SINGLE, N_TOGETHER = 5, 40, 300
BACKBONE = "minilm-l6"
WHOLE = "fp32"
WAYS = (
    "int8",
    "int8[reduced=1]",
    "int8-static",
    "int4",
    "fp16",
    "sparse+int8",
    "low-rank+int8",
    "prune[neurons=0.75]+int8",
    "prune[neurons=0.5]+int8",
    "prune[heads=0.75,neurons=1]+int8",
    "codebook+int8",
    "few-levels+int8",
    "trim+int8",
    "trim+int4",
    "trim+few-levels+int8",
    "trim+few-levels[levels=11,table=31]+int8",
    "trim[general=2000]+few-levels[levels=7,table=31]+int8",
    "trim+prune[neurons=0.5]+few-levels+int8",
)


def trained(data: Path, recipe: str, seed: int, folder: Path) -> tuple[Any, Any, Any]:
    """Workbench, tier and its folder; trained at the first call."""
    from payoff.adapt.recipes import recipe_named

    texts, labels = rows(data, "banking77", "train")
    order = np.random.default_rng(seed).permutation(len(texts))
    judged, learnt = np.sort(order[:N_JUDGED]), np.sort(order[N_JUDGED:])
    kept = HERE / "runs" / "compressors" / f"{recipe}-{seed}"
    activations, saved = kept / "activations", kept / "saved"
    activations.mkdir(parents=True, exist_ok=True)
    bench = bench_of(
        ([texts[i] for i in learnt], [labels[i] for i in learnt]),
        ([texts[i] for i in judged], [labels[i] for i in judged]),
        backbone=BACKBONE,
        seed=seed,
        folder=str(activations),
    )
    made = recipe_named(recipe)
    candidate = made.standard(bench)[0]
    if not saved.exists():
        attempt = made.start(candidate, bench)
        attempt.advance(1.0)
        saved.mkdir()
        attempt.save(saved)
    spec = made.export(candidate, bench, saved, folder)
    return bench, spec, folder


def opened(spec: Any, folder: Path) -> Any:
    """The tier as it is served, on one thread."""
    from payoff.artifact.runtime import open_tier

    return open_tier(spec, lambda name: (folder / name).read_bytes(), threads=1)


def n_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def timed(runtimes: dict[str, Any], texts: list[str]) -> dict[str, dict[str, float]]:
    """Milliseconds of a request and texts a processor second; ways in turn."""
    single: dict[str, list[float]] = {way: [] for way in runtimes}
    together: dict[str, list[float]] = {way: [] for way in runtimes}
    for number in range(ROUNDS):
        for way, runtime in runtimes.items():
            for text in texts[number * N_SINGLE : (number + 1) * N_SINGLE]:
                started = time.process_time()
                runtime.logits([text])
                single[way].append((time.process_time() - started) * 1e3)
            started = time.process_time()
            runtime.logits(texts[:N_TOGETHER])
            together[way].append(N_TOGETHER / (time.process_time() - started))
    return {
        way: {
            "p50_cpu_ms": statistics.median(single[way]),
            "texts_a_cpu_s": statistics.median(together[way]),
        }
        for way in runtimes
    }


def run(args: argparse.Namespace) -> None:
    from payoff.adapt.compress import compress_by

    with tempfile.TemporaryDirectory() as place:
        bench, spec, whole = trained(args.data, args.recipe, args.seed, Path(place) / "whole")
        learnt = [bench.texts[row] for row in bench.train]
        texts = [bench.texts[row] for row in bench.validation]
        truth = bench.targets[bench.validation]
        runtimes, found = {WHOLE: opened(spec, whole)}, {}
        found[WHOLE] = {"bytes": n_bytes(whole), "made_cpu_s": 0.0}
        for number, way in enumerate(args.ways):
            small, packed = Path(place) / str(number), Path(place) / f"{number}-packed"
            started = time.process_time()
            made = compress_by(way, spec, whole, small, texts=learnt)
            found[way] = {
                "bytes": n_bytes(small),
                "made_cpu_s": time.process_time() - started,
            }
            compress_by("zstd", made, small, packed)
            found[way]["packed_bytes"] = n_bytes(packed)
            runtimes[way] = opened(made, small)
            print(f"{way}: {found[way]}", flush=True)
        base = runtimes[WHOLE].logits(texts).argmax(1)
        for way, runtime in runtimes.items():
            chosen = runtime.logits(texts).argmax(1)
            found[way]["accuracy"] = float((chosen == truth).mean())
            found[way]["same_decisions"] = float((chosen == base).mean())
        speeds = timed(runtimes, texts)
    for way in runtimes:
        key = {"recipe": args.recipe, "way": way, "seed": args.seed}
        command = (
            f"benchmarks/compressors.py --data DATA --recipe {args.recipe} --seed {args.seed}"
            f" --ways {' '.join(args.ways)}"
        )
        record.append(RESULTS, key, {**found[way], **speeds[way]}, command)


def show() -> None:
    for one in record.latest(RESULTS):
        result = one["result"]
        packed = result.get("packed_bytes", result["bytes"]) / 1e6
        print(
            f"{one['recipe']:12} {one['way']:55} {result['bytes'] / 1e6:6.2f} MB"
            f" packed {packed:6.2f} MB  accuracy {100 * result['accuracy']:.2f}"
            f"  same {100 * result['same_decisions']:.2f}  p50 {result['p50_cpu_ms']:.2f} ms"
            f"  {result['texts_a_cpu_s']:.0f} texts/s"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--recipe", default="fine-tune")
    parser.add_argument("--ways", nargs="+", default=list(WAYS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", action="store_true")
    args = parser.parse_args()
    if args.show:
        show()
        return
    if args.data is None:
        parser.error("--data is needed: the folder that holds the data sets")
    run(args)


if __name__ == "__main__":
    main()
