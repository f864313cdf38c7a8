"""Memory of a training: estimated before it begins, so that the system does not end it half-way."""

from __future__ import annotations

from pathlib import Path

from payoff.adapt.engine.batches import Packed
from payoff.adapt.engine.classifier import Classifier
from payoff.core.errors import MachineError

_BYTES = 4  # of a float32
_STATES = 3  # of a trained weight: its gradient and AdamW's two moments
_KEPT_A_LAYER = 11  # arrays of ``(n_tokens, width)`` that a layer keeps for its gradient
_KEPT_A_STEP = 6  # such arrays of a whole step whose layers are run in parts


def training_bytes(classifier: Classifier, batch: Packed) -> int:
    """Bytes that training needs beside what is loaded already, estimated from above.

    States of the trained weights, and the activations that the layers keep for one batch:
    ``11 width + 2 inner`` numbers a token and layer, and the attention of each text.

    Args:
        classifier: What is trained.
        batch: The most that is computed at once.
    """
    shape = classifier.trunk[0].shape
    trained = sum(p.numel() for p in classifier.parameters() if p.requires_grad)
    tokens = batch.n_tokens * (_KEPT_A_LAYER * shape.width + 2 * shape.inner)
    attention = sum(2 * shape.heads * n * length * length for _, n, length in batch.groups)
    return _BYTES * (_STATES * trained + len(classifier.layers) * (tokens + attention))


def kept_bytes(classifier: Classifier, batch: Packed) -> int:
    """Bytes that a whole step takes whose layers are run in parts.

    The activations that enter the layers, and what is there beside them while they are put
    together: 4 to 6 times as much in all, as measured.

    Args:
        classifier: What is trained.
        batch: The whole step.
    """
    return _KEPT_A_STEP * _BYTES * batch.n_tokens * classifier.trunk[0].shape.width


def available_bytes(root: Path = Path("/")) -> int | None:
    """Bytes that this process may still take; None where the system does not tell.

    The smaller of what the machine has left and what the control group allows.

    Args:
        root: Where ``proc`` and ``sys`` lie.

    Example:
        >>> available_bytes(Path("/nowhere")) is None
        True
    """
    left = _fields(root / "proc/meminfo", ":").get("MemAvailable")
    found = [] if left is None else [left * 1024]
    group = root / "sys/fs/cgroup"
    limit, used = _text(group / "memory.max").strip(), _text(group / "memory.current").strip()
    if limit.isdigit() and used.isdigit():
        # Pages of files that were not read lately are given up for whoever needs memory.
        used_up = int(used) - _fields(group / "memory.stat", " ").get("inactive_file", 0)
        found.append(max(0, int(limit) - used_up))
    return min(found, default=None)


def check_memory(what: str, needed: int, available: int | None) -> None:
    """Refuse a training that would not fit.

    Args:
        what: The candidate.
        needed: Bytes, estimated.
        available: Bytes; None where unknown, which refuses nothing.

    Raises:
        MachineError: PF808 where more is needed than there is.
    """
    if available is not None and needed > available:
        raise MachineError(
            "PF808",
            what,
            f"training needs about {needed / 1e6:,.0f} MB and {available / 1e6:,.0f} MB are free",
            mend="Train fewer layers (depth), compute fewer tokens at once (max_tokens), take a"
            " smaller backbone, or free memory.",
        )


def _fields(path: Path, sign: str) -> dict[str, int]:
    """Numbers of a file of lines ``name sign number``."""
    parts = [line.partition(sign) for line in _text(path).splitlines()]
    values = {name: rest.split() for name, _, rest in parts}
    return {name: int(found[0]) for name, found in values.items() if found and found[0].isdigit()}


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError:
        return ""
