"""The readable files beside the code that become the files of a kit."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.resources import files

_HOLE = re.compile(r"\{\{(\w+)\}\}")
_END = ".tmpl"


def rendered(folder: str, values: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Names and contents of a folder's files, with ``{{name}}`` replaced by the value of that name.

    Args:
        folder: Below ``templates``.
        values: By name; one that no file asks for does no harm.

    Raises:
        KeyError: Where a file asks for a value that is not given.

    Example:
        >>> values = dict.fromkeys(("title", "python", "port", "volume", "entry"), "…")
        >>> [name for name, _ in rendered("image", values)]
        ['Dockerfile']
    """
    for file in sorted(files("payoff.apps.kits").joinpath("templates", folder).iterdir(), key=str):
        text = file.read_text("utf-8")
        name, text = (
            _HOLE.sub(lambda hole: str(values[hole[1]]), one) for one in (file.name, text)
        )
        yield name.removesuffix(_END), text
