"""Exports held against their artifact on test rows: probabilities, flipped decisions, megabytes.

    python benchmarks/exports.py bank.payoff --data FOLDER --targets onnx huggingface tflite
    python benchmarks/exports.py --show

Each target is written, loaded by its own runtime and asked for the same texts; its probabilities
are decided by the artifact's policy. Every result is a line in results/exports.jsonl. Test rows
only report.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import record
from data_sets import rows

RESULTS = Path(__file__).resolve().parent / "results" / "exports.jsonl"


def by_example(folder: Path, texts: list[str], labels: tuple[str, ...]) -> np.ndarray:
    """What the folder's own program prints."""
    program = [sys.executable, str(folder / "example.py"), *texts]
    told = subprocess.run(program, capture_output=True, text=True, encoding="utf-8", check=True)
    found = [json.loads(line)["probabilities"] for line in told.stdout.splitlines()]
    return np.array([[row[label] for label in labels] for row in found])


def by_pipeline(folder: Path, texts: list[str], labels: tuple[str, ...]) -> np.ndarray:
    """What the pipeline of transformers says."""
    import transformers

    classify = transformers.pipeline(
        "text-classification", str(folder), trust_remote_code=True, truncation=True
    )
    found = [{one["label"]: one["score"] for one in row} for row in classify(texts, top_k=None)]
    return np.array([[row[label] for label in labels] for row in found])


def by_mlflow(folder: Path, texts: list[str], labels: tuple[str, ...]) -> np.ndarray:
    """What MLflow's model says."""
    import mlflow
    import pandas as pd

    table = mlflow.pyfunc.load_model(str(folder)).predict(pd.DataFrame({"text": texts}))
    return np.asarray(table[[f"p({label})" for label in labels]])


RUNNERS = {
    "onnx": by_example,
    "tflite": by_example,
    "peft": by_example,
    "huggingface": by_pipeline,
    "mlflow": by_mlflow,
}


def measure(
    artifact: Path, target: str, texts: list[str], options: dict[str, str]
) -> dict[str, Any]:
    """How far a target's probabilities are, how many decisions differ, and its megabytes."""
    import payoff
    from payoff.artifact.target import Targets

    with tempfile.TemporaryDirectory() as place, payoff.load(artifact) as desk:
        written = Targets().named(target).write(desk.artifact, Path(place) / "out", options=options)
        found = RUNNERS[target](written.path, texts, desk.labels)
        expected = desk.probabilities(texts)
        before = desk.policy.decide(expected).names(desk.labels)
        after = desk.policy.decide(np.asarray(found, np.float64)).names(desk.labels)
        return {
            "tier": desk.artifact.tiers[-1].name,
            "n": len(texts),
            "difference": float(np.abs(found - expected).max()),
            "flipped": sum(a != b for a, b in zip(before, after, strict=True)),
            "megabytes": round(written.size_bytes / 1e6, 1),
        }


def show() -> None:
    """A table of the newest results."""
    print("| target | model | texts | largest difference of a probability | flipped | MB |")
    print("|---|---|---:|---:|---:|---:|")
    for line in record.latest(RESULTS):
        one = line["result"]
        figures = f"{one['difference']:.1e} | {one['flipped']} | {one['megabytes']}"
        print(f"| `{line['target']}` | {one['tier']} | {one['n']} | {figures} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("artifact", type=Path, nargs="?")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--name", default="banking77")
    parser.add_argument("--texts", type=int, default=400)
    parser.add_argument("--targets", nargs="*", default=["onnx", "huggingface", "mlflow"])
    parser.add_argument("--base", default="", help="of the target peft")
    parser.add_argument("--show", action="store_true")
    given = parser.parse_args()
    if given.show:
        show()
        return
    texts = rows(given.data, given.name, "test")[0]
    drawn = np.random.default_rng(0).permutation(len(texts))[: given.texts]
    chosen = [texts[i] for i in drawn]
    for target in given.targets:
        key = {"target": target, "data": given.name, "n": len(chosen)}
        options = {"base": given.base} if target == "peft" else {}
        result = measure(given.artifact, target, chosen, options)
        record.append(RESULTS, key, result, f"benchmarks/exports.py … --targets {target}")
        print(target, result, flush=True)


if __name__ == "__main__":
    main()
