"""What the service is compared with: a plain FastAPI handler, without batches and journal.

    python benchmarks/service_plain.py FOLDER PORT

The folder holds ``model.onnx`` and ``tokenizer.json``. As most tutorials have it: one session, the
handler a plain function, which FastAPI runs in its threads.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from tokenizers import Tokenizer


class Asked(BaseModel):
    """One text."""

    text: str


def create_app(folder: Path) -> FastAPI:
    """One address."""
    session = ort.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(128)
    app = FastAPI()

    @app.post("/v1/decide")
    def decide(asked: Asked) -> dict[str, float]:
        cut = tokenizer.encode(asked.text)
        feed = {
            "input_ids": np.array([cut.ids], np.int64),
            "attention_mask": np.array([cut.attention_mask], np.int64),
        }
        logits = session.run(["logits"], feed)[0][0]
        shifted = np.exp(logits - logits.max())
        best = int(logits.argmax())
        return {"label": best, "probability": float(shifted[best] / shifted.sum())}

    return app


if __name__ == "__main__":
    uvicorn.run(create_app(Path(sys.argv[1])), port=int(sys.argv[2]), log_level="error")
