"""ONNX graphs of a tier, opened for serving."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from payoff.artifact.tier import TierSpec
from payoff.core.errors import ArtifactError


def open_session(
    spec: TierSpec,
    read: Callable[[str], bytes],
    threads: int,
    file: Callable[[str], AbstractContextManager[Path]] | None,
) -> Any:
    """An ``onnxruntime.InferenceSession`` of ``model.onnx``.

    Args:
        spec: The tier; its setting ``optimised`` says that the graph needs no optimisation.
        read: Gives the bytes of one of its members.
        threads: Threads of the session.
        file: Gives a member as a file for as long as a block lasts; None to read its bytes.

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
    providers = ["CPUExecutionProvider"]
    try:
        if file is None:
            return ort.InferenceSession(read("model.onnx"), options, providers=providers)
        with file("model.onnx") as path:
            return ort.InferenceSession(str(path), options, providers=providers)
    except ArtifactError:
        raise
    except Exception as error:  # onnxruntime has no public base class for its errors
        raise broken(spec, f"model.onnx: {first_line(error)}", "an ONNX graph") from error


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
