"""Whether a model in another format still gives what the artifact's graph gives."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from payoff.adapt.export.exported_model import ExportedModel
from payoff.artifact.calibration import Calibration

Run = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float32]]
"""Token ids and mask, both ``(n_texts, n_tokens)``, to logits ``(n_texts, n_labels)``."""

TOLERANCE = 1e-4
"""Most by which probabilities of one graph, computed by two runtimes, may differ."""

_ROWS = 16
_LONGEST = 24


def furthest(model: ExportedModel, run: Run, vocabulary: int, *, calibrated: bool) -> float:
    """The largest difference of a probability on rows of random tokens, 0–1.

    Such rows are no texts, but whatever of a graph was left out or misread shows on them.

    Args:
        model: The artifact's.
        run: The other one.
        vocabulary: Tokens to draw from.
        calibrated: Whether the whole calibration is in the logits of ``run``, not its
            temperature alone.
    """
    ids, mask = probe(model, vocabulary)
    expected = graph_logits(model.graph, ids, mask)
    ours = model.calibration if calibrated else Calibration(model.calibration.temperature)
    return float(np.abs(ours.apply(expected) - Calibration().apply(run(ids, mask))).max())


def probe(model: ExportedModel, vocabulary: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of random tokens of several lengths: ids and mask, both ``(n, longest)``."""
    rng = np.random.default_rng(0)
    longest = min(_LONGEST, model.max_tokens)
    ids = rng.integers(0, vocabulary, (_ROWS, longest))
    lengths = rng.integers(1, longest + 1, _ROWS)
    lengths[0] = longest
    mask = (np.arange(longest) < lengths[:, None]).astype(np.int64)
    return np.where(mask == 1, ids, model.pad_id), mask


def graph_logits(
    graph: bytes, ids: NDArray[np.int64], mask: NDArray[np.int64]
) -> NDArray[np.float32]:
    """What an ONNX graph gives, one row alone after the other: ``(n, n_labels)``."""
    import onnxruntime  # type: ignore[import-untyped]

    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    rows = [
        session.run(
            ["logits"], {"input_ids": row[None, seen == 1], "attention_mask": seen[None, seen == 1]}
        )[0]
        for row, seen in zip(ids, mask, strict=True)
    ]
    return np.concatenate(rows)
