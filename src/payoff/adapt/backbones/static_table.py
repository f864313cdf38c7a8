"""A static backbone: one vector a token, no layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from payoff.adapt.backbones.weights_file import read_weights
from payoff.core.errors import BackboneError


def load_static_table(path: Path) -> np.ndarray[Any, np.dtype[np.float16]]:
    """Map a static backbone's table into memory, read-only.

    Args:
        path: Folder with ``table.safetensors``.

    Returns:
        ``(n_tokens, width)`` as stored (fp16 for the packaged one); row i belongs to token id i
        of the folder's ``tokenizer.json``. A text's vector is the mean over its tokens.

    Raises:
        BackboneError: PF304 where the file is missing or holds anything but one table.
    """
    file = path / "table.safetensors"
    if not file.is_file():
        raise BackboneError("PF304", str(path), "it has no table.safetensors")
    arrays = list(read_weights(file).values())
    if len(arrays) != 1 or arrays[0].ndim != 2:
        shapes = ", ".join(str(array.shape) for array in arrays)
        raise BackboneError("PF304", str(file), f"arrays {shapes}", expected="one table")
    return arrays[0]
