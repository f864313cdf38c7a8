"""The kit of a service on Google Cloud Run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from payoff.apps.kits.image import IMAGE_TESTED, NO_JOURNAL, image_values
from payoff.apps.kits.kit import Kit, slug
from payoff.apps.kits.option import image_name

if TYPE_CHECKING:
    from payoff.artifact.artifact import Artifact
    from payoff.artifact.target import Written

_PORT = 8080
_REGISTRY = "LOCATION-docker.pkg.dev/PROJECT/payoff"
_KIT = Kit(
    ("image", "google-cloud-run"),
    service=True,
    tested=(
        *IMAGE_TESTED,
        "The port that the host gives by PORT; `service.yaml` is read as YAML and the addresses of "
        "its probes answer.",
    ),
    not_run=("`gcloud builds` and `gcloud run`: the tests have no account.",),
    next_step="gcloud builds submit, gcloud run services replace: see README.md",
)


class GoogleCloudRun:
    """A container image and the description of its service."""

    name = "google-cloud-run"
    title = "Google Cloud Run service"
    options: Mapping[str, str] = MappingProxyType(
        {
            "image": "Name that the image is pushed under; a repository 'payoff' of "
            "Artifact Registry, with LOCATION and PROJECT to fill in, if not given."
        }
    )

    def write(self, artifact: Artifact, out: Path, *, options: Mapping[str, str]) -> Written:
        """Write the kit; see `payoff.artifact.target.Target`."""
        image = image_name(options, default=f"{_REGISTRY}/{slug(artifact.name)}")
        values = image_values(_PORT, journal=False) | {"image": image}
        return _KIT.write(artifact, out, values=values, note=NO_JOURNAL)
