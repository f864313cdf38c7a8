"""The kit of a function on AWS Lambda."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from payoff.apps.kits.image import NO_JOURNAL
from payoff.apps.kits.kit import Kit
from payoff.apps.kits.option import one_of, whole_number

if TYPE_CHECKING:
    from payoff.artifact.artifact import Artifact
    from payoff.artifact.target import Written

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
LIMITS = MappingProxyType({"zip": 262_144_000, "image": 10_737_418_240})
"""Bytes of code and libraries that a function may have, unpacked, by the way it is packed."""
_MEMORY_MB = 1024
_IMAGE_ROW = "| `Dockerfile` | the image, of AWS's own Python |\n"
_KIT = Kit(
    ("aws-lambda",),
    service=False,
    tested=(
        "`handler.py` as a process that finds nothing but this folder and what "
        "`requirements.txt` pins, with events of function URLs, of API Gateway's format 2.0 and of "
        "direct calls; bodies in base64, bad bodies and unknown paths among them.",
        "`template.yaml`, by cfn-lint.",
        "The size against the host's limit, as the libraries are installed where the kit was made.",
    ),
    not_run=("`sam build` and `sam deploy`; Lambda itself: the tests have no account.",),
    next_step="sam build && sam deploy --guided",
    mend="Make the artifact smaller, or: --target aws-lambda --set package=image",
)


class AwsLambda:
    """A function on AWS Lambda, deployed by AWS SAM."""

    name = "aws-lambda"
    title = "AWS Lambda function with its SAM template"
    options: Mapping[str, str] = MappingProxyType(
        {
            "package": "zip (at most 250 MB unpacked) or image (10 GB); zip if not given.",
            "memory": f"Megabytes of memory; {_MEMORY_MB} if not given. More has more processor.",
        }
    )

    def write(self, artifact: Artifact, out: Path, *, options: Mapping[str, str]) -> Written:
        """Write the kit; see `payoff.artifact.target.Target`."""
        package = one_of(options, "package", tuple(LIMITS))
        memory = whole_number(options, "memory", default=_MEMORY_MB, low=128, high=10_240)
        limit_bytes = LIMITS[package]
        kit = replace(
            _KIT, folders=(*_KIT.folders, f"aws-lambda-{package}"), limit_bytes=limit_bytes
        )
        values = {
            "package": package,
            "memory": memory,
            "limit_mb": round(limit_bytes / 1e6),
            "image_row": _IMAGE_ROW if package == "image" else "",
        }
        return kit.write(artifact, out, values=values, note=NO_JOURNAL)
