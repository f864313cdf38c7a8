"""The kit of a service that systemd runs on a machine of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from payoff.apps.kits.kit import Kit
from payoff.apps.kits.option import whole_number

if TYPE_CHECKING:
    from payoff.artifact.artifact import Artifact
    from payoff.artifact.target import Written

_PORT = 8000
_KIT = Kit(
    ("systemd",),
    service=True,
    tested=(
        "The unit, by `systemd-analyze verify` and `systemd-analyze security`.",
        "Its ExecStart, as a process that finds nothing but `payoff/` and what "
        "`requirements.txt` pins, over HTTP, with its journal.",
    ),
    not_run=("`systemctl start`, and so the unit's confinement: the tests run no systemd.",),
    next_step="sudo systemctl enable --now, once the folder lies in /opt: see README.md",
    endpoints=True,
)


class Systemd:
    """A hardened unit that answers on this machine and keeps its journal."""

    name = "systemd"
    title = "systemd unit"
    options: Mapping[str, str] = MappingProxyType(
        {"port": f"Port of the machine; {_PORT} if not given."}
    )

    def write(self, artifact: Artifact, out: Path, *, options: Mapping[str, str]) -> Written:
        """Write the kit; see `payoff.artifact.target.Target`."""
        port = whole_number(options, "port", default=_PORT, low=1, high=65_535)
        return _KIT.write(artifact, out, values={"port": port})
