"""The kit of an InferenceService on KServe."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import quote

from payoff.apps.kits.image import IMAGE_TESTED, NO_JOURNAL, image_values
from payoff.apps.kits.kit import Kit, slug
from payoff.apps.kits.option import image_name

if TYPE_CHECKING:
    from payoff.artifact.artifact import Artifact
    from payoff.artifact.target import Written

_PORT = 8080
_KIT = Kit(
    ("image", "kserve"),
    service=True,
    tested=(
        *IMAGE_TESTED,
        "The Open Inference Protocol over HTTP, by the client of Triton.",
        "`inference-service.yaml` is read as YAML; the addresses of its probes answer.",
    ),
    not_run=("`docker build`, `kubectl apply` and KServe itself: the tests have no cluster.",),
    next_step="kubectl apply --filename inference-service.yaml, once its image is pushed",
)


class KServe:
    """A container image behind an InferenceService, asked by the Open Inference Protocol."""

    name = "kserve"
    title = "KServe InferenceService (Open Inference Protocol v2)"
    options: Mapping[str, str] = MappingProxyType(
        {"image": "Name that the image is pushed under; NAME:1 if not given."}
    )

    def write(self, artifact: Artifact, out: Path, *, options: Mapping[str, str]) -> Written:
        """Write the kit; see `payoff.artifact.target.Target`."""
        values = image_values(_PORT, journal=False) | {
            "image": image_name(options, default=f"{slug(artifact.name)}:1"),
            "model": " ".join(artifact.name.split()),
            "model_address": quote(artifact.name, safe=""),
        }
        return _KIT.write(artifact, out, values=values, note=NO_JOURNAL)
