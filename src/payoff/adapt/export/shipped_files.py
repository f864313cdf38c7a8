"""Files that exports ship as they are, and pages that are filled in."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from string import Template

from payoff.core.files import write_text


def ship(
    name: str, folder: Path, *, to: str = "", values: Mapping[str, object] | None = None
) -> None:
    """Write a template of ``formats/templates`` into a folder.

    Args:
        name: Of the template.
        folder: To write into.
        to: Name of the file there; the template's own without ``.txt`` where empty.
        values: What stands in place of its ``${names}``; without any it is copied as it is.

    Raises:
        MachineError: PF801 on a full disk, PF802 where writing is forbidden.
    """
    text = files("payoff.adapt.export.formats").joinpath("templates", name).read_text("utf-8")
    if values:
        text = Template(text).substitute(values)
    write_text(folder / (to or name.removesuffix(".txt")), text)
