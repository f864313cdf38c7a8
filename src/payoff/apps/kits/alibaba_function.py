"""The kit of a function on Alibaba Cloud Function Compute 3.0."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from payoff.apps.kits.image import NO_JOURNAL
from payoff.apps.kits.kit import Kit
from payoff.apps.kits.option import host_region

if TYPE_CHECKING:
    from payoff.artifact.artifact import Artifact
    from payoff.artifact.target import Written

_REGION = "cn-hangzhou"
_KIT = Kit(
    ("alibaba-function",),
    service=False,
    python="3.12",
    tested=(
        "`handler.py` as a process that finds nothing but this folder and what "
        "`requirements.txt` pins, with events as the host documents them; bodies in base64, bad "
        "bodies and unknown paths among them.",
        "`s.yaml` is read as YAML.",
    ),
    not_run=(
        "`s build`, `s deploy` and the host itself: the tests have no account.",
        "Python 3.12, which the host has: the tests run the Python that the kit was made with.",
    ),
    next_step="s build --use-docker && s deploy",
)


class AlibabaFunction:
    """A function of Alibaba Cloud, deployed by Serverless Devs."""

    name = "alibaba-function"
    title = "Alibaba Cloud function (Function Compute 3.0)"
    options: Mapping[str, str] = MappingProxyType(
        {"region": f"Where it runs; {_REGION} if not given."}
    )

    def write(self, artifact: Artifact, out: Path, *, options: Mapping[str, str]) -> Written:
        """Write the kit; see `payoff.artifact.target.Target`."""
        values = {"region": host_region(options, default=_REGION)}
        return _KIT.write(artifact, out, values=values, note=NO_JOURNAL)
