"""Values that a target's options were given, checked."""

from __future__ import annotations

import re
from collections.abc import Mapping

from payoff.core.errors import ArtifactError


def whole_number(
    options: Mapping[str, str], name: str, *, default: int, low: int, high: int
) -> int:
    """The value of an option as a whole number.

    Raises:
        ArtifactError: PF507 where it is none, or not from ``low`` to ``high``.

    Example:
        >>> whole_number({"port": "80"}, "port", default=8000, low=1, high=65535)
        80
    """
    given = options.get(name, str(default))
    if not given.isascii() or not given.isdigit() or not low <= int(given[:12]) <= high:
        raise ArtifactError(
            "PF507", f"--set {name}", f"'{given[:80]}'", expected=f"a number from {low} to {high}"
        )
    return int(given)


def one_of(options: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    """The value of an option that has few; the first of them where none is given.

    Raises:
        ArtifactError: PF507 where it is another.

    Example:
        >>> one_of({}, "package", ("zip", "image"))
        'zip'
    """
    given = options.get(name, choices[0])
    if given not in choices:
        raise ArtifactError(
            "PF507", f"--set {name}", f"'{given[:80]}'", expected=" or ".join(choices)
        )
    return given


def image_name(options: Mapping[str, str], *, default: str) -> str:
    """The name of a container image, as registries take them.

    Raises:
        ArtifactError: PF507 where it is none.

    Example:
        >>> image_name({"image": "registry.example/desk:3"}, default="desk:1")
        'registry.example/desk:3'
    """
    given = options.get("image", default)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,254}", given):
        raise ArtifactError(
            "PF507",
            "--set image",
            f"'{given[:80]}'",
            expected="the name of an image, such as registry.example/desk:1",
        )
    return given


def host_region(options: Mapping[str, str], *, default: str) -> str:
    """The name of a host's region.

    Raises:
        ArtifactError: PF507 where it is none.

    Example:
        >>> host_region({"region": "eu-central-1"}, default="cn-hangzhou")
        'eu-central-1'
    """
    given = options.get("region", default)
    if not re.fullmatch(r"[a-z0-9-]{2,40}", given):
        raise ArtifactError(
            "PF507", "--set region", f"'{given[:80]}'", expected=f"such as {default}"
        )
    return given
