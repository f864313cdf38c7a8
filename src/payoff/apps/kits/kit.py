"""What all kits share: the artifact, the code that decides, what it needs, and their templates."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import payoff
from payoff.apps.kits.requirements import Requirements
from payoff.apps.kits.template import rendered
from payoff.artifact.artifact import Artifact
from payoff.artifact.target import Written
from payoff.core.errors import ArtifactError
from payoff.core.files import whole_folder

MODEL = "model.payoff"
"""Name of the artifact in every kit."""
ROOMS = ("core", "data", "artifact", "evidence", "economics", "learn", "serve", "cli")
"""The parts of payoff that decide and serve; what trains is left out."""
_POLICY = "policy.json"
_MOST_SLUG = 40


@dataclass(frozen=True, slots=True)
class Kit:
    """How a kit is made.

    Args:
        folders: Of templates; the files of all of them.
        service: Whether it runs `payoff serve`, or calls `payoff.serve.handler.Handler`.
        tested: What payoff's own tests run of it, one a sentence.
        not_run: What nobody ran, one a sentence.
        next_step: The command that uses it.
        endpoints: Whether it may hold models that somebody else serves: those are paid for, and
            their books need a journal.
        limit_bytes: Most that code, libraries and artifact may take on the host's disk; None where
            there is no such limit.
        mend: What to do where they take more.
        host_requirements: Lines of requirements.txt for what the host's own tools need.
        python: The host's version of Python; that which runs here where it is empty.
    """

    folders: tuple[str, ...]
    service: bool
    tested: tuple[str, ...]
    not_run: tuple[str, ...]
    next_step: str
    endpoints: bool = False
    limit_bytes: int | None = None
    mend: str = ""
    host_requirements: tuple[str, ...] = ()
    python: str = ""

    def write(
        self, artifact: Artifact, out: Path, *, values: Mapping[str, object], note: str = ""
    ) -> Written:
        """Write the kit, whole or not at all.

        Args:
            artifact: What it decides with.
            out: The folder to make.
            values: What the templates ask for beside what `shared_values` gives.
            note: One more thing that its reader should know.

        Raises:
            ArtifactError: PF506 where the host cannot run such an artifact.
            MachineError: PF801 or PF802 where it cannot be written; PF803 where something that it
                pins is not installed here.
        """
        self._check(artifact)
        python = self.python or f"{sys.version_info.major}.{sys.version_info.minor}"
        requirements = Requirements.of(artifact, service=self.service, python=python)
        size_bytes = requirements.size_bytes + code_bytes() + artifact.size_bytes
        if self.limit_bytes is not None and size_bytes > self.limit_bytes:
            raise self._too_large(artifact, requirements, size_bytes, self.limit_bytes)
        shared = shared_values(artifact, size_bytes) | {
            "python": python,
            "python_digits": python.replace(".", ""),
            "tested": _bullets(self.tested),
            "not_run": _bullets(self.not_run),
        }
        with whole_folder(out) as draft:
            _copy(artifact.path, draft / MODEL)
            for room in ROOMS:
                _copy(_source() / room, draft / "payoff" / room)
            for file in ("__init__.py", "py.typed"):
                _copy(_source() / file, draft / "payoff" / file)
            pins = requirements.text + "".join(f"{line}\n" for line in self.host_requirements)
            (draft / "requirements.txt").write_text(pins, "utf-8")
            for folder in self.folders:
                for name, text in rendered(folder, shared | dict(values)):
                    (draft / name).write_text(text, "utf-8")
        notes = [note, *(f"not run: {one}" for one in self.not_run)]
        return Written(out, tuple(one for one in notes if one), self.next_step)

    def _check(self, artifact: Artifact) -> None:
        """Refuse what `payoff serve` or the host could not run."""
        if _POLICY not in artifact.documents:
            raise ArtifactError(
                "PF506",
                f"{artifact.path} [{_POLICY}]",
                "it holds no policy, so there is nothing to decide by",
                expected="an artifact that `payoff serve` serves",
            )
        if not self.endpoints and any(tier.kind == "endpoint" for tier in artifact.tiers):
            raise ArtifactError(
                "PF506",
                str(artifact.path),
                "one of its models is an endpoint, whose answers are paid for, and this host keeps "
                "no journal to book them in",
                mend="Use --target container or --target systemd, which keep one.",
            )

    def _too_large(
        self, artifact: Artifact, requirements: Requirements, size_bytes: int, limit_bytes: int
    ) -> ArtifactError:
        largest = sorted(requirements.pins, key=lambda pin: -pin.size_bytes)[:3]
        told = ", ".join(f"{pin.name} {pin.size_bytes / 1e6:.0f} MB" for pin in largest)
        return ArtifactError(
            "PF506",
            str(artifact.path),
            f"unpacked it would take {size_bytes / 1e6:.0f} MB "
            f"(the artifact {artifact.size_bytes / 1e6:.0f} MB, {told}), "
            f"{size_bytes / limit_bytes:.0%} of what the host takes",
            expected=f"at most {limit_bytes / 1e6:.0f} MB",
            mend=self.mend,
        )


def shared_values(artifact: Artifact, size_bytes: int) -> dict[str, object]:
    """What every template may ask for.

    Returns:
        ``slug``: the artifact's name as hosts take names; ``title``: as people read it;
        ``sha256`` of the artifact; ``version`` of payoff; ``size_mb``: of code, libraries and
        artifact.
    """
    return {
        "slug": slug(artifact.name),
        "title": " ".join(artifact.name.split())[:60] or "payoff",
        "sha256": artifact.sha256,
        "version": payoff.__version__,
        "size_mb": round(size_bytes / 1e6),
    }


def slug(name: str) -> str:
    """A name as hosts take them: letters of ASCII, digits and hyphens, a letter first.

    Example:
        >>> slug("Bank desk (v2)"), slug("7 labels"), slug("客服")
        ('bank-desk-v2', 'payoff-7-labels', 'payoff')
    """
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    named = plain if plain[:1].isalpha() else f"payoff-{plain}"
    return named[:_MOST_SLUG].strip("-")


def code_bytes() -> int:
    """Bytes of the parts of payoff that a kit holds."""
    return sum(
        file.stat().st_size
        for room in ROOMS
        for file in (_source() / room).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    )


def _source() -> Path:
    return Path(payoff.__file__).parent


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    elif source.exists():
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(source, target)


def _bullets(lines: tuple[str, ...]) -> str:
    return "\n".join(f"- {line}" for line in lines)
