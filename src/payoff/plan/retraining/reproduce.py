"""Reproduce: what it takes to make a version again, and how to tell that it is the same."""

from __future__ import annotations

import hashlib
import shlex
from typing import TYPE_CHECKING, Any

from payoff.artifact.artifact import Artifact
from payoff.plan.versions import versions

if TYPE_CHECKING:
    from payoff.plan.project import Project
    from payoff.plan.retraining.retrain import Wish
    from payoff.plan.retraining.retrained import Retrained

_MEASURED = ("card.md", "costs.json", "evidence.json")
"""Members that tell seconds of a machine and what follows from them: no two trainings agree."""


def reproduce(found: Retrained, project: Project, wish: Wish) -> dict[str, Any]:
    """What the journal notes, so that the version can be made again.

    The command is given in the project's folder, with the project's rows, its ``payoff.toml`` and
    the journal as they were. Minutes bound what is tried: a slower machine may try less.

    Args:
        found: The version, in its place.
        project: Whose it is.
        wish: How it was wanted.
    """
    assert found.artifact is not None
    with Artifact.open(found.artifact) as artifact:
        decides = decides_sha256(artifact)
    return {
        "command": _command(found, project, wish),
        "seed": project.seed,
        "data_fingerprint": project.dataset().fingerprint,
        "project_sha256": hashlib.sha256(project.text.encode()).hexdigest(),
        "prices_on": project.terms.on.isoformat(),
        "versions": versions(),
        "decides_sha256": decides,
    }


def decides_sha256(artifact: Artifact) -> str:
    """SHA-256 over all members that bear on a decision, and over the labels.

    Two trainings of the same rows, seed and versions agree in it. The artifact's own SHA-256 covers
    what was measured too, and is another one each time.

    Example:
        >>> decides_sha256(Artifact.open("support.2.payoff"))  # doctest: +SKIP
        '60303ae22b998861…'
    """
    digest = hashlib.sha256("\x1f".join(artifact.labels).encode())
    for name, member in sorted(artifact.manifest.members.items()):
        if name not in _MEASURED:
            digest.update(f"{name}\x1f{member.sha256}\n".encode())
    return digest.hexdigest()


def _command(found: Retrained, project: Project, wish: Wish) -> str:
    rules = wish.rules
    minutes = project.minutes if wish.minutes is None else wish.minutes
    old = found.old.resolve()
    near = old.is_relative_to(project.folder.resolve())
    words = ["payoff", "retrain", "."]
    words += ["--artifact", str(old.relative_to(project.folder.resolve()) if near else old)]
    words += ["--minutes", f"{minutes:g}", "--judges", f"{rules.judge_share:g}"]
    words += ["--most-share", f"{rules.limits.most_share:g}"]
    words += [word for name in wish.only for word in ("--recipe", name)]
    words += [word for name in rules.trusted for word in ("--trust", name)]
    words += ["--until", str(found.gathered.until)] + (["--anyway"] if wish.anyway else [])
    return shlex.join(words)
