"""Several LoRA models of one backbone in one process: what each further one costs in memory.

    python benchmarks/shared_backbone.py
    python benchmarks/shared_backbone.py --show

Five LoRA models are trained on a few hundred texts each (of CLINC150, other intents for each) and
written twice: folded into the backbone, as usual, and with the setting merged=0. A process of its
own opens one after the other with `payoff.load` and tells its memory after each, then the
processor's time for a decision, one thread; ways in turn. Every result is a line in
results/shared_backbone.jsonl.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import record
from data_sets import bench_of, rows

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "shared_backbone.jsonl"
WAYS = {"folded": 1, "apart": 0}
N_MODELS, N_LABELS, N_EACH = 5, 10, 20

SERVING = """
import gc, json, sys, time
from payoff.economics.desk import load

def memory(what):
    with open("/proc/self/status") as file:
        found = [line for line in file if line.startswith(what)]
    return int(found[0].split()[1]) * 1024

paths, texts = json.loads(sys.stdin.read())
import onnxruntime, tokenizers
desks, told = [], {"resident_bytes": [memory("VmRSS")], "load_cpu_ms": []}
for path in paths:
    begin = time.process_time()
    desks.append(load(path, threads=1))
    told["load_cpu_ms"].append((time.process_time() - begin) * 1e3)
    desks[-1].decide(texts[0])
    gc.collect()
    told["resident_bytes"].append(memory("VmRSS"))
told["peak_bytes"] = memory("VmHWM")
times = []
for text in texts:
    for desk in desks:
        begin = time.process_time()
        desk.decide(text)
        times.append((time.process_time() - begin) * 1e3)
times.sort()
told["decide_cpu_ms"] = times[len(times) // 2]
print(json.dumps(told))
"""


def make(data: Path, number: int, folder: Path) -> tuple[dict[str, Path], float]:
    """One model as an artifact of each way, and how far their probabilities are apart."""
    from payoff.adapt.recipes.lora import Lora
    from payoff.adapt.recipes.searched import with_settings
    from payoff.artifact.artifact import Artifact

    learnt = chosen(data, number)
    bench = bench_of(learnt, learnt, backbone="minilm-l6", seed=0, folder=str(folder / "trunk"))
    recipe = Lora()
    usual = with_settings(recipe, recipe.standard(bench)[0], bench, {"epochs": 1.0})
    attempt = recipe.start(usual, bench)
    attempt.advance(1.0)
    folder.mkdir(parents=True, exist_ok=True)
    attempt.save(folder)
    paths, probabilities = {}, []
    for way, merged in WAYS.items():
        candidate = with_settings(recipe, usual, bench, {"merged": merged})
        tier = folder / way
        paths[way] = artifact(recipe.export(candidate, bench, folder, tier), tier, bench.labels)
        with Artifact.open(paths[way], threads=1) as opened:
            probabilities.append(opened.probabilities(learnt[0][:40]))
    return paths, float(np.abs(probabilities[0] - probabilities[1]).max())


def chosen(data: Path, number: int) -> tuple[list[str], list[str]]:
    """So many texts of each of a model's own intents."""
    texts, labels = rows(data, "clinc150", "train")
    mine = sorted(set(labels))[number * N_LABELS : (number + 1) * N_LABELS]
    left = dict.fromkeys(mine, N_EACH)
    learnt: tuple[list[str], list[str]] = ([], [])
    for text, label in zip(texts, labels, strict=True):
        if left.get(label, 0):
            left[label] -= 1
            learnt[0].append(text)
            learnt[1].append(label)
    return learnt


def artifact(spec: Any, tier: Path, labels: tuple[str, ...]) -> Path:
    """A tier as an artifact that `payoff.load` opens."""
    from payoff.artifact.artifact import write_artifact
    from payoff.artifact.calibration import Calibration
    from payoff.economics.desk import policy_document
    from payoff.economics.policy import Policy

    values = np.eye(N_LABELS, N_LABELS + 1) * 10 - 5
    return write_artifact(
        tier.with_suffix(".payoff"),
        name="lora",
        labels=labels,
        tiers=[(spec, tier)],
        calibrations=[Calibration()],
        documents={"policy.json": policy_document(Policy(labels, values), "USD")},
        seed=0,
        data_fingerprint="0" * 64,
    )


def serve(paths: list[Path], texts: list[str]) -> dict[str, Any]:
    """What a process of its own says of opening and asking them."""
    ran = subprocess.run(
        [sys.executable, "-c", SERVING],
        input=json.dumps([[str(path) for path in paths], texts]),
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(ran.stdout)
    resident = found.pop("resident_bytes")
    return {
        "first_mb": (resident[1] - resident[0]) / 1e6,
        "further_mb": (resident[-1] - resident[1]) / (len(paths) - 1) / 1e6,
        "resident_mb": resident[-1] / 1e6,
        "peak_mb": found["peak_bytes"] / 1e6,
        "first_load_cpu_ms": found["load_cpu_ms"][0],
        "further_load_cpu_ms": statistics.fmean(found["load_cpu_ms"][1:]),
        "decide_cpu_ms": found["decide_cpu_ms"],
    }


def show() -> None:
    """Medians over the rounds."""
    for way in WAYS:
        lines = [one["result"] for one in record.lines(RESULTS) if one["way"] == way]
        if lines:
            figures = {name: statistics.median(one[name] for one in lines) for name in lines[0]}
            print(f"{way:8}", ", ".join(f"{name} {value:.4g}" for name, value in figures.items()))


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--show", action="store_true")
    options = parser.parse_args()
    if options.show:
        show()
        return
    texts = rows(options.data, "clinc150", "test")[0][:40]
    with tempfile.TemporaryDirectory() as place:
        made = [make(options.data, number, Path(place) / str(number)) for number in range(N_MODELS)]
        apart = max(difference for _, difference in made)
        for number in range(options.rounds):
            for way in WAYS:
                result = serve([paths[way] for paths, _ in made], texts)
                result["probability_apart"] = apart
                key = {"way": way, "models": N_MODELS, "round": number}
                record.append(RESULTS, key, result, "python benchmarks/shared_backbone.py")
    show()


if __name__ == "__main__":
    main()
