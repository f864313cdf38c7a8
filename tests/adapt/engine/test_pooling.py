"""Both poolings: the vector that training sees is the one that the exported graph computes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from payoff.adapt.engine.batches import pack
from payoff.adapt.engine.encoder import Encoder, EncoderShape
from payoff.adapt.engine.tokens import Tokens
from payoff.adapt.export.onnx_encoder import write_onnx

SHAPE = EncoderShape(
    vocabulary=40, width=16, layers=2, heads=2, inner=32, positions=24, first_position=0,
    norm_eps=1e-12,
)  # fmt: skip
TOKENS = Tokens(np.array([1, 5, 9, 2, 1, 7, 2, 1, 3, 8, 2], np.int64), np.array([0, 4, 7, 11]))


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_the_graph_pools_as_the_encoder_does(tmp_path: Path, pooling: str) -> None:
    torch.manual_seed(0)
    encoder = Encoder(SHAPE, pooling=pooling).eval().requires_grad_(False)
    head = torch.nn.Linear(16, 3)
    batch = pack(TOKENS, np.arange(3))
    expected = np.empty((3, 3), np.float32)
    with torch.inference_mode():
        pooled = encoder.pool(encoder.run(encoder.embed(batch), batch), batch)
        expected[batch.rows] = head(pooled).numpy()
    write_onnx(encoder, encoder.layers, head, tmp_path / "m.onnx", max_tokens=24)
    ids = np.zeros((3, 4), np.int64)
    for row in range(3):
        ids[row, : TOKENS.lengths[row]] = TOKENS.of(row)
    session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"))
    mask = (np.arange(4) < TOKENS.lengths[:, None]).astype(np.int64)
    (found,) = session.run(None, {"input_ids": ids, "attention_mask": mask})
    assert np.allclose(found, expected, atol=1e-5)


def test_the_first_token_is_not_the_mean() -> None:
    torch.manual_seed(0)
    batch = pack(TOKENS, np.arange(3))
    hidden = torch.randn(batch.n_tokens, 16)
    by_mean = Encoder(SHAPE).pool(hidden, batch)
    by_first = Encoder(SHAPE, pooling="cls").pool(hidden, batch)
    starts = [start + n * length for start, count, length in batch.groups for n in range(count)]
    assert torch.allclose(by_first, torch.nn.functional.normalize(hidden[starts], dim=1))
    assert not torch.allclose(by_first, by_mean)
