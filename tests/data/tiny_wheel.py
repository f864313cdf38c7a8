"""Real wheels of a few bytes, as pip takes them."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path


def build_wheel(
    folder: Path,
    package: str,
    version: str,
    members: Mapping[str, bytes],
    *,
    tag: str = "py3-none-any",
    requires: str = "",
) -> Path:
    """Write ``package-version-tag.whl`` with the members and what a wheel must have."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{package}-{version}-{tag}.whl"
    information = f"{package}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n"
    metadata += f"Requires-Dist: {requires}\n" if requires else ""
    wheel = f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        archive.writestr(f"{information}/METADATA", metadata)
        archive.writestr(f"{information}/WHEEL", wheel)
        names = [*members, f"{information}/METADATA", f"{information}/WHEEL"]
        archive.writestr(f"{information}/RECORD", "".join(f"{name},,\n" for name in names))
    return path
