"""Safetensors files, written byte for byte the same everywhere, and read without torch.

The format: eight bytes of header length, a JSON header naming each tensor's dtype, shape and
offsets, then the raw little-endian data (https://github.com/huggingface/safetensors, "Format").
Writing it here keeps the SHA-256 of converted weights independent of library versions.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from payoff.core.errors import BackboneError
from payoff.core.files import disk_errors

_DTYPES = {"F16": "<f2", "F32": "<f4", "F64": "<f8"}


def write_weights(path: Path, arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
    """Write float arrays by name, in the order of their names.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as name:
        ...     file = Path(name) / "w.safetensors"
        ...     write_weights(file, {"b": np.ones((2, 3), np.float16)})
        ...     count_parameters(file), read_weights(file)["b"].sum().item()
        (6, 6.0)
    """
    names = {np.dtype(dtype): name for name, dtype in _DTYPES.items()}
    header: dict[str, Any] = {}
    offset = 0
    for name in sorted(arrays):
        array = arrays[name]
        header[name] = {
            "dtype": names[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [offset, offset + array.nbytes],
        }
        offset += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with disk_errors(path), path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name in header:
            file.write(np.ascontiguousarray(arrays[name]).data)


def read_weights(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Map a file's float arrays into memory, read-only; pages load as they are used.

    Raises:
        BackboneError: PF304 where it is no safetensors file, or holds other dtypes.
    """
    header, start = _header(path)
    data = np.memmap(path, np.uint8, "r")
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    for name, tensor in header.items():
        if tensor["dtype"] not in _DTYPES:
            raise BackboneError(
                "PF304", f"{path} {name}", f"dtype {tensor['dtype']}", expected=", ".join(_DTYPES)
            )
        first, last = tensor["data_offsets"]
        values = data[start + first : start + last].view(_DTYPES[tensor["dtype"]])
        arrays[name] = values.reshape(tensor["shape"])
    return arrays


def count_parameters(path: Path) -> int:
    """Number of float weights in a file, read from its header alone.

    Raises:
        BackboneError: PF304 where it is no safetensors file.
    """
    header, _ = _header(path)
    return sum(prod(t["shape"]) for t in header.values() if t["dtype"] in (*_DTYPES, "BF16"))


def _header(path: Path) -> tuple[dict[str, Any], int]:
    """The tensors by name, checked against the file's size, and where their data begins."""
    size_bytes = path.stat().st_size
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if 8 + length > size_bytes:
                raise ValueError("its header is longer than the file")
            header: dict[str, Any] = dict(json.loads(file.read(length)))
        header.pop("__metadata__", None)
        for name, tensor in header.items():
            if not _is_whole(tensor, size_bytes - 8 - length):
                raise ValueError(f"'{name}' does not fit into it")
    except (struct.error, ValueError, KeyError, TypeError, RecursionError) as error:
        raise BackboneError("PF304", str(path), f"it is no safetensors file ({error})") from error
    return header, 8 + length


def _is_whole(tensor: Any, n_bytes: int) -> bool:
    """Whether a tensor's shape, offsets and dtype agree and lie within the data."""
    first, last = tensor["data_offsets"]
    shape, dtype = tensor["shape"], tensor["dtype"]
    if not all(type(number) is int and number >= 0 for number in (first, last, *shape)):
        return False
    width = np.dtype(_DTYPES[dtype]).itemsize if dtype in _DTYPES else None
    fits = width is None or last - first == prod(shape) * width
    return isinstance(dtype, str) and fits and first <= last <= n_bytes
