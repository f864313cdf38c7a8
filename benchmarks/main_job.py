"""The main job beside the usual alternatives, in one order, on one machine.

    python benchmarks/main_job.py --data ../shared/data            # everything
    python benchmarks/main_job.py --data ../shared/data --only payoff --sets banking77
    python benchmarks/main_job.py --show                           # the figures so far

Every part runs in a process of its own, one after the other, and appends one line to the results.
Parts that have a line for this commit are not run again.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import record

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "main_job.jsonl"
SEED = 0
PARTS = ("tfidf", "frozen", "trainer", "payoff", "serving")
DEAR = {
    "banking77": ["lost_or_stolen_card", "compromised_card", "card_payment_not_recognised"],
    "clinc150": ["report_fraud", "report_lost_card", "card_declined"],
}


def rows(data: Path, name: str, part: str) -> tuple[list[str], list[str]]:
    """Texts and labels; CLINC150 with its out-of-scope texts as one more class."""
    files = [data / name / f"{part}.csv"]
    if name == "clinc150":
        files.append(data / name / f"oos_{part}.csv")
    texts: list[str] = []
    labels: list[str] = []
    for file in files:
        with file.open(newline="", encoding="utf-8") as handle:
            for row in csv.DictReader(handle):
                texts.append(row["text"])
                labels.append(row["label"])
    return texts, labels


def accuracy(predicted: Any, truth: list[str]) -> float:
    return sum(p == t for p, t in zip(predicted, truth, strict=True)) / len(truth)


def tfidf(data: Path, name: str) -> dict[str, Any]:
    """Two bags of words, as scikit-learn's users make them."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.svm import LinearSVC

    found = {}
    both = make_union(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True),
    )
    models = {
        "tfidf_lr": make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=1000)),
        "tfidf_svc": make_pipeline(both, LinearSVC()),
    }
    (texts, labels), (test, truth) = rows(data, name, "train"), rows(data, name, "test")
    for key, model in models.items():
        started = time.perf_counter()
        model.fit(texts, labels)
        found[key] = {
            "seconds": time.perf_counter() - started,
            "test_accuracy": accuracy(model.predict(test), truth),
        }
    return found


def frozen(data: Path, name: str) -> dict[str, Any]:
    """Frozen embeddings by transformers, and a logistic regression."""
    import numpy as np
    import torch
    from sklearn.linear_model import LogisticRegression
    from transformers import AutoModel, AutoTokenizer

    from payoff.adapt.backbones.installation import ensure

    folder = ensure("minilm-l6")
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    model.eval()

    def encode(texts: list[str]) -> Any:
        order = np.argsort([len(t) for t in texts])
        out = np.zeros((len(texts), model.config.hidden_size), np.float32)
        for start in range(0, len(texts), 64):
            place = order[start : start + 64]
            batch = tokenizer(
                [texts[i] for i in place],
                padding=True,
                truncation=True,
                max_length=128,
                return_tensors="pt",
            )
            with torch.inference_mode():
                hidden = model(**batch).last_hidden_state
            mask = batch["attention_mask"][..., None]
            mean = (hidden * mask).sum(1) / mask.sum(1)
            out[place] = torch.nn.functional.normalize(mean, dim=1).numpy()
        return out

    (texts, labels), (test, truth) = rows(data, name, "train"), rows(data, name, "test")
    started = time.perf_counter()
    head = LogisticRegression(C=10, max_iter=1000).fit(encode(texts), labels)
    seconds = time.perf_counter() - started
    return {
        "frozen_lr": {
            "seconds": seconds,
            "test_accuracy": accuracy(head.predict(encode(test)), truth),
        }
    }


def trainer(data: Path, name: str) -> dict[str, Any]:
    """transformers.Trainer as a careful user tunes it: the fair opponent."""
    import opponents
    from payoff.adapt.backbones.installation import ensure

    (texts, labels), (test, truth) = rows(data, name, "train"), rows(data, name, "test")
    done = opponents.trainer(ensure("minilm-l6"), texts, labels, test, seed=SEED)
    return {
        "trainer_tuned": {
            "seconds": done.seconds,
            "test_accuracy": accuracy(done.predicted, truth),
        }
    }


