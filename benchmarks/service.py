"""The service under load: answers a second, their seconds, and its memory.

    python benchmarks/service.py load       # 64 clients and one, against a plain handler
    python benchmarks/service.py load --bento PYTHON   # and BentoML, of that environment
    python benchmarks/service.py memory     # 200,000 requests
    python benchmarks/service.py show
    python benchmarks/service.py page       # writes the part of docs/serving.md

The model is minilm-l6 with a head learnt on BANKING77, rounded to 8 bits; texts are the test texts
of 16 tokens. The journal is an SQLite file. Clients are a process of their own on the same cores
(`service_load.py`). What the model alone can do is measured in a process of its own: batches of 64
texts through onnxruntime, cut by tokenizers. All contenders take turns in each round. Every result
is a line in results/service.jsonl as soon as it is there.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import record
from data_sets import bench_of, rows
from published import candidate_of

HERE = Path(__file__).resolve().parent
RUNS = HERE / "runs" / "service"
RESULTS = HERE / "results" / "service.jsonl"
N_TOKENS = 16
N_CLIENTS = 64
COMMAND = "python benchmarks/service.py"


def prepare(data: Path) -> tuple[Path, Path, Path]:
    """The artifact, a folder with the same model for onnxruntime alone, and the texts."""
    artifact, plain, texts = RUNS / "desk.payoff", RUNS / "plain", RUNS / "texts.json"
    if artifact.exists() and texts.exists():
        return artifact, plain, texts
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from tokenizers import Tokenizer

    from payoff.adapt.compress.int8 import Int8
    from payoff.adapt.recipes import recipe_named
    from payoff.artifact.calibration import Calibration
    from payoff.artifact.write import write_artifact
    from payoff.economics.desk import policy_document
    from payoff.economics.payoff import Payoff
    from payoff.economics.policy import Policy

    shutil.rmtree(RUNS, ignore_errors=True)
    plain.mkdir(parents=True)
    learnt, judged = rows(data, "banking77", "train"), rows(data, "banking77", "test")
    bench = bench_of(learnt, judged, backbone="minilm-l6", seed=0, folder=str(RUNS / "trunk"))
    candidate = candidate_of("frozen-head", {}, bench)
    recipe = recipe_named("frozen-head")
    attempt = recipe.start(candidate, bench)
    attempt.advance(1.0)
    (RUNS / "attempt").mkdir()
    attempt.save(RUNS / "attempt")
    spec = recipe.export(candidate, bench, RUNS / "attempt", RUNS / "files")
    small = Int8().compress(spec, RUNS / "files", RUNS / "small", texts=learnt[0][:200])
    quantize_dynamic(
        RUNS / "files" / "model.onnx",
        plain / "model.onnx",
        per_channel=True,
        weight_type=QuantType.QInt8,
        extra_options={"DefaultTensorType": 1},
    )
    shutil.copyfile(RUNS / "files" / "tokenizer.json", plain / "tokenizer.json")
    tokenizer = Tokenizer.from_file(str(plain / "tokenizer.json"))
    tokenizer.no_padding()
    found = [t for t in judged[0] if len(tokenizer.encode(t).ids) == N_TOKENS]
    texts.write_text(json.dumps(found), "utf-8")
    payoff = Payoff(correct=3, wrong=-8, handoff=-2, currency="USD")
    policy = Policy.from_payoff(payoff, bench.labels)
    write_artifact(
        artifact,
        name="desk",
        labels=bench.labels,
        tiers=[(small, RUNS / "small")],
        calibrations=[Calibration()],
        documents={"policy.json": json.dumps(policy_document(policy, "USD")).encode()},
        seed=0,
        data_fingerprint="",
    )
    return artifact, plain, texts


def free_port() -> int:
    """One that nothing listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def running(command: list[str], port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A server, once it answers."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        else:
            raise RuntimeError(f"{command} does not answer")
        time.sleep(1.0)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def served(artifact: Path, port: int, journal: Path) -> list[str]:
    """The command of the service."""
    told = ["--port", str(port), "--journal", str(journal), "--quiet"]
    return [sys.executable, "-m", "payoff.cli.main", "serve", str(artifact), *told]


def asked(port: int, n_clients: int, seconds: float, texts: Path, *form: str) -> dict[str, float]:
    """What the clients saw."""
    words = [str(port), str(n_clients), str(seconds), str(texts), "/v1/decide", *form]
    command = [sys.executable, str(HERE / "service_load.py"), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


ALONE = """
import json, sys, time
import numpy as np, onnxruntime as ort
from tokenizers import Tokenizer
folder, rows = sys.argv[1:]
texts = json.load(open(rows))
session = ort.InferenceSession(folder + "/model.onnx", providers=["CPUExecutionProvider"])
tokenizer = Tokenizer.from_file(folder + "/tokenizer.json"); tokenizer.enable_padding()
def answer(some):
    cut = tokenizer.encode_batch(some)
    feed = {"input_ids": np.array([c.ids for c in cut], np.int64),
            "attention_mask": np.array([c.attention_mask for c in cut], np.int64)}
    return session.run(["logits"], feed)[0].argmax(1)
def quantile(size, until):
    took, n = [], 0
    end = time.perf_counter() + until
    while time.perf_counter() < end:
        begun = time.perf_counter()
        answer([texts[(n + i) % len(texts)] for i in range(size)])
        took.append(time.perf_counter() - begun); n += size
    return n / sum(took), sorted(took)[len(took) // 2]
quantile(64, 1.0)
many, one = quantile(64, 5.0), quantile(1, 3.0)
print(json.dumps({"texts_per_s": many[0], "single_ms": 1e3 * one[1]}))
"""


def alone(plain: Path, texts: Path) -> dict[str, float]:
    """The model by itself."""
    command = [sys.executable, "-c", ALONE, str(plain), str(texts)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def load(options: argparse.Namespace) -> None:
    """Each contender in turn."""
    artifact, plain, texts = prepare(options.data)
    for turn in range(options.rounds):
        keep("onnxruntime alone", turn, alone(plain, texts))
        with tempfile.TemporaryDirectory() as folder:
            port = free_port()
            with running(served(artifact, port, Path(folder) / "journal.db"), port):
                for n_clients in (N_CLIENTS, 1):
                    result = asked(port, n_clients, options.seconds, texts)
                    keep(f"payoff serve, {n_clients} clients", turn, result)
        port = free_port()
        command = [sys.executable, str(HERE / "service_plain.py"), str(plain), str(port)]
        with running(command, port):
            for n_clients in (N_CLIENTS, 1):
                result = asked(port, n_clients, options.seconds, texts)
                keep(f"plain FastAPI, {n_clients} clients", turn, result)
        if options.bento is None:
            continue
        port = free_port()
        command = [str(options.bento), str(HERE / "service_bento.py"), str(plain), str(port)]
        with running(command, port):
            for n_clients in (N_CLIENTS, 1):
                result = asked(port, n_clients, options.seconds, texts, "list")
                keep(f"BentoML, {n_clients} clients", turn, result)


def keep(contender: str, turn: int, result: dict[str, Any]) -> None:
    """Write one result down."""
    key = {"part": "load", "contender": contender, "round": turn}
    record.append(RESULTS, key, result, f"{COMMAND} load")
    print(key, {name: round(value, 2) for name, value in result.items()}, flush=True)


def resident_bytes(pid: int) -> int:
    """Memory of a process."""
    fields = Path(f"/proc/{pid}/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


def memory(options: argparse.Namespace) -> None:
    """Resident memory along many requests."""
    artifact, _, texts = prepare(options.data)
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        with running(served(artifact, port, Path(folder) / "journal.db"), port) as process:
            n, seen = 0, []
            while n < options.requests:
                n += int(asked(port, N_CLIENTS, 20, texts)["n"])
                seen.append([n, resident_bytes(process.pid)])
                print(seen[-1], flush=True)
    record.append(RESULTS, {"part": "memory"}, {"requests_bytes": seen}, f"{COMMAND} memory")


def medians() -> dict[str, dict[str, float]]:
    """Of each contender and figure, over rounds."""
    found: dict[str, dict[str, list[float]]] = {}
    for line in record.latest(RESULTS):
        if line["part"] == "load":
            own = found.setdefault(line["contender"], {})
            for name, value in line["result"].items():
                own.setdefault(name, []).append(value)
    return {
        who: {name: statistics.median(values) for name, values in own.items()}
        for who, own in found.items()
    }


def show() -> None:
    """Medians over rounds."""
    for who, own in medians().items():
        print(who, {name: round(value, 2) for name, value in own.items()})
    print(page())


def page() -> str:
    """What docs/serving.md says of them: ratios, since no machine is like another."""
    median = medians()
    alone = median["onnxruntime alone"]
    lines = [
        "| | texts a second, of the model alone | p50 of one client, over the model | p99 of 64"
        " clients, in times of one client's p50 |",
        "|---|---:|---:|---:|",
    ]
    for who in ("payoff serve", "plain FastAPI", "BentoML"):
        if f"{who}, 1 clients" not in median:
            continue
        many, one = median[f"{who}, {N_CLIENTS} clients"], median[f"{who}, 1 clients"]
        lines.append(
            f"| {who} | {many['answers_per_s'] / alone['texts_per_s']:.0%}"
            f" | + {one['p50_ms'] - alone['single_ms']:.1f} ms"
            f" | {many['p99_ms'] / one['p50_ms']:.0f} |"
        )
    told = "\n".join(lines)
    for line in record.latest(RESULTS):
        if line["part"] == "memory":
            seen = line["result"]["requests_bytes"]
            n, last = seen[-1]
            told += (
                f"\n\nMemory after {seen[0][0]:,} requests was {seen[0][1] / 1e6:.0f} MB, after"
                f" {n:,} requests {last / 1e6:.0f} MB."
            )
    return told


def write_page() -> None:
    """Put it between the marks of the page."""
    path = HERE.parent / "docs" / "serving.md"
    text = path.read_text("utf-8")
    before, rest = text.split("<!-- figures:begin -->", 1)
    after = rest.split("<!-- figures:end -->", 1)[1]
    about = (
        "minilm-l6 in 8 bits, texts of 16 tokens, journal on; clients share both cores. The"
        " others keep no journal (`python benchmarks/service.py load`, medians)."
    )
    marks = f"<!-- figures:begin -->\n{about}\n\n{page()}\n<!-- figures:end -->"
    path.write_text(before + marks + after, "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=("load", "memory", "show", "page"))
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--requests", type=int, default=200_000)
    parser.add_argument("--bento", type=Path, help="the Python of an environment with BentoML")
    options = parser.parse_args()
    if options.part == "show":
        show()
    elif options.part == "page":
        write_page()
    else:
        {"load": load, "memory": memory}[options.part](options)


if __name__ == "__main__":
    main()
