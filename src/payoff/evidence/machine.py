"""The machine that something was measured on."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from payoff.artifact.runtime.threads import physical_cores


@dataclass(frozen=True, slots=True)
class Machine:
    """Where measurements come from: seconds mean nothing without it.

    Args:
        cpu: The processor's model, as the system names it.
        cores: Physical cores this process may use.
        system: Operating system and architecture.
    """

    cpu: str
    cores: int
    system: str

    def as_dict(self) -> dict[str, Any]:
        """The same facts as plain values."""
        return asdict(self)


def this_machine(cpuinfo: Path = Path("/proc/cpuinfo")) -> Machine:
    """The machine this runs on.

    Example:
        >>> this_machine().cores >= 1
        True
    """
    cpu = platform.processor() or platform.machine()
    try:
        lines = cpuinfo.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
            break
    return Machine(cpu, physical_cores(), f"{platform.system()} {platform.machine()}")
