"""What the service is compared with: BentoML with its adaptive batching, without a journal.

    python benchmarks/service_bento.py FOLDER PORT

The folder holds ``model.onnx`` and ``tokenizer.json``. BentoML wants a service in a module of its
own, which reads the folder from the environment; it is started by this file, one worker, as its
page on adaptive batching has it. Batches are cut and answered together. Run by the Python of
``service.py --bento``, an environment with ``bentoml onnxruntime tokenizers``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import bentoml
import numpy as np
import onnxruntime as ort
from tokenizers import Tokenizer

FOLDER = "SERVICE_BENTO_FOLDER"


@bentoml.service(
    workers=1,
    traffic={"timeout": 60, "max_concurrency": 1024},
    logging={"access": {"enabled": False}},
)
class Plain:
    """One address."""

    def __init__(self) -> None:
        folder = Path(os.environ[FOLDER])
        model = str(folder / "model.onnx")
        self.session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_padding()
        self.tokenizer.enable_truncation(128)

    @bentoml.api(batchable=True, max_batch_size=64, max_latency_ms=1000, route="/v1/decide")
    def decide(self, text: list[str]) -> list[float]:
        """The best label's number and how probable it is, as one figure: ``label + p``."""
        cut = self.tokenizer.encode_batch(text)
        feed = {
            "input_ids": np.array([one.ids for one in cut], np.int64),
            "attention_mask": np.array([one.attention_mask for one in cut], np.int64),
        }
        logits = self.session.run(["logits"], feed)[0]
        shifted = np.exp(logits - logits.max(1, keepdims=True))
        best = logits.argmax(1)
        share = shifted[np.arange(len(best)), best] / shifted.sum(1)
        return [float(label) + float(part) for label, part in zip(best, share, strict=True)]


if __name__ == "__main__":
    own, folder = Path(__file__).resolve(), Path(sys.argv[1]).resolve()
    os.chdir(own.parent)
    command = [sys.executable, "-m", "bentoml", "serve", f"{own.stem}:Plain"]
    told = os.environ | {FOLDER: str(folder), "BENTOML_DO_NOT_TRACK": "1"}
    os.execve(sys.executable, [*command, "--port", sys.argv[2], "--host", "127.0.0.1"], told)
