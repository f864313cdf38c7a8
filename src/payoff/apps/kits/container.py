"""The kit of a container: a Dockerfile and a compose file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from payoff.apps.kits.image import IMAGE_TESTED, image_values
from payoff.apps.kits.kit import Kit
from payoff.apps.kits.option import whole_number

if TYPE_CHECKING:
    from payoff.artifact.artifact import Artifact
    from payoff.artifact.target import Written

_PORT = 8000
_KIT = Kit(
    ("image", "container"),
    service=True,
    tested=(*IMAGE_TESTED, "compose.yaml is read as YAML and names that port and that volume."),
    not_run=("`docker build` and `docker compose up`: the tests have no Docker daemon.",),
    next_step="docker compose up --build",
    endpoints=True,
)


class Container:
    """A container image that answers over HTTP and keeps its journal on a volume."""

    name = "container"
    title = "Dockerfile and compose file"
    options: Mapping[str, str] = MappingProxyType(
        {"port": "Port of your machine; 8000 if not given."}
    )

    def write(self, artifact: Artifact, out: Path, *, options: Mapping[str, str]) -> Written:
        """Write the kit; see `payoff.artifact.target.Target`."""
        host_port = whole_number(options, "port", default=_PORT, low=1, high=65_535)
        values = image_values(_PORT, journal=True) | {"host_port": host_port}
        return _KIT.write(artifact, out, values=values)
