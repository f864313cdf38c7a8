"""The models that shipping is measured with: a fine-tuned encoder, and students of it.

    python benchmarks/shipping_models.py                 # trains what is not there yet
    python benchmarks/shipping_models.py --set zh_waimai_10k

Each is a tier in the benchmark's runs folder, with its ``tier.json`` beside its files. All learn
the same rows: the training rows without those that are held out for validation. A student hears
what the fine-tuned encoder says of them.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from data_sets import Rows, bench_of
from published import candidate_of, parts

HERE = Path(__file__).resolve().parent
RUNS = HERE / "runs" / "shipping"
TEACHER = "fine-tuned"


@dataclass(frozen=True)
class Wanted:
    """What is trained on a data set."""

    backbone: str
    recipe: str
    settings: dict[str, Any]
    students: dict[str, dict[str, Any]] = field(default_factory=dict)


def made(**smaller: float) -> dict[str, Any]:
    """A student that starts from its teacher's layers and learns from made-up texts too."""
    return {**smaller, "start": 1, "truth": 0.25, "made": 3}


SETS = {
    "banking77": Wanted(
        "minilm-l6",
        "fine-tune",
        {},
        {
            "6 layers, 4 bits": {"layers": 6, "bits": 4, "epochs": 3.0},
            "3 layers, 8 bits": {"layers": 3, "bits": 8, "epochs": 4.0},
            "3 layers, 3 bits": {"layers": 3, "bits": 3, "epochs": 6.0},
            "2 layers, 4 bits": {"layers": 2, "bits": 4, "epochs": 6.0},
            "6 layers, 4 bits, from the teacher's": {
                "layers": 6,
                "bits": 4,
                "epochs": 2.0,
                "start": 1,
                "truth": 0.0,
            },
            "2 layers, 4 bits, from the teacher's": {
                "layers": 2,
                "bits": 4,
                "epochs": 8.0,
                "start": 1,
                "truth": 0.25,
            },
            "3 layers, 3 bits, from the teacher's": {
                "layers": 3,
                "bits": 3,
                "epochs": 6.0,
                "start": 1,
                "truth": 0.25,
            },
            "6 layers, 4 bits, made-up texts": made(layers=6, bits=4, epochs=2.0),
            "3 layers, 3 bits, made-up texts": made(layers=3, bits=3, epochs=5.0),
            "2 layers, 4 bits, made-up texts": made(layers=2, bits=4, epochs=6.0),
            "4 layers, 8 bits, made-up texts": made(layers=4, bits=8, epochs=3.0),
        },
    ),
    "zh_waimai_10k": Wanted(
        "e5-small-multi",
        "fine-tune",
        {"depth": 10, "tuned": 1.0},
        {
            "12 layers, 4 bits": {"layers": 12, "bits": 4, "epochs": 2.0},
            "6 layers, 4 bits": {"layers": 6, "bits": 4, "epochs": 3.0},
        },
    ),
}


def bench_for(data: Path, name: str) -> tuple[Any, Rows]:
    """The workbench, and the rows held out for validation."""
    learnt, judged = parts(data, name, "train", "validation")
    wanted = SETS[name]
    folder = RUNS / name / "activations"
    folder.mkdir(parents=True, exist_ok=True)
    return bench_of(learnt, judged, backbone=wanted.backbone, seed=0, folder=str(folder)), judged


def model(name: str, what: str) -> tuple[Any, Path]:
    """A model's tier and its folder.

    Raises:
        FileNotFoundError: Where it was not trained yet.
    """
    from payoff.artifact.tier import TierSpec

    folder = RUNS / name / what
    told = json.loads((folder / "tier.json").read_text("utf-8"))
    spec = TierSpec(told["name"], told["kind"], tuple(told["members"]), told["settings"])
    return spec, folder / "files"


def _teacher_file(name: str, bench: Any) -> Path:
    """The fine-tuned encoder as an artifact, which students are taught by."""
    from payoff.artifact.calibration import Calibration
    from payoff.artifact.write import write_artifact

    target = RUNS / name / "teacher.payoff"
    if not target.exists():
        write_artifact(
            target,
            name="teacher",
            labels=bench.labels,
            tiers=[model(name, TEACHER)],
            calibrations=[Calibration()],
            documents={},
            seed=0,
            data_fingerprint="",
        )
    return target


def train(name: str, what: str, bench: Any) -> dict[str, Any]:
    """Train one model and write its tier."""
    from payoff.adapt.recipes import recipe_named

    wanted = SETS[name]
    recipe, settings = wanted.recipe, wanted.settings
    if what != TEACHER:
        smaller = {"depth": 0, "tuned": 1.0, "teacher": str(_teacher_file(name, bench))}
        recipe, settings = "distil-encoder", {**smaller, **wanted.students[what]}
    candidate = candidate_of(recipe, settings, bench)
    begun = time.perf_counter()
    attempt = recipe_named(recipe).start(candidate, bench)
    attempt.advance(1.0)
    folder = RUNS / name / what
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "attempt").mkdir(exist_ok=True)
    attempt.save(folder / "attempt")
    spec = recipe_named(recipe).export(candidate, bench, folder / "attempt", folder / "files")
    right = attempt.logits(bench.validation).argmax(1) == bench.targets[bench.validation]
    told = replace(spec, name=what).as_dict() | {
        "seconds": time.perf_counter() - begun,
        "validation": float(np.mean(right)),
    }
    (folder / "tier.json").write_text(json.dumps(told, ensure_ascii=False, indent=1), "utf-8")
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data")
    parser.add_argument("--set", choices=tuple(SETS), nargs="*", default=[*SETS])
    parser.add_argument("--only", nargs="*", default=[])
    options = parser.parse_args()
    for name in options.set:
        bench, _ = bench_for(options.data, name)
        for what in (TEACHER, *SETS[name].students):
            if options.only and what not in options.only:
                continue
            if not (RUNS / name / what / "tier.json").exists():
                told = train(name, what, bench)
                print(name, what, told["validation"], f"{told['seconds']:.0f} s", flush=True)


if __name__ == "__main__":
    main()
