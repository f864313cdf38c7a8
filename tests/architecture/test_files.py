"""A file is one concept, named after it, and short."""

from __future__ import annotations

from typing import Any

MOST_LINES = 400
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "manager", "base", "common", "misc"}


def test_no_file_is_longer_than_one_concept(modules: Any) -> None:
    long = {m.name: n for m in modules if (n := len(m.text.splitlines())) > MOST_LINES}
    assert not long


def test_no_file_or_folder_has_a_name_that_says_nothing(modules: Any) -> None:
    named = {part for m in modules for part in m.name.removesuffix(".py").split("/")}
    assert not named & EMPTY_NAMES


def test_every_file_uses_the_language_of_today(modules: Any) -> None:
    without = [
        m.name
        for m in modules
        if m.path.name != "__init__.py" and "from __future__ import annotations" not in m.text
    ]
    assert not without
