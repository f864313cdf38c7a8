"""One contender of the shipping benchmark, in a process of its own; see shipping.py.

    python benchmarks/shipping_worker.py CONTENDER PATH ROWS.json

It answers the first text, says so, times single answers and mixed batches, and prints one JSON
line: the milliseconds, the texts a second, the most memory until the first answer, and what it
decided of every text.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

BATCH = 64
N_SINGLE = 400
Answer = Callable[[Sequence[str]], Any]


def payoff_artifact(path: Path) -> Answer:
    """An artifact of this product, asked for calibrated probabilities."""
    from payoff.artifact.artifact import Artifact

    artifact = Artifact.open(path)
    return lambda texts: artifact.probabilities(list(texts)).argmax(axis=1).tolist()


def pipeline(path: Path) -> Answer:
    """`transformers.pipeline` on the same weights."""
    from transformers import pipeline as made

    classify = made("text-classification", str(path), trust_remote_code=True)
    order = {label: place for place, label in enumerate(sorted(classify.model.config.label2id))}

    def answer(texts: Sequence[str]) -> list[int]:
        return [order[one["label"]] for one in classify(list(texts), batch_size=BATCH)]

    return answer


def plain_onnxruntime(path: Path) -> Answer:
    """The two libraries as their documentation shows them: batches padded to the longest."""
    import numpy as np
    import onnxruntime as ort
    from tokenizers import Tokenizer

    session = ort.InferenceSession(str(path / "model.onnx"), providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(str(path / "tokenizer.json"))
    tokenizer.enable_truncation(128)
    tokenizer.enable_padding()

    def answer(texts: Sequence[str]) -> list[int]:
        cut = tokenizer.encode_batch(list(texts))
        feed = {
            "input_ids": np.array([one.ids for one in cut], np.int64),
            "attention_mask": np.array([one.attention_mask for one in cut], np.int64),
        }
        found: list[int] = session.run(["logits"], feed)[0].argmax(axis=1).tolist()
        return found

    return answer


CONTENDERS = {
    "payoff": payoff_artifact,
    "pipeline": pipeline,
    "onnxruntime": plain_onnxruntime,
}


def peak_bytes() -> int:
    """Most memory that this process held so far (VmHWM)."""
    with Path("/proc/self/status").open() as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


def main() -> None:
    kind, path, rows = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    texts = json.loads(rows.read_text("utf-8"))
    answer = CONTENDERS[kind](path)
    answer(texts[:1])
    print("answered", flush=True)
    peak = peak_bytes()
    for text in texts[:20]:
        answer([text])
    singles = []
    for place in range(N_SINGLE):
        begun = time.perf_counter()
        answer([texts[place % len(texts)]])
        singles.append(time.perf_counter() - begun)
    singles.sort()
    answer(texts[:BATCH])
    decided: list[int] = []
    begun = time.perf_counter()
    for start in range(0, len(texts), BATCH):
        decided += answer(texts[start : start + BATCH])
    seconds = time.perf_counter() - begun
    told = {
        "p50_ms": 1000 * singles[len(singles) // 2],
        "p95_ms": 1000 * singles[int(0.95 * len(singles))],
        "texts_per_s": len(texts) / seconds,
        "peak_bytes": peak,
        "decided": decided,
    }
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
