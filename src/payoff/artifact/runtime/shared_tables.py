"""Large tables of vectors that the sessions of a process have in memory once.

Models of one backbone that differ in their matrices still look words up in the same table: half of
MiniLM, four fifths of a multilingual encoder. It is only read from, so that sessions can share it;
matrices are not shared like this, since onnxruntime packs a copy of them for every session.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Hashable
from weakref import WeakValueDictionary

import numpy as np
import numpy.typing as npt

from payoff.artifact.runtime.graph_file import GraphFile, Tensor

LEAST_BYTES = 1 << 20
"""Smaller tables are left to the sessions."""

_SAMPLE_BYTES = 1 << 16

_tables: WeakValueDictionary[Hashable, npt.NDArray[np.generic]] = WeakValueDictionary()
_lock = threading.Lock()


def shared_tables(file: GraphFile) -> dict[str, npt.NDArray[np.generic]]:
    """The large tables of an ONNX file by their names.

    A table is the very same array that another session of this process has, where all bytes are
    the same; it lives as long as somebody refers to it.

    Raises:
        ValueError: Where it is no ONNX file.

    Example:
        >>> shared_tables(GraphFile(memoryview(b"")))
        {}
    """
    found = {}
    for name, field in file.initialisers.items():
        if field.end - field.start < LEAST_BYTES or name in file.inputs:
            continue
        tensor = file.tensor(field)
        if tensor is not None and file.uses.get(name) == {("Gather", 0)}:
            found[name] = _shared(file, tensor)
    return found


def n_tables() -> int:
    """Tables that are shared now, or could be.

    Example:
        >>> n_tables()
        0
    """
    return len(_tables)


def _shared(file: GraphFile, tensor: Tensor) -> npt.NDArray[np.generic]:
    # A sample finds the table that may be the same; all bytes then say whether it is. So one
    # artifact alone pays for no hash of everything.
    sample = file.view[tensor.start : min(tensor.end, tensor.start + _SAMPLE_BYTES)]
    key = (tensor.dtype, tensor.dims, hashlib.sha256(sample).hexdigest())
    with _lock:
        table = _tables.get(key)
        if table is None:
            table = _tables[key] = file.array(tensor)
            return table
    same = np.array_equal(file.bytes(tensor), table.reshape(-1).view(np.uint8))
    return table if same else file.array(tensor)
