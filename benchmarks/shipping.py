"""Shipping: how small and how fast a model becomes, and what that costs in accuracy.

    python benchmarks/shipping_models.py      # the models, first
    python benchmarks/shipping.py forms       # size and accuracy of every form
    python benchmarks/shipping.py speed       # beside the usual tools, in turn, alone
    python benchmarks/shipping.py walk        # what `payoff compress` tries, priced; alone
    python benchmarks/shipping.py table       # writes the tables and the picture into the docs

A form is a trained model and a way to compress it. Forms are chosen on validation rows (2,000 of
the training rows, which no model learnt from), by log loss, which tells more apart than accuracy
does with so many rows (decision 9); the test rows only report. Every result is a line
in results/shipping.jsonl as soon as it is there.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import record
from data_sets import rows
from published import parts
from shipping_models import RUNS, SETS, TEACHER, model

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "shipping.jsonl"
WAYS = {
    TEACHER: (
        "",
        "zstd",
        "trim",
        "fp16",
        "int8",
        "int8+zstd",
        "int8-static",
        "int4+zstd",
        "trim+int8",
        "trim+int8+zstd",
        "trim+codebook+int8+zstd",
        "trim+few-levels+int8+zstd",
        "trim+few-levels[table=47]+int8+zstd",
        "trim+few-levels[table=31]+int8-static+zstd",
        "trim[general=6000]+few-levels[table=47]+int8-static+zstd",
        "trim+few-levels[levels=11,table=31]+int8+zstd",
        "trim[general=4000]+few-levels[levels=11,table=31]+int8+zstd",
        "trim[general=6000]+few-levels[levels=17,table=31]+int8-static+zstd",
        "trim[general=4000]+few-levels[levels=19,table=31]+int8-static+zstd",
        "trim[general=2000]+few-levels+int8+zstd",
        "trim[general=500]+few-levels[levels=11,table=31]+int8+zstd",
        "prune+trim+int8+zstd",
        "low-rank+trim+int8+zstd",
        "trim+sparse+int8+zstd",
        "trim+int8+early-exit",
        "trim+int8+early-exit+zstd",
    ),
    "6 layers, 4 bits": (
        "",
        "trim+int8",
        "trim+int8-static",
        "trim+few-levels[table=63]+int8-static+zstd",
        "trim[general=6000]+few-levels[table=47]+int8-static+zstd",
    ),
    "3 layers, 3 bits": (
        "",
        "trim+int8",
        "trim[general=2000]+few-levels[levels=7,table=31]+int8-static+zstd",
        "trim[general=1000]+few-levels[levels=7,table=47]+int8-static+zstd",
        "trim[general=500]+few-levels[levels=7,table=31]+int8+zstd",
    ),
    "6 layers, 4 bits, from the teacher's": (
        "",
        "trim+int8-static",
        "trim+few-levels+int8+zstd",
        "trim+few-levels[table=31]+int8-static+zstd",
        "trim[general=6000]+few-levels[table=47]+int8-static+zstd",
    ),
    "3 layers, 3 bits, from the teacher's": (
        "",
        "trim+int8",
        "trim+int8-static",
        "trim[general=2000]+few-levels[levels=7,table=47]+int8-static+zstd",
        "trim[general=2000]+few-levels[levels=7,table=31]+int8-static+zstd",
        "trim[general=500]+few-levels[levels=7,table=23]+int8-static+zstd",
    ),
    "2 layers, 4 bits, from the teacher's": (
        "",
        "trim+int8",
        "trim[general=2000]+few-levels[table=31]+int8-static+zstd",
        "trim[general=500]+few-levels[table=23]+int8-static+zstd",
    ),
    "6 layers, 4 bits, made-up texts": (
        "",
        "trim+int8",
        "trim+few-levels+int8+zstd",
        "trim+few-levels[table=31]+int8-static+zstd",
        "trim[general=6000]+few-levels[table=47]+int8-static+zstd",
        "trim[general=4000]+few-levels[table=31]+int8+zstd",
    ),
    "3 layers, 3 bits, made-up texts": (
        "",
        "trim+int8",
        "trim[general=2000]+few-levels[levels=7,table=47]+int8-static+zstd",
        "trim[general=2000]+few-levels[levels=7,table=31]+int8-static+zstd",
        "trim[general=500]+few-levels[levels=7,table=23]+int8-static+zstd",
        "trim[general=250]+few-levels[levels=7,table=23]+int8-static+zstd",
        "trim[general=500]+few-levels[levels=7,table=19]+int8-static+zstd",
        "trim[general=250]+few-levels[levels=7,table=15]+int8-static+zstd",
    ),
    "2 layers, 4 bits, made-up texts": (
        "",
        "trim+int8",
        "trim[general=2000]+few-levels[table=31]+int8-static+zstd",
        "trim[general=500]+few-levels[table=31]+int8-static+zstd",
        "trim[general=500]+few-levels[table=23]+int8-static+zstd",
    ),
    "4 layers, 8 bits, made-up texts": (
        "",
        "trim+int8",
        "trim+int8-static",
        "trim+int8+zstd",
        "trim+few-levels+int8+zstd",
        "trim+few-levels[levels=31,table=47]+int8+zstd",
        "trim+few-levels[levels=31,table=31]+int8+zstd",
        "trim[general=6000]+few-levels[levels=31,table=47]+int8-static+zstd",
        "trim+few-levels[levels=23,table=47]+int8+zstd",
    ),
    "12 layers, 4 bits": (
        "",
        "trim+int8+zstd",
        "trim+few-levels+int8+zstd",
        "trim[general=2000]+few-levels+int8+zstd",
        "trim[general=500]+few-levels[table=31]+int8+zstd",
        "trim[general=500]+few-levels[table=31]+int8-static+zstd",
    ),
    "2 layers, 4 bits": (
        "",
        "trim+int8",
        "trim[general=2000]+few-levels[table=31]+int8-static+zstd",
        "trim[general=500]+few-levels[table=31]+int8-static+zstd",
    ),
    "": ("", "trim+int8", "trim+int8-static", "trim+int8+zstd"),
}
"""Of the fine-tuned encoder, of students. What a student was trained with is kept by as
many levels: 15 for 4 bits, 7 for 3."""

TIMED = (
    (TEACHER, ""),
    (TEACHER, "int8"),
    (TEACHER, "int8-static"),
    (TEACHER, "trim+int8"),
    (TEACHER, "trim+int8+early-exit"),
    (TEACHER, "trim+few-levels[table=31]+int8-static+zstd"),
    ("6 layers, 4 bits, from the teacher's", "trim+int8"),
    ("4 layers, 8 bits, made-up texts", "trim+int8"),
    ("3 layers, 3 bits, made-up texts", "trim+int8"),
    ("2 layers, 4 bits, made-up texts", "trim+int8"),
)


MONEY = [
    "--correct", "3", "--wrong", "-25", "--handoff", "-2", "--currency", "USD",
    "--per-month", "40000", "--most-lost", "0.3",
]  # fmt: skip


def artifact_of(name: str, what: str, way: str, texts: list[str], labels: tuple[str, ...]) -> Path:
    """A form as an artifact, made if it is not there."""
    from payoff.adapt.compress import compress_by
    from payoff.artifact.calibration import Calibration
    from payoff.artifact.write import write_artifact

    target = RUNS / name / "forms" / f"{what} {way or 'fp32'}.payoff"
    if target.exists():
        return target
    target.parent.mkdir(exist_ok=True)
    spec, folder = model(name, what)
    place = RUNS / name / "forms" / f"{what} {way}"
    if way:
        shutil.rmtree(place, ignore_errors=True)
        spec = compress_by(way, spec, folder, place, texts=texts)
        folder = place
    write_artifact(
        target,
        name=name,
        labels=labels,
        tiers=[(spec, folder)],
        calibrations=[Calibration()],
        documents={},
        seed=0,
        data_fingerprint="",
    )
    shutil.rmtree(place, ignore_errors=True)
    return target


def is_done(key: dict[str, Any]) -> bool:
    """Whether there is a result; remove the file to measure again."""
    return any(key.items() <= line.items() for line in record.lines(RESULTS))


class Rows:
    """The rows of a data set: learnt from, chosen by, reported on."""

    def __init__(self, data: Path, name: str) -> None:
        self.learnt, self.validation = parts(data, name, "train", "validation")
        self.test = rows(data, name, "test")
        self.labels = tuple(sorted(set(self.learnt[1])))
        self.places = {label: place for place, label in enumerate(self.labels)}

    def right(self, decided: list[int], judged: tuple[list[str], list[str]]) -> float:
        """Share of the rows that are decided rightly."""
        truth = np.array([self.places[label] for label in judged[1]])
        return float((np.array(decided) == truth).mean())

    def log_loss(self, logits: Any, judged: tuple[list[str], list[str]]) -> float:
        """Of calibrated probabilities, each row by a temperature of the others, in nats."""
        from payoff.evidence.calibration import cross_fitted
        from payoff.evidence.quality import log_losses

        truth = np.array([self.places[label] for label in judged[1]])
        return float(log_losses(cross_fitted(logits, truth), truth).mean())


def wanted_forms(name: str, options: argparse.Namespace) -> list[tuple[str, str]]:
    """Models and ways, the fine-tuned model as it was trained first."""
    models = options.models or (TEACHER, *SETS[name].students)
    found = [(what, way) for what in models for way in options.ways or WAYS.get(what, WAYS[""])]
    return [*dict.fromkeys([(TEACHER, ""), *found])]


def forms(options: argparse.Namespace) -> None:
    """Size, accuracy and flipped decisions of every form."""
    from payoff.artifact.artifact import Artifact

    for name in options.set:
        told = Rows(options.data, name)
        whole: dict[str, Any] = {}
        for what, way in wanted_forms(name, options):
            if not (RUNS / name / what / "tier.json").exists():
                print(f"{name}: '{what}' is not trained yet")
                continue
            key = {"part": "form", "set": name, "model": what, "way": way or "fp32"}
            if is_done(key) and (what, way) != (TEACHER, ""):
                continue
            path = artifact_of(name, what, way, told.learnt[0], told.labels)
            result: dict[str, Any] = {"size_bytes": path.stat().st_size}
            with Artifact.open(path) as artifact:
                for part in ("validation", "test"):
                    judged = getattr(told, part)
                    logits = artifact.logits(judged[0])
                    said = logits.argmax(axis=1)
                    result[part] = told.right(said.tolist(), judged)
                    first = whole.setdefault(part, said)
                    result[f"{part}_flipped"] = int((said != first).sum())
                    result[f"{part}_rows"] = len(said)
                    if part == "validation":
                        result["validation_log_loss"] = told.log_loss(logits, judged)
            if not is_done(key):
                record.append(RESULTS, key, result, "python benchmarks/shipping.py forms")
            print(key, result, flush=True)


def contenders(name: str, told: Rows) -> dict[str, tuple[str, Path]]:
    """What is timed: its kind and its path."""
    from payoff.artifact.artifact import Artifact
    from payoff.artifact.target import Targets

    whole = artifact_of(name, TEACHER, "", told.learnt[0], told.labels)
    folder = RUNS / name / "peers"
    folder.mkdir(exist_ok=True)
    hub, plain, small = folder / "huggingface", folder / "onnx-fp32", folder / "onnx-int8"
    if not hub.exists():
        with Artifact.open(whole) as artifact:
            Targets().named("huggingface").write(artifact, hub, options={})
    if not plain.exists():
        files = model(name, TEACHER)[1]
        shutil.copytree(files, plain)
    if not small.exists():
        from onnxruntime.quantization import QuantType, quantize_dynamic

        small.mkdir()
        quantize_dynamic(
            plain / "model.onnx",
            small / "model.onnx",
            per_channel=True,
            weight_type=QuantType.QInt8,
            extra_options={"DefaultTensorType": 1},
        )
        shutil.copyfile(plain / "tokenizer.json", small / "tokenizer.json")
    found = {
        "transformers.pipeline": ("pipeline", hub),
        "onnxruntime fp32": ("onnxruntime", plain),
        "onnxruntime int8": ("onnxruntime", small),
    }
    for what, way in TIMED:
        if (RUNS / name / what / "tier.json").exists():
            path = artifact_of(name, what, way, told.learnt[0], told.labels)
            found[f"{what} {way or 'fp32'}"] = ("payoff", path)
    return found


def speed(options: argparse.Namespace) -> None:
    """Every contender in turn, each time in a fresh process."""
    for name in options.set:
        told = Rows(options.data, name)
        texts = RUNS / name / "test.json"
        texts.write_text(json.dumps(told.test[0], ensure_ascii=False), "utf-8")
        able = contenders(name, told)
        for turn in range(options.rounds):
            for contender, (kind, path) in able.items():
                key = {"part": "speed", "set": name, "contender": contender, "round": turn}
                if is_done(key):
                    continue
                result = timed(kind, path, texts)
                result["test"] = told.right(result.pop("decided"), told.test)
                record.append(RESULTS, key, result, "python benchmarks/shipping.py speed")
                print(key, result, flush=True)


def walk(options: argparse.Namespace) -> None:
    """All forms that `payoff compress` makes of a data set, with what each is expected to earn."""
    for name in options.set:
        key = {"part": "walk", "set": name}
        if record.is_done(RESULTS, key):
            continue
        folder = RUNS / name / "walk"
        folder.mkdir(parents=True, exist_ok=True)
        command = [
            str(Path(sys.executable).with_name("payoff")), "compress",
            str(options.data / name / "train.csv"), "--test", str(options.data / name / "test.csv"),
            "--text", "text", "--label", "label", *MONEY, "--backbone", SETS[name].backbone,
            "--minutes", str(options.minutes), "--out", str(folder / "small.payoff"), "--json",
        ]  # fmt: skip
        done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=True)
        told = json.loads(done.stdout)
        result = {"minutes": options.minutes, **told["compression"]}
        record.append(RESULTS, key, result, "python benchmarks/shipping.py walk")
        print(key, json.dumps(result, indent=1), flush=True)


def timed(kind: str, path: Path, texts: Path) -> dict[str, Any]:
    """One fresh process: seconds to its first answer, and what it prints."""
    command = [sys.executable, str(HERE / "shipping_worker.py"), kind, str(path), str(texts)]
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip() == "answered":
                break
        start_s = time.perf_counter() - begun
        told: dict[str, Any] = json.loads(process.stdout.readline())
    return {"start_s": start_s, **told}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=("forms", "speed", "walk", "table"))
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data")
    parser.add_argument("--set", choices=tuple(SETS), nargs="*", default=["banking77"])
    parser.add_argument("--models", nargs="*", default=[], help="these alone")
    parser.add_argument("--ways", nargs="*", default=[], help="these alone")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=30.0, help="of a walk")
    options = parser.parse_args()
    if options.part == "table":
        from shipping_page import write

        write(record.latest(RESULTS))
        return
    {"forms": forms, "speed": speed, "walk": walk}[options.part](options)


if __name__ == "__main__":
    main()
