"""Write constraints.txt: the versions installed here of all that payoff needs, and nothing else.

Run it in an environment whose tests pass: ``python tools/make_constraints.py > constraints.txt``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

APART = ("tflite",)
"""Extras that cannot be installed beside the others: see decision 22."""


def needed(name: str, extras: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Name and version of every installed distribution that ``name[extras]`` needs, itself too."""
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = [(name, extras)]
    while waiting:
        name, extras = waiting.pop()
        if (canonicalize_name(name), extras) in seen:
            continue
        seen.add((canonicalize_name(name), extras))
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue  # a marker that cannot be judged here, such as an extra of another platform
        yield found.metadata["Name"], found.version
        for line in found.requires or ():
            requirement = Requirement(line)
            wanted = {"", *extras}
            if requirement.marker is None or any(
                requirement.marker.evaluate({"extra": extra}) for extra in wanted
            ):
                waiting.append((requirement.name, frozenset(requirement.extras)))


def constraints(extra: str = "dev") -> list[str]:
    """Lines of constraints.txt, sorted, without local build suffixes and without payoff."""
    pins = {
        canonicalize_name(name): Version(version).public
        for name, version in needed("payoff", frozenset({extra}))
        if name != "payoff"
    }
    return [f"{name}=={version}" for name, version in sorted(pins.items())]


if __name__ == "__main__":
    sys.stdout.write("# Versions that were tested together. Made by tools/make_constraints.py.\n")
    sys.stdout.write("\n".join(constraints()) + "\n")
