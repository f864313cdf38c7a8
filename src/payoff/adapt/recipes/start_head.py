"""The head on frozen vectors from which trainings inside an encoder start."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from payoff.adapt.recipes.linear import LinearHead
from payoff.adapt.recipes.named_fit import usual_fit
from payoff.adapt.workbench import Workbench

_STRENGTH = 10.0  # the middle of the strengths that frozen-head tries


def start_head(bench: Workbench, backbone: str, train: NDArray[np.int64]) -> LinearHead:
    """`usual_fit` on the frozen vectors of some rows; fitted once.

    Args:
        bench: Keeps what was fitted.
        backbone: Which of its encoders.
        train: Rows to fit on.
    """
    opened = bench.opened(backbone)
    # Whether names count is told by all training rows of the workbench, which others may share.
    key = hashlib.sha256(bench.train.tobytes() + b"|" + train.tobytes()).hexdigest()
    if key not in opened.start_heads:
        fit = usual_fit(bench, backbone, strength=_STRENGTH)
        opened.start_heads[key] = fit(opened.trunk.pooled()[train], bench.targets[train])
    return opened.start_heads[key]
