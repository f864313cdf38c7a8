"""Stated project: what the ``payoff.toml`` inside an artifact says, for whoever serves it."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from payoff.artifact.artifact import Artifact

_PROJECT = "payoff.toml"


def stated_project(artifact: Artifact) -> dict[str, Any]:
    """The sections of the project that made an artifact; none where it brought no such file.

    Example:
        >>> stated_project(artifact)["traffic"]  # doctest: +SKIP
        {'per_month': 40000}
    """
    if _PROJECT not in artifact.documents:
        return {}
    return tomllib.loads(artifact.read(_PROJECT).decode())
