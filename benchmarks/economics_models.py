"""Models of benchmarks/economics.py that are trained once: what they say, how fast, how large.

    python benchmarks/economics_models.py            # trains what is not there yet
    python benchmarks/economics_models.py measure    # seconds anew, once nothing else computes

Each is trained on the training rows of a data set, exported and measured as it would be served, and
kept in the benchmark's runs folder, so that any number of payoffs can be looked at afterwards.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from economics_rows import (
    ENCODER,
    FROZEN_LAYERS,
    PARTS,
    RUNS,
    TABLE,
    Rows,
    all_rows,
    static_vectors,
)

MODELS = ("bag-of-words", "static-head", "frozen-head", "fine-tune")
BASE = "base encoder"
BASES = {"banking77": "mpnet-base", "clinc150": "mpnet-base"}  # eight times the layers' weights
BASE_LAYERS = 6  # of its twelve that stay as they are: chosen by benchmarks/published.py
N_LATENCY = 500
SHARED = Path(__file__).resolve().parents[2] / "shared"


@dataclass(frozen=True)
class Model:
    """What a trained model says of rows that it was not trained on.

    Args:
        recipe: How it was trained.
        logits: By ``"validation"`` and ``"test"``, ``(n, k)`` each.
        evidence: Its latency, footprint and training, on validation rows.
        training_s: Seconds of training.
    """

    recipe: str
    logits: dict[str, Any]
    evidence: Any
    training_s: float


@dataclass(frozen=True)
class Trained:
    """All models of a data set.

    Args:
        labels: The ``k`` labels.
        train_counts: Training rows of each label.
        truth: By ``"validation"`` and ``"test"``.
        models: The models.
    """

    labels: tuple[str, ...]
    train_counts: Any
    truth: dict[str, Any]
    models: tuple[Model, ...]


def trained(data: Path, name: str) -> Trained:
    """Train what is not there yet, read what is."""
    found = all_rows(data, name)
    train, validation = _cut(found)
    bench = replace(found.bench, train=train, validation=validation)
    rows = {"validation": validation, "test": found.of("test")}
    wanted = (*MODELS, BASE) if name in BASES else MODELS
    models = tuple(_model(bench, rows, name, recipe) for recipe in wanted)
    counts = np.bincount(bench.targets[train], minlength=len(bench.labels))
    truth = {part: bench.targets[chosen] for part, chosen in rows.items()}
    return Trained(bench.labels, counts, truth, models)


def _cut(found: Rows) -> tuple[Any, Any]:
    """Training and validation rows: as published, or 15 % of the training rows of each label."""
    train, validation = found.of("train"), found.of("valid")
    if len(validation):
        return train, validation
    from sklearn.model_selection import train_test_split

    labels = found.bench.targets[train]
    train, validation = train_test_split(train, test_size=0.15, stratify=labels, random_state=0)
    return np.sort(train), np.sort(validation)


def _model(bench: Any, rows: dict[str, Any], name: str, recipe: str) -> Model:
    from payoff.evidence.evidence import Evidence

    folder = RUNS / name / recipe
    if not (folder / "done.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        _train(bench, rows, name, recipe, folder)
    told = json.loads((folder / "done.json").read_text("utf-8"))
    with np.load(folder / "logits.npz") as arrays:
        logits = {part: arrays[part] for part in rows}
    return Model(recipe, logits, Evidence.from_dict(told["evidence"]), told["training_s"])


def _train(bench: Any, rows: dict[str, Any], name: str, recipe: str, folder: Path) -> None:
    from payoff.adapt.recipes import recipe_named
    from payoff.artifact.runtime import open_tier
    from payoff.core.files import write_json

    backbone = {"static-head": TABLE, BASE: BASES.get(name, "")}.get(recipe, ENCODER)
    single = replace(bench, backbones=(backbone,))
    made = recipe_named("fine-tune" if recipe == BASE else recipe)
    candidate = made.standard(single)[0]
    depth = {"fine-tune": FROZEN_LAYERS, BASE: BASE_LAYERS}.get(recipe)
    if depth is not None:  # the upper half, the first that `payoff run` tries
        candidate = candidate.having("depth", depth)
    if recipe == "static-head":
        static_vectors(bench, name)
    if recipe == BASE:
        bench = single
    if candidate.backbone in (ENCODER, BASES.get(name)):
        bench.opened(candidate.backbone).trunk.prepare((depth or FROZEN_LAYERS,))
    print(f"{name}: training {candidate.name}", flush=True)
    started = time.perf_counter()
    attempt = made.start(candidate, bench)
    attempt.advance(1.0)
    seconds = time.perf_counter() - started
    saved = folder / "attempt"
    saved.mkdir(exist_ok=True)
    attempt.save(saved)
    tier = folder / "tier"
    spec = made.export(candidate, bench, saved, tier)
    runtime = open_tier(spec, lambda member: (tier / member).read_bytes())
    logits = {
        part: np.concatenate(
            [runtime.logits([bench.texts[i] for i in few]) for few in _pieces(chosen)]
        )
        for part, chosen in rows.items()
    }
    np.savez(folder / "logits.npz", **logits)
    evidence = _evidence(bench, rows["validation"], logits["validation"], spec, tier, runtime)
    told = {"evidence": evidence.as_dict(), "training_s": seconds, "tier": spec.as_dict()}
    write_json(folder / "done.json", told)
    right = (logits["test"].argmax(1) == bench.targets[rows["test"]]).mean()
    print(f"{name}: {recipe}, {seconds:.0f} s, test accuracy {right:.4f}", flush=True)


def measure(data: Path, name: str) -> None:
    """Measure the latency of all models of a data set anew."""
    from payoff.artifact.runtime import open_tier
    from payoff.artifact.tier import TierSpec
    from payoff.core.files import write_json

    found = all_rows(data, name)
    _, rows = _cut(found)
    for recipe in (*MODELS, BASE):
        folder = RUNS / name / recipe
        told = json.loads((folder / "done.json").read_text("utf-8"))
        kept = told["tier"]
        spec = TierSpec(kept["name"], kept["kind"], tuple(kept["members"]), kept["settings"])
        tier = folder / "tier"
        runtime = open_tier(spec, lambda member, tier=tier: (tier / member).read_bytes())
        with np.load(folder / "logits.npz") as arrays:
            evidence = _evidence(found.bench, rows, arrays["validation"], spec, tier, runtime)
        write_json(folder / "done.json", told | {"evidence": evidence.as_dict()})
        print(f"{name}: {recipe}, {evidence.latency.texts_per_s:.0f} texts/s", flush=True)


def _pieces(rows: Any) -> Any:
    return np.array_split(rows, max(1, len(rows) // 512))


def _evidence(bench: Any, rows: Any, logits: Any, spec: Any, tier: Path, runtime: Any) -> Any:
    """Latency on one thread and the footprint of an artifact with this tier alone."""
    from payoff.artifact.write import write_artifact
    from payoff.evidence.calibration import fit_temperature
    from payoff.evidence.evidence import Evidence
    from payoff.evidence.footprint import measure_footprint
    from payoff.evidence.latency import measure_latency
    from payoff.evidence.machine import this_machine

    truth = bench.targets[rows]
    calibration = fit_temperature(logits, truth)
    trial = tier.with_name("trial.payoff")
    write_artifact(
        trial, name="trial", labels=bench.labels, tiers=[(spec, tier)],
        calibrations=[calibration], documents={}, seed=0, data_fingerprint="",
    )  # fmt: skip
    texts = [bench.texts[i] for i in rows[:N_LATENCY]]
    return Evidence.of(
        "validation",
        logits,
        truth,
        probabilities=calibration.apply(logits),
        latency=measure_latency(runtime.logits, texts, threads=1),
        footprint=measure_footprint(trial),
        machine=this_machine(),
    )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=("train", "measure"), nargs="?", default="train")
    parser.add_argument("--data", type=Path, default=SHARED / "data")
    options = parser.parse_args()
    for name in PARTS:
        (trained if options.part == "train" else measure)(options.data, name)


if __name__ == "__main__":
    main()
