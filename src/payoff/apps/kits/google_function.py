"""The kit of a function on Google Cloud."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from payoff.apps.kits.image import NO_JOURNAL
from payoff.apps.kits.kit import Kit

if TYPE_CHECKING:
    from payoff.artifact.artifact import Artifact
    from payoff.artifact.target import Written

_KIT = Kit(
    ("google-function",),
    service=False,
    host_requirements=("functions-framework==3.*",),
    tested=(
        "`main.py` under functions-framework, with its requests, as a process that finds nothing "
        "but this folder, that framework and what `requirements.txt` pins.",
    ),
    not_run=("`gcloud functions deploy` and the host itself: the tests have no account.",),
    next_step="gcloud functions deploy: see README.md",
)


class GoogleFunction:
    """A function of Google Cloud, second generation."""

    name = "google-function"
    title = "Google Cloud function"
    options: Mapping[str, str] = MappingProxyType({})

    def write(self, artifact: Artifact, out: Path, *, options: Mapping[str, str]) -> Written:
        """Write the kit; see `payoff.artifact.target.Target`."""
        return _KIT.write(artifact, out, values={}, note=NO_JOURNAL)
