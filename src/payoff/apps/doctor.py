"""What this machine has of what payoff needs, as findings."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable
from datetime import date
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from payoff import __version__
from payoff.core.codes import catalogue
from payoff.core.findings import Finding, Status

_OLDEST_PYTHON = (3, 11)
_MEMORY_BYTES = 2_000_000_000
_DISK_BYTES = 1_000_000_000
_GB = 1_000_000_000


def describe_machine() -> dict[str, str]:
    """Versions and size of this machine, in words.

    Example:
        >>> describe_machine()["payoff"]
        '0.1.0'
    """
    memory_bytes = _memory_bytes()
    return {
        "payoff": __version__,
        "Python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": str(os.cpu_count() or "unknown"),
        "memory": f"{memory_bytes / _GB:.1f} GB" if memory_bytes else "unknown",
    }


def examine() -> list[Finding]:
    """All checks, in the order of their codes; nothing is downloaded and nothing is changed.

    Example:
        >>> [finding.code for finding in examine()][:2]
        ['PF850', 'PF851']
    """
    return [
        _python(),
        _libraries("PF851", extra=""),
        _libraries("PF852", extra="tune"),
        _memory(),
        *_cache(),
        _backbones(),
        _prices(),
    ]


def _finding(code: str, passed: bool, detail: str) -> Finding:
    entry = catalogue()[code]
    status = Status.PASSED if passed else Status.FAILED
    return Finding(code, entry.title, status, detail, "" if passed else entry.mend)


def _not_checked(code: str, why: str) -> Finding:
    return Finding(code, catalogue()[code].title, Status.NOT_CHECKED, why)


def _python() -> Finding:
    found = platform.python_version()
    return _finding("PF850", sys.version_info[:2] >= _OLDEST_PYTHON, f"Python {found}.")


def _libraries(code: str, *, extra: str) -> Finding:
    """Whether every distribution that payoff names for an extra is installed."""
    try:
        needed = list(_names(requires("payoff") or (), extra))
    except PackageNotFoundError:
        return _not_checked(code, "payoff itself is not installed, so its needs are not known.")
    missing = [name for name in needed if not _installed(name)]
    detail = f"Missing: {', '.join(missing)}." if missing else f"{len(needed)} libraries."
    return _finding(code, not missing, detail)


def _names(requirements: Iterable[str], extra: str) -> Iterable[str]:
    """Names of the requirements that belong to an extra; an empty one is the base."""
    for requirement in requirements:
        name = re.match(r"[\w.-]+", requirement)
        marker = re.search(r"extra\s*==\s*['\"]([^'\"]+)['\"]", requirement)
        if name and (marker[1] if marker else "") == extra:
            yield name[0]


def _installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def _memory() -> Finding:
    memory_bytes = _memory_bytes()
    if not memory_bytes:
        return _not_checked("PF853", "This system does not tell its memory.")
    return _finding("PF853", memory_bytes >= _MEMORY_BYTES, f"{memory_bytes / _GB:.1f} GB in all.")


def _memory_bytes(limit: Path = Path("/sys/fs/cgroup/memory.max")) -> int:
    """Memory that this process may use: the machine's, or its container's; 0 where untold."""
    try:
        physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0
    try:
        return min(physical, int(limit.read_text("ascii")))
    except (OSError, ValueError):  # no container, or one without a limit ("max")
        return physical


def _cache() -> list[Finding]:
    from payoff.data.wheels import cache_folder

    folder = cache_folder()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free_bytes = shutil.disk_usage(there).free
    detail = f"{free_bytes / _GB:.1f} GB free for {folder}."
    return [
        _finding("PF854", free_bytes >= _DISK_BYTES, detail),
        _finding("PF855", _writable(there), f"{folder}"),
    ]


def _writable(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _backbones() -> Finding:
    from payoff.adapt.backbones.backbone import catalogue as backbones
    from payoff.adapt.backbones.installation import installed

    names = [name for name, backbone in backbones().items() if installed(backbone)]
    detail = f"Installed: {', '.join(names)}." if names else "None of the packaged ones is."
    return _finding("PF856", bool(names), detail)


def _prices() -> Finding:
    from payoff.economics.prices.book import PriceBook

    checks = PriceBook.builtin().check(date.today())
    stale = [check for check in checks if check.code == "PF608" and check.failed]
    return _finding("PF857", not stale, " ".join(check.detail for check in stale))