def payoffs(name: str) -> dict[str, Any]:
    """Three payoffs: cheap errors, dear errors, a few very dear classes."""
    from payoff import Payoff
    from payoff.economics.class_value import ClassValue

    dear = {label: ClassValue(wrong=-200.0) for label in DEAR[name]}
    return {
        "cheap errors": Payoff(3.0, -6.0, -2.0, currency="USD"),
        "dear errors": Payoff(3.0, -25.0, -2.0, currency="USD"),
        "dear classes": Payoff(3.0, -6.0, -2.0, currency="USD", classes=dear),
    }


def run_payoff(data: Path, name: str) -> dict[str, Any]:
    """The whole search under the first payoff, then the choice again under the others."""
    import polars as pl

    import payoff

    def table(part: str) -> payoff.Dataset:
        texts, labels = rows(data, name, part)
        frame = pl.DataFrame({"text": texts, "label": labels})
        return payoff.Dataset.from_frame(frame, text="text", label="label")

    class Said:
        def step(self, what: str, done: float, total: float) -> None:
            pass

        def say(self, message: str) -> None:
            print(f"  {time.perf_counter() - started:6.0f} s  {message}", file=sys.stderr)

    found: dict[str, Any] = {}
    place = HERE / "runs"
    train, test = table("train"), table("test")
    for key, worth in payoffs(name).items():
        started = time.perf_counter()
        plan = payoff.search(
            train,
            worth,
            traffic=payoff.Traffic(40_000),
            minutes=15,
            seed=SEED,
            test=test,
            name=f"{name}-{key.replace(' ', '-')}",
            runs=place,
            progress=Said(),
        )
        seconds = time.perf_counter() - started
        options = [p for p in plan.table if p["kind"] == "model" and p["split"] == "test"]
        chosen = next(p for p in options if p["status"] == "chosen")
        most_accurate = max(options, key=lambda p: p["accuracy"])
        found[key] = {
            "seconds": seconds,
            "candidates": len({t["candidate"] for t in plan.summary["timeline"]}),
            "chosen": chosen["name"],
            "chosen_accuracy": chosen["accuracy"],
            "chosen_ece": chosen["ece"],
            "chosen_value_each": chosen["value_each"],
            "most_accurate": most_accurate["name"],
            "most_accurate_accuracy": most_accurate["accuracy"],
            "argmax_value_each_of_most_accurate": most_accurate["argmax_value_each"],
            "profit_month": chosen["profit_month"],
            "automated_share": chosen["automated_share"],
            "accuracy_automated": chosen["accuracy_automated"],
            "artifact": str(plan.artifact.relative_to(HERE)),
            "plans": [
                {
                    k: p[k]
                    for k in (
                        "name",
                        "accuracy",
                        "ece",
                        "value_each",
                        "latency_p50_ms",
                        "latency_p95_ms",
                        "texts_per_s",
                        "size_bytes",
                        "training_s",
                    )
                }
                for p in options
            ],
        }
    return {"payoff": found}


_LOAD = """
import sys, time
started = time.perf_counter()
{body}
seconds = time.perf_counter() - started
# Not getrusage: its peak is inherited from the process that started this one.
status = open("/proc/self/status").read().splitlines()
rss = int(next(line for line in status if line.startswith("VmHWM")).split()[1]) / 1024
print(json.dumps([seconds, rss, sorted(m for m in ("torch", "transformers") if m in sys.modules)]))
"""
_PAYOFF = """
import json, payoff
payoff.load({artifact!r}).decide("Where is my card?")
"""
_PIPELINE = """
import json
from transformers import pipeline
pipeline("text-classification", model={folder!r}, device="cpu")("Where is my card?")
"""


def fresh_process(body: str) -> tuple[float, float, list[str]]:
    """Seconds from the first import to the first answer, peak MB, and what was imported."""
    done = subprocess.run(
        [sys.executable, "-c", _LOAD.format(body=body)],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
    )
    seconds, megabytes, modules = json.loads(done.stdout.splitlines()[-1])
    return seconds, megabytes, modules


