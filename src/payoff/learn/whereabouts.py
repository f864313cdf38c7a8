"""Whereabouts: where the artifact of a version lies, known by its SHA-256."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from payoff.artifact.manifest import MANIFEST
from payoff.artifact.store import open_store, read_member
from payoff.core.errors import PayoffError, ServiceError


def located(artifact_sha256: str, place: str, folders: Iterable[Path] = ()) -> Path:
    """The file or folder of a version, whose manifest has that SHA-256.

    It is looked for where it was noted, then under the same file name in each folder: a project
    that moved is found again. What lies there under another SHA-256 is another version.

    Args:
        artifact_sha256: Of the version.
        place: Path that was noted; a relative one is taken from each folder. Empty where nobody
            noted one.
        folders: Where else to look, such as the project's and the journal's.

    Raises:
        ServiceError: PF785 where it lies in none of them.

    Example:
        >>> located("a" * 64, "nowhere/support.2.payoff")
        Traceback (most recent call last):
        ...
        payoff.core.errors.ServiceError: PF785 version aaaaaaaaaaaa: nowhere/support.2.payoff:\
 there is none. Put the artifact back where it lay, or release another version.
    """
    told = []
    for path in _candidates(place, [Path(folder) for folder in folders]):
        if not path.exists():
            told.append(f"{path}: there is none")
            continue
        try:
            found = sha256_at(path)
        except PayoffError as error:
            told.append(f"{path}: {error.code} {error.found}")
            continue
        if found == artifact_sha256:
            return path
        told.append(f"{path}: its SHA-256 is {found[:12]}…")
    raise not_to_be_had(artifact_sha256, "; ".join(told) or "nobody noted where it lies")


def marks(place: str, folders: Iterable[Path] = ()) -> tuple[tuple[str, int, int], ...]:
    """What lies at each place where `located` looks: path, time of its last change, bytes.

    While it stays the same, looking again would find the same.

    Example:
        >>> marks("nowhere/support.2.payoff")
        ()
    """
    found = []
    for path in _candidates(place, [Path(folder) for folder in folders]):
        try:
            state = path.stat()
        except OSError:
            continue
        found.append((str(path), state.st_mtime_ns, state.st_size))
    return tuple(found)


def sha256_at(path: Path) -> str:
    """What tells the artifact at a path from others: the SHA-256 of its manifest, nothing verified.

    Raises:
        ArtifactError: PF501 where there is none, PF502 where it is broken.

    Example:
        >>> sha256_at(Path("support.payoff"))  # doctest: +SKIP
        '9f86d081884c7d65…'
    """
    return hashlib.sha256(read_member(open_store(path), MANIFEST)).hexdigest()


def not_to_be_had(artifact_sha256: str, why: str) -> ServiceError:
    """PF785: a version that cannot be served, and why.

    Example:
        >>> not_to_be_had("a" * 64, "it is gone").code
        'PF785'
    """
    return ServiceError(
        "PF785",
        f"version {artifact_sha256[:12]}",
        why[:600],
        mend="Put the artifact back where it lay, or release another version.",
    )


def _candidates(place: str, folders: list[Path]) -> list[Path]:
    """Every path to look at, each once, the likeliest first."""
    if not place:
        return []
    noted = Path(place)
    at = [noted] if noted.is_absolute() or not folders else [folder / noted for folder in folders]
    return list(dict.fromkeys([*at, *(folder / noted.name for folder in folders)]))
