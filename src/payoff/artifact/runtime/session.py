"""ONNX graphs of a tier, opened for serving."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from payoff.artifact.runtime.graph_file import GraphFile
from payoff.artifact.runtime.own_weights import OwnWeights, own_weights
from payoff.artifact.runtime.shared_session import shared_session
from payoff.artifact.runtime.shared_tables import shared_tables
from payoff.artifact.tier import TierSpec
from payoff.core.errors import ArtifactError

_open: weakref.WeakSet[Any] = weakref.WeakSet()


def open_session(
    spec: TierSpec,
    read: Callable[[str], bytes],
    threads: int,
    file: Callable[[str], AbstractContextManager[Path]] | None,
    member: str = "model.onnx",
) -> Any:
    """An ``onnxruntime.InferenceSession`` of ``model.onnx``.

    Models of one backbone that leave it as it was share one; see `shared_session`. From the second
    one of a process on, the others share large tables; see `shared_tables`.

    Args:
        spec: The tier; its setting ``optimised`` says that the graph needs no optimisation.
        read: Gives the bytes of one of its members.
        threads: Threads of the session.
        file: Gives a member as a file for as long as a block lasts; None to read its bytes.
        member: Another member that is a graph.

    Raises:
        ArtifactError: PF504 where it is no graph that can be run.

    Example:
        >>> session = open_session(spec, read, 2, None)  # doctest: +SKIP
        >>> session.get_outputs()[0].name  # doctest: +SKIP
        'logits'
    """
    import onnxruntime as ort  # type: ignore[import-untyped]

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    # A graph that was optimised when it was made starts faster without a second look.
    options.graph_optimization_level = (
        ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        if spec.settings.get("optimised") is True
        else ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    )
    # The arena doubles itself for the largest batch ever seen and never gives back; shapes differ
    # in every call, so that a memory pattern would never be used twice.
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    try:
        if file is None:
            content = read(member)
            return _opened(content, options, _shareable(memoryview(content)))
        with file(member) as path:
            with _mapped(path) as view:
                shareable = _shareable(view)
            return _opened(str(path), options, shareable)
    except ArtifactError:
        raise
    except Exception as error:  # onnxruntime has no public base class for its errors
        raise broken(spec, f"{member}: {first_line(error)}", "an ONNX graph") from error


def _shareable(view: memoryview) -> tuple[OwnWeights | None, dict[str, npt.NDArray[np.generic]]]:
    """Own weights of a file, where the rest may be shared, and large tables that are."""
    file = GraphFile(view)
    try:
        own = own_weights(file)
        # One model alone is opened as fast, and with as low a peak of memory, as can be.
        return own, shared_tables(file) if _open else {}
    except ValueError:  # onnxruntime tells better than we could what is wrong with it
        return None, {}


def _opened(
    graph: str | bytes,
    options: Any,
    shareable: tuple[OwnWeights | None, dict[str, npt.NDArray[np.generic]]],
) -> Any:
    """A session of its own, or one that is shared."""
    import onnxruntime as ort

    own, tables = shareable

    def make() -> Any:
        held = {name: ort.OrtValue.ortvalue_from_numpy(table) for name, table in tables.items()}
        for name, table in held.items():
            options.add_initializer(name, table)
        # Its second try on the same processor would print to standard output.
        session = ort.InferenceSession(
            graph, options, providers=["CPUExecutionProvider"], enable_fallback=0
        )
        # The session reads the tables without holding them.
        weakref.finalize(session, held.clear).atexit = False
        _open.add(session)
        return session

    if own is None:
        return make()
    return shared_session(
        own, (options.intra_op_num_threads, options.graph_optimization_level), make
    )


@contextmanager
def _mapped(path: Path) -> Iterator[memoryview]:
    with path.open("rb") as file:
        if not file.seek(0, 2):
            yield memoryview(b"")  # what is empty cannot be mapped
            return
        with mmap(file.fileno(), 0, access=ACCESS_READ) as content, memoryview(content) as view:
            yield view


def broken(spec: TierSpec, found: str, expected: str) -> ArtifactError:
    """PF504: what a tier holds and what it should.

    Example:
        >>> print(broken(TierSpec("words", "ngrams"), "2 columns", "3 labels"))
        PF504 tier 'words': 2 columns (expected 3 labels).
    """
    return ArtifactError("PF504", f"tier '{spec.name}'", found, expected=expected)


def first_line(error: BaseException) -> str:
    r"""What another library's error says, as much as a message can hold.

    Example:
        >>> first_line(ValueError("no graph\nat byte 0")), first_line(ValueError())
        ('no graph', 'ValueError')
    """
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
