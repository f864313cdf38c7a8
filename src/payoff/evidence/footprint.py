"""Footprint: what an artifact takes on a disk, in memory and to start."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from payoff.artifact.texts import check_text
from payoff.core.errors import MachineError

# Linux keeps the largest RSS of the parent in the child's rusage across exec, so that a small
# process started by a large one looks large: VmHWM counts this process alone.
_PROGRAM = """
import json, sys
from payoff.artifact.artifact import Artifact
path, threads, text = json.load(sys.stdin)
artifact = Artifact.open(path, threads=threads)
artifact.warm()
for number, tier in enumerate(artifact.tiers):
    if tier.kind != "endpoint":  # its answers cost money, and no memory here
        artifact.probabilities([text], tier=number)
try:
    with open("/proc/self/status") as status:
        peak = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
except (OSError, StopIteration):
    try:
        import resource
        unit = 1 if sys.platform == "darwin" else 1024
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    except ImportError:
        peak = None
print(json.dumps(peak), flush=True)
"""


@dataclass(frozen=True, slots=True)
class Footprint:
    """What serving an artifact takes.

    Args:
        artifact_bytes: Bytes of all its members.
        peak_rss_bytes: Most memory a fresh process held until each of its models had answered
            once; None where the system does not tell.
        start_s: Seconds from starting that process until then; None if not measured.
    """

    artifact_bytes: int
    peak_rss_bytes: int | None = None
    start_s: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """The same figures as plain values."""
        return asdict(self)


def measure_footprint(
    path: str | Path, *, text: str = "hello", threads: int = 0, timeout_s: float = 120.0
) -> Footprint:
    """Open an artifact in a fresh process and let each of its models answer once.

    That is how it is served: all models of a cascade are in memory together. One that somebody
    else serves is made ready and not asked.

    Args:
        path: The artifact.
        text: What is asked.
        threads: Threads the model may use; 0 takes the physical cores.
        timeout_s: The process is ended after so many seconds.

    Raises:
        ArtifactError: PF501–PF504 where the artifact cannot be used.
        DataError: PF105 where the text is unusable.
        MachineError: PF807 where the fresh process fails or takes too long.

    Example:
        >>> measure_footprint("support.payoff").peak_rss_bytes  # doctest: +SKIP
        98566144
    """
    from payoff.artifact.artifact import Artifact  # a what-if reads figures and opens none

    with Artifact.open(path, threads=threads) as artifact:
        artifact_bytes = artifact.size_bytes
    check_text(text)
    asked = json.dumps([str(path), threads, text])
    begin = time.perf_counter()
    try:
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM],
            input=asked,
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )
    except (subprocess.TimeoutExpired, OSError) as error:
        raise MachineError(
            "PF807", str(path), f"{type(error).__name__} in a fresh process"
        ) from error
    start_s = time.perf_counter() - begin
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise MachineError("PF807", str(path), reason[:300])
    return Footprint(artifact_bytes, json.loads(done.stdout), start_s)
