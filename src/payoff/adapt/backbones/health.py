"""What is installed, whole, and how dear each backbone is on this machine."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from payoff.adapt.backbones.backbone import Backbone, catalogue
from payoff.adapt.backbones.installation import installed, laid_record, verify
from payoff.adapt.backbones.speed import Speed, measure_speed, remember_speed, remembered_speeds
from payoff.core.codes import catalogue as codes
from payoff.core.errors import BackboneError
from payoff.core.findings import Finding, Status
from payoff.core.progress import Progress, Silent


@dataclass(frozen=True, slots=True)
class BackboneCost:
    """One backbone's row in ``payoff doctor``.

    Args:
        backbone: The backbone.
        installed: Whether its files lie in the cache.
        size_bytes: Bytes on disk; of one not installed, of its weights alone.
        speed: Measured on this processor; ``None`` where it was not.
        mend: Command that installs what is missing; empty where nothing is.
    """

    backbone: Backbone
    installed: bool
    size_bytes: int
    speed: Speed | None
    mend: str

    def as_dict(self) -> dict[str, Any]:
        """The same facts as plain values."""
        speed = self.speed
        return {
            "name": self.backbone.name,
            "installed": self.installed,
            "n_parameters": self.backbone.n_parameters,
            "download_bytes": self.backbone.download_bytes,
            "size_bytes": self.size_bytes,
            "texts_per_s": speed.texts_per_s if speed else None,
            "measured_on": speed.measured_on if speed else None,
            "path": str(self.backbone.path),
            "mend": self.mend,
        }


def backbone_costs(
    *, measure: bool = False, progress: Progress | None = None
) -> list[BackboneCost]:
    """What each packaged backbone costs: weights, bytes, and texts a second on this machine.

    Args:
        measure: Measure the installed ones now, about two seconds each; else the last
            measurement on this processor is told.
        progress: Told which one is being measured.

    Example:
        >>> backbone_costs()[0].backbone.name
        'minilm-l6'
    """
    told = progress or Silent()
    there = [backbone for backbone in catalogue().values() if installed(backbone)]
    if measure:
        for done, backbone in enumerate(there):
            told.step(f"measure {backbone.name}", done, len(there))
            remember_speed(backbone, measure_speed(backbone))
    speeds = remembered_speeds()
    return [
        BackboneCost(
            backbone,
            backbone in there,
            _size_bytes(backbone) if backbone in there else backbone.laid_bytes,
            speeds.get(name),
            "" if backbone in there else f"payoff backbones install {name}",
        )
        for name, backbone in catalogue().items()
    ]


def examine_backbones() -> list[Finding]:
    """Read every installed backbone through and compare hashes; see whether more can be had.

    Example:
        >>> [finding.code for finding in examine_backbones()][-1]
        'PF352'
    """
    return [*(_unaltered(backbone) for backbone in catalogue().values()), _downloads()]


def _unaltered(backbone: Backbone) -> Finding:
    title = f"{codes()['PF351'].title}: {backbone.name}"
    if not laid_record(backbone.path):
        detail = "It is not installed."
        return Finding("PF351", title, Status.NOT_APPLICABLE, detail)
    try:
        verify(backbone)
    except BackboneError as error:
        mend = f"Run: payoff backbones install {backbone.name} --again"
        return Finding("PF351", title, Status.FAILED, f"{error.where}: {error.found}", mend)
    return Finding("PF351", title, Status.PASSED, str(backbone.path))


def _downloads() -> Finding:
    code = codes()["PF352"]
    folder = os.environ.get("PAYOFF_WHEELS")
    if folder:
        status = Status.PASSED if Path(folder).is_dir() else Status.FAILED
        detail = f"PAYOFF_WHEELS names {folder}" + (
            "." if status is Status.PASSED else ", which is not there."
        )
    else:
        has_pip = importlib.util.find_spec("pip") is not None
        status = Status.PASSED if has_pip else Status.FAILED
        detail = "pip is there; its index is asked when needed." if has_pip else "There is no pip."
    mend = code.mend if status is Status.FAILED else ""
    return Finding("PF352", code.title, status, detail, mend)


def _size_bytes(backbone: Backbone) -> int:
    members = laid_record(backbone.path).get("members", {})
    return sum(int(member["size_bytes"]) for member in members.values())
