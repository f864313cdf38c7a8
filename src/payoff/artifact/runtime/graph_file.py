"""What an ONNX file holds, found without the library of ONNX, which serving does without.

The file is walked by the wire format of protocol buffers; field numbers are of ``onnx.proto``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MOST_VARINT_BYTES = 10
_GRAPH = 7  # of ModelProto
_NODE, _INITIALIZER, _INPUT = 1, 5, 11  # of GraphProto
_DIMS, _DATA_TYPE, _TENSOR_NAME, _RAW_DATA, _LOCATION = 1, 2, 8, 9, 14  # of TensorProto
_INPUT_NAME = 1  # of ValueInfoProto
_NODE_INPUT, _OP_TYPE = 1, 4  # of NodeProto
_DTYPES = {1: "<f4", 2: "u1", 3: "i1", 10: "<f2"}


class Field(NamedTuple):
    """A field of a message: its number and where its content lies."""

    number: int
    wire: int
    start: int
    end: int


class Tensor(NamedTuple):
    """A tensor whose numbers lie in a row in the file."""

    name: str
    dtype: str
    dims: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True)
class GraphFile:
    """An ONNX file.

    Args:
        view: The whole file. What is returned does not refer to it, but for `bytes`.

    Raises:
        ValueError: At any call, where it is no ONNX file.

    Example:
        >>> GraphFile(memoryview(b"")).initialisers
        {}
    """

    view: memoryview

    @cached_property
    def outer(self) -> list[Field]:
        """All fields of the model but the graph."""
        return [one for one in self._model if one.number != _GRAPH]

    @cached_property
    def graph(self) -> list[Field]:
        """All fields of the graph."""
        inside = (one for one in self._model if one.number == _GRAPH)
        return [field for one in inside for field in self._fields(one.start, one.end)]

    @cached_property
    def initialisers(self) -> dict[str, Field]:
        """Name to tensor."""
        return {self._text(one, _TENSOR_NAME): one for one in self._of(_INITIALIZER)}

    @cached_property
    def inputs(self) -> set[str]:
        """Names of inputs, those with defaults among them."""
        return {self._text(one, _INPUT_NAME) for one in self._of(_INPUT)}

    @cached_property
    def uses(self) -> dict[str, set[tuple[str, int]]]:
        """Name to the operators that read it, each with the place of the name among its inputs."""
        found: dict[str, set[tuple[str, int]]] = {}
        for node in self._of(_NODE):
            fields = list(self._fields(node.start, node.end))
            op = next((self._str(one) for one in fields if one.number == _OP_TYPE), "")
            names = [self._str(one) for one in fields if one.number == _NODE_INPUT]
            for place, name in enumerate(names):
                found.setdefault(name, set()).add((op, place))
        return found

    def tensor(self, field: Field) -> Tensor | None:
        """One of `initialisers`; None where its numbers do not lie in a row in the file."""
        name, dtype, dims, raw = "", "", list[int](), None
        for one in self._fields(field.start, field.end):
            if one.number == _DIMS:
                dims += self._numbers(one)
            elif one.number == _DATA_TYPE:
                dtype = _DTYPES.get(self._numbers(one)[0], "")
            elif one.number == _TENSOR_NAME:
                name = self._str(one)
            elif one.number == _RAW_DATA:
                raw = one
            elif one.number != _LOCATION or self._numbers(one) != [0]:  # 0: within this file
                return None
        if raw is None or not dtype:
            return None
        if math.prod(dims) * np.dtype(dtype).itemsize != raw.end - raw.start:
            raise ValueError(f"tensor '{name}' has not the size of its shape")
        return Tensor(name, dtype, tuple(dims), raw.start, raw.end)

    def array(self, tensor: Tensor) -> npt.NDArray[np.generic]:
        """A copy of a tensor's numbers."""
        return self.bytes(tensor).copy().view(tensor.dtype).reshape(tensor.dims)

    def bytes(self, tensor: Tensor) -> npt.NDArray[np.uint8]:
        """Its bytes as they lie in the file, not copied."""
        return np.frombuffer(self.view[tensor.start : tensor.end], np.uint8)

    @cached_property
    def _model(self) -> list[Field]:
        return list(self._fields(0, len(self.view)))

    def _of(self, number: int) -> Iterator[Field]:
        return (one for one in self.graph if one.number == number)

    def _text(self, message: Field, number: int) -> str:
        inside = self._fields(message.start, message.end)
        return next((self._str(one) for one in inside if one.number == number), "")

    def _str(self, field: Field) -> str:
        return str(self.view[field.start : field.end], "utf-8")

    def _numbers(self, field: Field) -> list[int]:
        """The numbers of a repeated field: one, or several in a row."""
        found, at = [], field.start
        while at < field.end:
            number, at = self._varint(at)
            found.append(number)
        return found

    def _fields(self, at: int, end: int) -> Iterator[Field]:
        """The fields of the message between two places."""
        while at < end:
            key, at = self._varint(at)
            start, wire = at, key & 7
            if wire == _BYTES:
                size, start = self._varint(at)
                at = start + size
            elif wire == _VARINT:
                _, at = self._varint(at)
            elif wire in (_FIXED64, _FIXED32):
                at += 8 if wire == _FIXED64 else 4
            else:
                raise ValueError(f"wire type {wire}")
            if at > end:
                raise ValueError("a field is longer than its message")
            yield Field(key >> 3, wire, start, at)

    def _varint(self, at: int) -> tuple[int, int]:
        """A number of variable length and where it ends."""
        value = 0
        for place in range(min(_MOST_VARINT_BYTES, len(self.view) - at)):
            byte = self.view[at + place]
            value |= (byte & 0x7F) << (7 * place)
            if byte < 0x80:
                return value, at + place + 1
        raise ValueError("a number does not end")
