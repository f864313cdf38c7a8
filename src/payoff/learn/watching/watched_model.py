"""Watched model: what watching needs to know of an artifact, without making its models ready."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from payoff.artifact.artifact import Artifact
from payoff.core.errors import ArtifactError
from payoff.economics.desk import EVIDENCE, POLICY
from payoff.economics.policy import Policy

REFERENCE = "reference.json"
"""Member of an artifact: a `Reference` of labelled rows, where whoever made it kept one."""

_OF_DECISIONS = ("right answers", "wrong answers", "handed over", "people")


@dataclass(frozen=True, eq=False, kw_only=True)
class WatchedModel:
    """One version of a model.

    Args:
        name: What people call it.
        sha256: Names the version in the journal.
        policy: What is worth what, with the labels.
        currency: Of the policy's values.
        forecast: What a request was forecast to be worth, before costs; None where nobody did.
        calibration_error: Expected calibration error that was measured.
        reference: `Reference` of labelled rows as plain values; None where there is none.
        folder: Where the artifact lies.
    """

    name: str
    sha256: str
    policy: Policy
    currency: str
    forecast: float | None = None
    calibration_error: float = 0.05
    reference: Mapping[str, Any] | None = None
    folder: Path = Path()

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, sorted: ``(k,)``."""
        return self.policy.labels


def watched_model(path: str | Path) -> WatchedModel:
    """Read an artifact's policy, forecast and evidence.

    Args:
        path: A ``NAME.payoff`` file, or the same as a folder.

    Raises:
        ArtifactError: PF501 to PF504 where it cannot be used.

    Example:
        >>> watched_model("support.payoff").forecast  # doctest: +SKIP
        1.27
    """
    with Artifact.open(path) as artifact:
        return model_of(artifact, folder=Path(path).parent)


def model_of(artifact: Artifact, *, folder: Path = Path()) -> WatchedModel:
    """The same of an artifact that is open.

    Args:
        artifact: Such as a desk serves.
        folder: Where it lies.

    Raises:
        ArtifactError: PF501 to PF504 where it cannot be used.

    Example:
        >>> model_of(desk.artifact).forecast  # doctest: +SKIP
        1.27
    """
    document = artifact.read_json(POLICY)
    currency = document.get("currency") if isinstance(document, dict) else None
    if not isinstance(currency, str):
        raise ArtifactError(
            "PF504",
            f"{artifact.path} [{POLICY}]",
            "it names no currency",
            expected='"currency": "USD"',
        )
    costs, evidence, reference = (
        artifact.read_json(name) if name in artifact.documents else {}
        for name in ("costs.json", EVIDENCE, REFERENCE)
    )
    error = evidence.get("ece")
    return WatchedModel(
        name=artifact.name,
        sha256=artifact.sha256,
        policy=Policy.from_dict(document),
        currency=currency,
        forecast=forecast_worth(costs),
        calibration_error=0.05 if error is None else float(error),
        reference=reference or None,
        folder=folder,
    )


def forecast_worth(costs: Mapping[str, Any]) -> float | None:
    """What a request is worth by an artifact's ``costs.json``, before the costs of answering.

    Right answers, wrong answers and handovers with their people, of the mean month, over its
    requests: the quotient of the profit a month and the profit a request.

    Args:
        costs: The member's content.

    Returns:
        Money a request; None where the artifact has no forecast.

    Example:
        >>> steps = [{"name": "right answers", "amount": 300.0},
        ...          {"name": "people", "amount": -40.0}, {"name": "inference", "amount": -10.0}]
        >>> forecast_worth({"forecast": {"profit": {"mean": 250.0}, "waterfall": steps,
        ...                              "per_request": {"mean": 2.5}}})
        2.6
    """
    try:
        forecast = costs["forecast"]
        month, request = forecast["profit"]["mean"], forecast["per_request"]["mean"]
        steps = {step["name"]: float(step["amount"]) for step in forecast["waterfall"]}
        requests = float(month) / float(request)
        if not requests > 0:
            return None
        return sum(steps.get(name, 0.0) for name in _OF_DECISIONS) / requests
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
