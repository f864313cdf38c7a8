"""The kit of a function app on Azure."""

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
    ("azure-function",),
    service=False,
    host_requirements=("azure-functions==1.*",),
    tested=(
        "The functions of `function_app.py` with requests of azure-functions, as a process that "
        "finds nothing but this folder, that library and what `requirements.txt` pins.",
    ),
    not_run=("`az`, `func` and the host itself: the tests have no account.",),
    next_step="az functionapp create, func azure functionapp publish: see README.md",
)


class AzureFunction:
    """A function app in Python's programming model 2."""

    name = "azure-function"
    title = "Azure function app"
    options: Mapping[str, str] = MappingProxyType({})

    def write(self, artifact: Artifact, out: Path, *, options: Mapping[str, str]) -> Written:
        """Write the kit; see `payoff.artifact.target.Target`."""
        return _KIT.write(artifact, out, values={}, note=NO_JOURNAL)
