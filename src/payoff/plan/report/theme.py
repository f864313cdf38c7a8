"""Colours of the report, in a light and a dark theme, safe for colour-blind readers.

Pictures name a colour by its role (``var(--gain)``); the page defines the roles once a theme,
so that one drawing serves both. A picture saved on its own gets the colours written in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

N_SHADES = 4
_STRENGTH = {"light": (0.16, 0.36, 0.62, 1.0), "dark": (0.16, 0.32, 0.5, 1.0)}

_ROLES = {
    #             light      dark
    "paper": ("#fbfaf7", "#11151b"),
    "card": ("#ffffff", "#191f28"),
    "ink": ("#1b2230", "#e9e7e2"),
    "soft": ("#596373", "#a6b0bc"),
    "rule": ("#e2e0d9", "#2c343f"),
    "quiet": ("#98a0ab", "#747e8b"),
    "gain": ("#1f6a99", "#72b8e4"),
    "loss": ("#b94a26", "#f0946e"),
    "caution": ("#8a6100", "#e3b65b"),
    "band": ("#d5e3ec", "#20384a"),
    "on-strong": ("#ffffff", "#11151b"),
}


def _mixed(colour: str, ground: str, strength: float) -> str:
    pairs = zip(bytes.fromhex(colour[1:]), bytes.fromhex(ground[1:]), strict=True)
    return "#" + "".join(f"{round(a * strength + b * (1 - strength)):02x}" for a, b in pairs)


def _theme(name: str) -> Mapping[str, str]:
    column = 0 if name == "light" else 1
    roles = {role: colours[column] for role, colours in _ROLES.items()}
    ground = roles["paper"]
    for kind in ("gain", "loss"):
        for step, strength in enumerate(_STRENGTH[name], start=1):
            roles[f"{kind}-{step}"] = _mixed(roles[kind], ground, strength)
    return MappingProxyType(roles)


THEMES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {name: _theme(name) for name in ("light", "dark")}
)


def css_variables(theme: str) -> str:
    """The roles of a theme as CSS custom properties.

    Example:
        >>> css_variables("light").split(";")[0]
        '--paper:#fbfaf7'
    """
    return ";".join(f"--{role}:{colour}" for role, colour in THEMES[theme].items())


def coloured(svg: str, theme: str) -> str:
    """An SVG with its roles replaced by the colours of a theme.

    Example:
        >>> coloured('<path fill="var(--gain)"/>', "dark")
        '<path fill="#72b8e4"/>'
    """
    return re.sub(r"var\(--([a-z0-9-]+)\)", lambda role: THEMES[theme][role[1]], svg)
