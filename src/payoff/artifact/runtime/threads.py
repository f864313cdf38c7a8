"""How many threads a model may use."""

from __future__ import annotations

import math
import os
from pathlib import Path

_TOPOLOGY = Path("/sys/devices/system/cpu")
_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def physical_cores(topology: Path = _TOPOLOGY, quota: Path = _QUOTA) -> int:
    """Physical cores this process may use: its affinity, without twins, within its quota.

    A second thread on the same core slows matrix products, and threads beyond a container's
    quota are throttled together.

    Example:
        >>> physical_cores() >= 1
        True
    """
    allowed = (
        os.sched_getaffinity(0)
        if hasattr(os, "sched_getaffinity")
        else set(range(os.cpu_count() or 1))
    )
    twins = set()
    for cpu in allowed:
        try:
            twins.add((topology / f"cpu{cpu}/topology/thread_siblings_list").read_text().strip())
        except OSError:
            twins.add(str(cpu))
    return max(1, min(len(twins), _quota_cores(quota)))


def _quota_cores(quota: Path) -> int:
    try:
        granted, period = quota.read_text().split()
        return max(1, math.ceil(int(granted) / int(period)))
    except (OSError, ValueError):
        return os.cpu_count() or 1
