"""Tiny real models: an ONNX graph of three nodes, and a word tokenizer."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from payoff.artifact.artifact import write_artifact
from payoff.artifact.calibration import Calibration
from payoff.artifact.tier import TierSpec

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

WORDS = ("[PAD]", "[UNK]", "card", "refund", "lost", "money", "my", "退款")
LABELS = ("a", "b", "c")
TABLE = np.random.default_rng(7).normal(size=(len(WORDS), len(LABELS))).astype(np.float32)


def expected_logits(text: str, max_tokens: int = 8) -> np.ndarray:
    """What the tiny model must say: the sum of its words' rows."""
    ids = [WORDS.index(w) if w in WORDS else 1 for w in text.split()][:max_tokens]
    return TABLE[ids or [0]].sum(axis=0)


def build_onnx(
    path: Path,
    *,
    table: np.ndarray = TABLE,
    inputs: tuple[str, str] = ("input_ids", "attention_mask"),
    output: str = "logits",
    pad_rows: int = 0,
) -> None:
    """logits = Σ over unmasked tokens of table[token]; ``pad_rows`` only makes it larger."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    full = np.vstack([table, np.zeros((pad_rows, table.shape[1]), np.float32)])
    nodes = [
        helper.make_node("Gather", ["table", inputs[0]], ["rows"]),
        helper.make_node("Cast", [inputs[1]], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["mask3"]),
        helper.make_node("Mul", ["rows", "mask3"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "middle"], [output], keepdims=0),
    ]
    shape = ["batch", "length"]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in inputs],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", table.shape[1]])],
        [
            numpy_helper.from_array(full, "table"),
            numpy_helper.from_array(np.array([2], np.int64), "last"),
            numpy_helper.from_array(np.array([1], np.int64), "middle"),
        ],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), str(path))


def build_tokenizer(path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    vocabulary = {word: i for i, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(path))


def sign(document: dict[str, Any]) -> bytes:
    """A manifest with its own digest, made without payoff: the format as it is documented."""
    key, zeros = '"manifest_sha256": "', "0" * 64
    text = json.dumps(document | {"manifest_sha256": zeros}, ensure_ascii=False)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return text.replace(key + zeros, key + digest).encode()


@pytest.fixture(scope="session")
def tokens_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokens")
    build_onnx(folder / "model.onnx")
    build_tokenizer(folder / "tokenizer.json")
    return folder


@pytest.fixture(scope="session")
def large_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, with a model beyond the size that is kept in memory."""
    folder = tmp_path_factory.mktemp("large")
    build_onnx(folder / "model.onnx", pad_rows=200_000)
    build_tokenizer(folder / "tokenizer.json")
    return folder


@pytest.fixture
def write(tmp_path: Path, tokens_folder: Path) -> Callable[..., Path]:
    """Write an artifact of the tiny model."""

    def _write(name: str = "tiny.payoff", folder: Path = tokens_folder, **changes: object) -> Path:
        spec = TierSpec("tiny", "tokens", settings={"max_tokens": 8, "pad_id": 0})
        content: dict[str, object] = {
            "name": "tiny",
            "labels": LABELS,
            "tiers": [(spec, folder)],
            "calibrations": [Calibration(2.0)],
            "documents": {"policy.json": {"x": [1, 2]}, "licences/MIT.txt": "free", "raw": b"\0"},
            "seed": 3,
            "data_fingerprint": "f" * 64,
        }
        return write_artifact(tmp_path / name, **(content | changes))  # type: ignore[arg-type]

    return _write
