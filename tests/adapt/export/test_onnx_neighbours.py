from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from payoff.adapt.export.onnx_neighbours import write_neighbours
from payoff.adapt.export.onnx_static import write_static_onnx
from payoff.adapt.recipes.linear import LinearHead
from payoff.adapt.recipes.neighbours import NeighbourBlend

WIDTH, N_LABELS = 8, 5


def unit(n: int, *, seed: int) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(n, WIDTH)).astype(np.float32)
    normalised: np.ndarray = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return normalised


def blend(*, n: int = 30, k: int = 4, share: float = 0.3) -> NeighbourBlend:
    rng = np.random.default_rng(1)
    head = LinearHead(
        (3 * rng.normal(size=(N_LABELS, WIDTH))).astype(np.float32),
        rng.normal(size=N_LABELS).astype(np.float32),
    )
    return NeighbourBlend(head, unit(n, seed=2), rng.integers(0, N_LABELS, n), k, 0.1, share)


def write(made: NeighbourBlend, folder: Path) -> tuple[Path, np.ndarray]:
    """The static graph has the same ends as an encoder's: a token's vector is its text's."""
    table = unit(20, seed=3).astype(np.float16)
    write_static_onnx(table, made.head.weight, made.head.bias, folder / "plain.onnx")
    write_neighbours(folder / "plain.onnx", folder / "model.onnx", made)
    vectors = table.astype(np.float32)
    return folder / "model.onnx", vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def run(path: Path) -> np.ndarray:
    ids = np.arange(20, dtype=np.int64)[:, None]
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (only,) = session.get_outputs()
    assert only.name == "logits"
    logits: np.ndarray = session.run(
        ["logits"], {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    )[0]
    return logits


@pytest.mark.parametrize(("n", "k", "share"), [(30, 4, 0.3), (3, 10, 0.5), (200, 1, 0.95)])
def test_the_graph_equals_numpy(n: int, k: int, share: float, tmp_path: Path) -> None:
    made = blend(n=n, k=k, share=share)
    path, vectors = write(made, tmp_path)
    onnx.checker.check_model(onnx.load(path), full_check=True)
    np.testing.assert_allclose(run(path), made(vectors), atol=1e-5)


def test_the_graph_equals_the_definition(tmp_path: Path) -> None:
    made = blend()
    path, vectors = write(made, tmp_path)
    for vector, served in zip(vectors, run(path), strict=True):
        scores = made.head.weight @ vector + made.head.bias
        expected = 0.7 * np.exp(scores) / np.exp(scores).sum()
        similarity = made.vectors @ vector
        four = sorted(range(30), key=lambda row: -similarity[row])[:4]
        total = sum(np.exp(similarity[row] / 0.1) for row in four)
        for row in four:
            expected[made.classes[row]] += 0.3 * np.exp(similarity[row] / 0.1) / total
        np.testing.assert_allclose(np.exp(served), expected, rtol=1e-4)
        assert np.exp(served).sum() == pytest.approx(1.0, abs=1e-5)


def test_the_same_blend_gives_the_same_bytes(tmp_path: Path) -> None:
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        write(blend(), tmp_path / place)
    first, second = ((tmp_path / place / "model.onnx").read_bytes() for place in ("one", "two"))
    assert first == second
