"""The kit of an endpoint on Amazon SageMaker."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from payoff.apps.kits.image import IMAGE_TESTED, NO_JOURNAL, image_values
from payoff.apps.kits.kit import Kit

if TYPE_CHECKING:
    from payoff.artifact.artifact import Artifact
    from payoff.artifact.target import Written

# https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
_PORT = 8080
_KIT = Kit(
    ("image", "sagemaker"),
    service=True,
    tested=(
        *IMAGE_TESTED,
        "The entry with the argument `serve`, as SageMaker gives it; `/ping` and `/invocations` "
        "over HTTP.",
    ),
    not_run=("`docker build`, `aws sagemaker` and an endpoint: the tests have no account.",),
    next_step="docker build, docker push, aws sagemaker create-model: see README.md",
)


class SageMaker:
    """A container image that keeps SageMaker's contract: ``serve``, ``/ping``, ``/invocations``."""

    name = "sagemaker"
    title = "Container for an Amazon SageMaker endpoint"
    options: Mapping[str, str] = MappingProxyType({})

    def write(self, artifact: Artifact, out: Path, *, options: Mapping[str, str]) -> Written:
        """Write the kit; see `payoff.artifact.target.Target`."""
        values = image_values(_PORT, journal=False, any_argument=True)
        return _KIT.write(artifact, out, values=values, note=NO_JOURNAL)