def serving(data: Path, name: str) -> dict[str, Any]:
    """First answer of the chosen artifact and of transformers.pipeline, in turn, five times."""
    import statistics

    from payoff.adapt.backbones.installation import ensure

    done = newest()[name, "payoff"]
    artifact = HERE / done["result"]["payoff"]["cheap errors"]["artifact"]
    with tempfile.TemporaryDirectory() as place:
        folder = _sequence_classifier(
            Path(place), ensure("minilm-l6"), len(set(rows(data, name, "train")[1]))
        )
        ours, theirs, http = [], [], []
        for _ in range(6):
            ours.append(fresh_process(_PAYOFF.format(artifact=str(artifact))))
            theirs.append(fresh_process(_PIPELINE.format(folder=str(folder))))
            http.append(first_answer_over_http(artifact))

    def middle(values: list[Any], place: int) -> float:
        return float(statistics.median(v[place] for v in values[1:]))  # the first one warms caches

    return {
        "serving": {
            "payoff_s": middle(ours, 0),
            "payoff_peak_mb": middle(ours, 1),
            "payoff_imported": ours[-1][2],
            "pipeline_s": middle(theirs, 0),
            "pipeline_peak_mb": middle(theirs, 1),
            "seconds_ratio": middle(theirs, 0) / middle(ours, 0),
            "memory_ratio": middle(theirs, 1) / middle(ours, 1),
            "http_first_answer_s": middle(http, 0),
            "http_peak_mb": middle(http, 1),
        }
    }


