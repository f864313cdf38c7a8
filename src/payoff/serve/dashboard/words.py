"""Words of the dashboard, in each language."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

LANGUAGES: Mapping[str, str] = {"en": "English", "zh": "中文"}
"""What the dashboard speaks, and what each calls itself."""


class Words:
    """The messages of one language.

    Args:
        language: One of `LANGUAGES`.

    Example:
        >>> Words("en")("queue.waiting", n=3), Words("zh")("nav.overview")
        ('3 requests wait.', '总览')
    """

    def __init__(self, language: str) -> None:
        self.language = language
        self._messages = messages(language)

    def __call__(self, key: str, **values: object) -> str:
        """A message, with its values filled in."""
        return self._messages[key].format(**values)


@cache
def messages(language: str) -> Mapping[str, str]:
    """All messages of a language by their keys, such as ``"nav.overview"``.

    Example:
        >>> messages("en")["nav.overview"]
        'Overview'
    """
    text = (files(__package__) / "messages" / f"{language}.toml").read_text("utf-8")
    return {
        f"{section}.{name}": message
        for section, named in tomllib.loads(text).items()
        for name, message in named.items()
    }


def chosen_language(wanted: str, accepted: str) -> str:
    """The language of a page.

    Args:
        wanted: What the reader chose; empty where nothing was.
        accepted: The header ``Accept-Language``.

    Example:
        >>> chosen_language("", "fr;q=0.9, zh-CN;q=0.8, en;q=0.2"), chosen_language("en", "zh")
        ('zh', 'en')
    """
    if wanted in LANGUAGES:
        return wanted
    ranked: list[tuple[float, str]] = []
    for part in accepted[:500].split(","):
        name, _, weight = part.partition(";q=")
        try:
            ranked.append((-float(weight or 1), name.strip().lower()[:2]))
        except ValueError:
            continue
    known = [name for _, name in sorted(ranked, key=lambda one: one[0]) if name in LANGUAGES]
    return known[0] if known else "en"
