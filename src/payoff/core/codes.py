"""The catalogue of codes: what `codes.toml` says of each."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Code:
    """One entry of the catalogue.

    Args:
        code: Identifier such as ``"PF203"``.
        kind: ``"error"`` or ``"finding"``.
        title: What is wrong (errors), or what is true when the check passes (findings).
        explanation: Why it matters, or what it usually means.
        mend: What to do about it.
        http_status: What the service answers with.
    """

    code: str
    kind: str
    title: str
    explanation: str
    mend: str
    http_status: int = 500


@cache
def catalogue() -> MappingProxyType[str, Code]:
    """Every code by name, read once and only when somebody asks.

    Example:
        >>> catalogue()["PF801"].title
        'The disk is full'
    """
    text = files("payoff.core").joinpath("codes.toml").read_text("utf-8")
    entries = tomllib.loads(text)
    return MappingProxyType({code: Code(code=code, **entry) for code, entry in entries.items()})


def http_status(code: str) -> int:
    """The HTTP status a code is answered with; 500 for one that the catalogue lacks.

    Example:
        >>> http_status("PF702"), http_status("PF000")
        (413, 500)
    """
    entry = catalogue().get(code)
    return entry.http_status if entry else 500