def _sequence_classifier(place: Path, folder: Path, n_labels: int) -> Path:
    """The backbone with a fresh head, as a folder that a pipeline loads."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=n_labels)
    model.save_pretrained(place)
    AutoTokenizer.from_pretrained(folder).save_pretrained(place)
    return place


def first_answer_over_http(artifact: Path) -> tuple[float, float]:
    """Seconds from starting `payoff serve` to its first decision, and the process's peak MB."""
    import socket
    import urllib.request

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = time.perf_counter()
    server = subprocess.Popen(
        [
            str(Path(sys.executable).with_name("payoff")),
            "serve",
            str(artifact),
            "--port",
            str(port),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/decide",
        data=b'{"text": "Where is my card?"}',
        headers={"content-type": "application/json"},
    )
    try:
        while True:
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    json.load(answer)
                break
            except OSError:
                if time.perf_counter() - started > 30 or server.poll() is not None:
                    raise
                time.sleep(0.01)
        seconds = time.perf_counter() - started
        status = Path(f"/proc/{server.pid}/status").read_text()
        peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return seconds, int(peak.split()[1]) / 1024
    finally:
        server.terminate()
        server.wait(20)


def run_part(part: str, data: Path, name: str) -> None:
    work = {
        "tfidf": tfidf,
        "frozen": frozen,
        "trainer": trainer,
        "payoff": run_payoff,
        "serving": serving,
    }[part]
    command = f"python benchmarks/main_job.py --only {part} --sets {name}"
    record.append(RESULTS, _key(part, name), work(data, name), command)


def _key(part: str, name: str) -> dict[str, Any]:
    return {"part": part, "set": name, "seed": SEED}


def newest() -> dict[tuple[str, str], dict[str, Any]]:
    """The last line of each part of each set."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for entry in record.lines(RESULTS):
        found[entry["set"], entry["part"]] = entry
    return found


def show() -> None:
    """The newest line of each part, as text."""
    for (name, part), entry in sorted(newest().items()):
        print(f"\n{name} · {part}   commit {entry['commit']}, seed {entry['seed']}")
        print(json.dumps(entry["result"], indent=2))


WORDS = {
    "en": {
        "model": "model, test rows",
        "time": "time",
        "accuracy": "accuracy",
        "tfidf_lr": "TF-IDF + logistic regression",
        "tfidf_svc": "word and character TF-IDF + SVM",
        "frozen_lr": "frozen MiniLM + logistic regression",
        "trainer_tuned": "transformers.Trainer, tuned, one model",
        "payoff": "payoff, the whole search ({n} candidates)",
        "payoff_row": "most accurate artifact",
        "payoff_case": "payoff ({name})",
        "chosen": "payoff's decisions",
        "argmax": "most accurate model, arg max",
        "each": "money a request, test rows",
        "serving": "first answer in a new process",
        "seconds": "seconds",
        "memory": "peak MB",
        "load": "payoff.load",
        "pipeline": "transformers.pipeline",
        "http": "payoff serve, over HTTP",
        "note": "Measured with `{command}` at commit {commit}, seed {seed}, on {machine}.",
    },
    "zh": {
        "model": "模型（测试集）",
        "time": "时间",
        "accuracy": "准确率",
        "tfidf_lr": "TF-IDF + 逻辑回归",
        "tfidf_svc": "词与字符 TF-IDF + SVM",
        "frozen_lr": "冻结的 MiniLM + 逻辑回归",
        "trainer_tuned": "调好的 transformers.Trainer，一个模型",
        "payoff": "payoff 的整个搜索（{n} 个候选）",
        "payoff_row": "最准的制品",
        "payoff_case": "收益设定（{name}）",
        "chosen": "payoff 的决定",
        "argmax": "最准的模型取 arg max",
        "each": "每个请求的金额（测试集）",
        "serving": "新进程的第一个回答",
        "seconds": "秒",
        "memory": "内存峰值 MB",
        "load": "payoff.load",
        "pipeline": "transformers.pipeline",
        "http": "payoff serve（HTTP）",
        "note": "由 `{command}` 测得，提交 {commit}，种子 {seed}，机器：{machine}。",
    },
}


def markdown(language: str) -> str:
    """The figures of all sets as tables."""
    words, lines, last = WORDS[language], [], None
    entries = newest()
    for name in sorted({key[0] for key in entries}):
        parts = {part: entry["result"] for (of, part), entry in entries.items() if of == name}
        lines += [
            f"**{name}**",
            "",
            f"| {words['model']} | {words['time']} | {words['accuracy']} |",
            "|---|---|---|",
        ]
        for part in ("tfidf", "frozen", "trainer"):
            for key, value in parts.get(part, {}).items():
                lines.append(
                    f"| {words[key]} | {value['seconds']:.0f} s "
                    f"| {100 * value['test_accuracy']:.1f} % |"
                )
        cases = parts.get("payoff", {}).get("payoff", {})
        if cases:
            first = next(iter(cases.values()))
            lines.append(
                f"| {words['payoff'].format(n=first['candidates'])}, {words['payoff_row']} "
                f"| {first['seconds']:.0f} s | {100 * first['most_accurate_accuracy']:.1f} % |"
            )
            lines += [
                "",
                f"| {words['each']} | {words['chosen']} | {words['argmax']} |",
                "|---|---|---|",
            ]
            for case, value in cases.items():
                of_case = words["payoff_case"].format(name=case)
                lines.append(
                    f"| {of_case} | {value['chosen_value_each']:.3f} USD "
                    f"| {value['argmax_value_each_of_most_accurate']:.3f} USD |"
                )
        if "serving" in parts:
            value = parts["serving"]["serving"]
            lines += [
                "",
                f"| {words['serving']} | {words['seconds']} | {words['memory']} |",
                "|---|---|---|",
            ]
            for key, seconds, memory in (
                ("load", "payoff_s", "payoff_peak_mb"),
                ("pipeline", "pipeline_s", "pipeline_peak_mb"),
                ("http", "http_first_answer_s", "http_peak_mb"),
            ):
                lines.append(f"| {words[key]} | {value[seconds]:.2f} | {value[memory]:.0f} |")
        lines.append("")
        last = next(entry for (of, _), entry in entries.items() if of == name)
    assert last is not None
    lines.append(
        words["note"].format(
            command="python benchmarks/main_job.py",
            **{key: last[key] for key in ("commit", "seed", "machine")},
        )
    )
    return "\n".join(lines)


def write() -> None:
    """Put the figures between the marks of both READMEs."""
    for name, language in (("README.md", "en"), ("README.zh.md", "zh")):
        path = HERE.parent / name
        text = path.read_text("utf-8")
        head, rest = text.split("<!-- figures:begin", 1)
        mark, rest = rest.split("-->", 1)
        tail = rest.split("<!-- figures:end -->", 1)[1]
        path.write_text(
            f"{head}<!-- figures:begin{mark}-->\n{markdown(language)}\n<!-- figures:end -->{tail}",
            "utf-8",
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data")
    parser.add_argument("--sets", nargs="+", default=["banking77", "clinc150"])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--write", action="store_true", help="put the figures into the READMEs")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.show or options.write:
        (show if options.show else write)()
        return
    for name in options.sets:
        for part in options.only:
            if options.inside:
                run_part(part, options.data, name)
                continue
            if record.is_done(RESULTS, _key(part, name)):
                print(f"{name} {part}: done for this commit", file=sys.stderr)
                continue
            print(f"{name} {part} …", file=sys.stderr)
            subprocess.run(
                [
                    sys.executable,
                    __file__,
                    "--inside",
                    "--data",
                    str(options.data),
                    "--sets",
                    name,
                    "--only",
                    part,
                ],
                check=True,
            )
    if not options.inside:
        show()


if __name__ == "__main__":
    main()
