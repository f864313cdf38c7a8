"""One session for all models of one backbone that a process serves.

Models whose graphs differ in nothing but their own weights (see `own_weights`) are run by the same
``onnxruntime.InferenceSession``; each gives its own weights with every call. So the backbone is in
memory once, with the copies that onnxruntime packs for its matrix products: sharing the weights
alone would have left those copies, two fifths of MiniLM, to every session.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

import numpy as np
import numpy.typing as npt

from payoff.artifact.runtime.own_weights import OwnWeights

_sessions: WeakValueDictionary[Hashable, Any] = WeakValueDictionary()
_lock = threading.Lock()


class Output(NamedTuple):
    """An output of a graph, as onnxruntime describes it."""

    name: str
    shape: list[int | str | None]


class SharedSession:
    """An ``onnxruntime.InferenceSession`` together with the weights of one model.

    Used like the session. Safe to use from several threads.

    Args:
        session: Runs the graph; its overridable initialisers are what ``values`` may give.
        values: Name to weight.

    Raises:
        ValueError: Where a weight has not the shape that the graph wants.

    Example:
        >>> SharedSession(session, own.values).run(None, feeds)  # doctest: +SKIP
    """

    def __init__(self, session: Any, values: Mapping[str, npt.NDArray[np.generic]]) -> None:
        import onnxruntime as ort  # type: ignore[import-untyped]

        self._session = session
        self._sizes = _sizes(session, values)
        self._values = {
            name: ort.OrtValue.ortvalue_from_numpy(value) for name, value in values.items()
        }

    def get_inputs(self) -> Any:
        """What every call must give."""
        return self._session.get_inputs()

    def get_outputs(self) -> list[Output]:
        """What a call gives, in the sizes of this model."""
        return [
            Output(one.name, [self._sizes.get(size, size) for size in one.shape])
            for one in self._session.get_outputs()
        ]

    def run(self, outputs: Sequence[str] | None, inputs: Mapping[str, Any]) -> Any:
        """The outputs of these names, as arrays."""
        return self._session.run(outputs, {**self._values, **inputs})


def shared_session(own: OwnWeights, key: Hashable, make: Callable[[], Any]) -> SharedSession:
    """The session of a graph, made where this process has none of the same.

    A session lives as long as one model uses it.

    Args:
        own: The weights of the model, and the hash of the rest.
        key: Options that two models must have alike.
        make: Makes a session of the graph.

    Raises:
        ValueError: Where a weight has not the shape that the graph wants.

    Example:
        >>> shared_session(own, 2, make).run(None, feeds)  # doctest: +SKIP
    """
    whole = (own.frozen_sha256, key)
    with _lock:
        session = _sessions.get(whole)
        if session is None:
            session = _sessions[whole] = make()
    return SharedSession(session, own.values)


def n_sessions() -> int:
    """Sessions that are shared now, or could be.

    Example:
        >>> n_sessions()
        0
    """
    return len(_sessions)


def _sizes(session: Any, values: Mapping[str, npt.NDArray[np.generic]]) -> dict[Any, int]:
    """The size that each named dimension has in this model."""
    sizes: dict[Any, int] = {}
    for one in session.get_overridable_initializers():
        found = values[one.name].shape if one.name in values else ()
        bound = [
            size if isinstance(size, int) else sizes.setdefault(size, actual)
            for size, actual in zip(one.shape, found, strict=False)
        ]
        if list(found) != bound or len(found) != len(one.shape):
            raise ValueError(f"weight '{one.name}' is {list(found)} instead of {one.shape}")
    return sizes
