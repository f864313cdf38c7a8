"""Which rows a prompt shows, and which it is chosen by: every label in turn."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray


def in_turn(targets: NDArray[np.int64], rows: NDArray[np.int64], *, seed: int) -> NDArray[np.int64]:
    """Rows in random order, but no label a second time before all others that have rows left.

    Args:
        targets: Class of every text, ``(n_texts,)``.
        rows: Which texts, ``(n,)``.
        seed: Same seed, same order.

    Example:
        >>> targets = np.array([0, 0, 0, 1, 2, 2])
        >>> order = in_turn(targets, np.arange(6), seed=0)
        >>> sorted(targets[order[:3]].tolist()), targets[order[5]].item()
        ([0, 1, 2], 0)
    """
    shuffled = np.random.default_rng(seed).permutation(rows)
    turns = np.zeros(len(shuffled), np.int64)
    seen: Counter[int] = Counter()
    for place, target in enumerate(targets[shuffled].tolist()):
        turns[place] = seen[target]
        seen[target] += 1
    return np.asarray(shuffled[np.argsort(turns, kind="stable")], np.int64)
