"""A candidate: a version that is opened aside, looked at and asked once before it may serve."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from payoff.core.errors import PayoffError, ServiceError

if TYPE_CHECKING:
    from payoff.economics.desk import Desk
    from payoff.serve.served_model import ServedModel

_ASKED = "payoff"


def candidate_at(path: Path, model: ServedModel) -> Desk:
    """What lies at a path, once it has answered; every byte is checked, and its signature.

    Raises:
        ServiceError: PF785 where it cannot be opened or does not answer; PF786 where it is no
            version of the model.
    """
    from payoff.economics.desk import load
    from payoff.learn.whereabouts import not_to_be_had

    try:
        desk = load(path, threads=model.service.desk.artifact.threads)
    except PayoffError as error:
        raise _unusable(path, str(error)) from error
    except Exception as error:  # a file may be broken in ways that nobody foresaw
        raise _unusable(path, f"{type(error).__name__}: {error}") from error
    try:
        model.check(desk)
        _ask_once(desk)
    except ServiceError:
        desk.close()
        raise
    except Exception as error:  # whatever it is: what cannot answer must not serve
        desk.close()
        raise not_to_be_had(desk.artifact.sha256, f"{path} does not answer: {error}") from error
    return desk


def candidate(
    artifact_sha256: str, place: str, folders: Sequence[Path], model: ServedModel
) -> Desk:
    """The version of a SHA-256, from where it was noted to lie, once it has answered.

    Args:
        artifact_sha256: Of the version.
        place: Path that was noted.
        folders: Where else to look for it.
        model: Whose version it is to be.

    Raises:
        ServiceError: PF785 where it is not there, or as `candidate_at`.
    """
    from payoff.learn.whereabouts import located, not_to_be_had

    path = located(artifact_sha256, place, folders)
    desk = candidate_at(path, model)
    if desk.artifact.sha256 != artifact_sha256:
        desk.close()
        raise not_to_be_had(artifact_sha256, f"{path} was changed while it was opened")
    return desk


def _ask_once(desk: Desk) -> None:
    """Ask each model that is paid by nobody, and decide by what it says."""
    from payoff.core.pair import joined_pairs

    text = joined_pairs([_ASKED], [_ASKED], desk.name, reads_pairs=True)[0]
    asked = [text if desk.reads_pairs else _ASKED]
    for number, tier in enumerate(desk.artifact.tiers):
        if tier.kind == "endpoint":
            continue
        desk.policy.decide(desk.artifact.probabilities(asked, tier=number))


def _unusable(path: Path, why: str) -> ServiceError:
    return ServiceError(
        "PF785",
        str(path),
        why[:600],
        mend="Put the artifact back where it lay, or release another version.",
    )
