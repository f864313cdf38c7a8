"""The interface of every export: an artifact in, files for somebody else's tools out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from payoff.core.errors import ArtifactError, did_you_mean
from payoff.core.registry import Registry

if TYPE_CHECKING:
    from payoff.artifact.artifact import Artifact


@dataclass(frozen=True, slots=True)
class Written:
    """What an export wrote.

    Args:
        path: The folder or file.
        notes: What the reader should know: what is left out, and what was not run.
        next_step: The command that uses it.
    """

    path: Path
    notes: tuple[str, ...] = ()
    next_step: str = ""

    @property
    def size_bytes(self) -> int:
        """Bytes of all files.

        Example:
            >>> Written(Path("nowhere")).size_bytes
            0
        """
        files = self.path.rglob("*") if self.path.is_dir() else [self.path]
        return sum(file.stat().st_size for file in files if file.is_file())

    def as_dict(self) -> dict[str, object]:
        """Plain values."""
        return {
            "path": str(self.path),
            "size_bytes": self.size_bytes,
            "notes": list(self.notes),
            "next_step": self.next_step,
        }


class Target(Protocol):
    """A format that other tools read, or a kit that a host runs.

    Attributes:
        name: As registered under the entry point ``payoff.targets``.
        title: What it is, a few words for people.
        options: Names of options that it takes, and what each means.
    """

    name: str
    title: str
    options: Mapping[str, str]

    def write(self, artifact: Artifact, out: Path, *, options: Mapping[str, str]) -> Written:
        """Write ``artifact`` to ``out``, whole or not at all.

        Args:
            artifact: Opened, its members verified.
            out: Folder or file to make; nothing is there.
            options: Those of `options` that were given.

        Raises:
            ArtifactError: PF506 where the artifact cannot be written this way: how near it came,
                and what would do; PF507 for a value of an option.
            MachineError: PF801 or PF802 where it cannot be written; PF803 without an extra.
        """


@dataclass(frozen=True, slots=True)
class Targets:
    """All targets, built-in and third-party.

    Example:
        >>> Targets().registry.group
        'payoff.targets'
    """

    registry: Registry = field(default_factory=lambda: Registry("payoff.targets", "target"))

    def all(self) -> list[Target]:
        """Every target, by name."""
        return [self.registry.get(name)() for name in self.registry.names]

    def named(self, name: str) -> Target:
        """The target of that name.

        Raises:
            AdaptError: PF401 where there is none.
        """
        target: Target = self.registry.get(name)()
        return target


def check_options(target: Target, given: Mapping[str, str]) -> None:
    """Refuse options that a target does not take.

    Raises:
        ArtifactError: PF507.

    Example:
        >>> from types import SimpleNamespace
        >>> plain = SimpleNamespace(name="plain", options={"size": "its bytes"})
        >>> check_options(plain, {"sice": "3"})
        Traceback (most recent call last):
        ...
        payoff.core.errors.ArtifactError: PF507 target 'plain': it has no option 'sice' (expected\
 size). Did you mean 'size'?
    """
    for name in given:
        if name not in target.options:
            raise ArtifactError(
                "PF507",
                f"target '{target.name}'",
                f"it has no option '{name}'",
                expected=", ".join(target.options) or "none",
                mend=did_you_mean(name, target.options),
            )
