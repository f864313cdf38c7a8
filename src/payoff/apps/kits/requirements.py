"""What an artifact needs where it decides, pinned to the versions that it was tried with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from payoff.artifact.artifact import Artifact
from payoff.core.errors import MachineError

DECIDING = ("numpy", "pydantic")
SERVING = (
    "anyio",
    "click",
    "fastapi",
    "httptools",
    "prometheus-client",
    "rich",
    "sqlalchemy",
    "starlette",
    "uvicorn",
)
ONNX = ("onnxruntime", "tokenizers")
PACKED = ("zstandard",)
PAID = ("genai-prices", "httpx")
_WITHOUT_ONNX = ("ngrams", "endpoint")
_LINUX = {"os_name": "posix", "platform_system": "Linux", "sys_platform": "linux"}


@dataclass(frozen=True, slots=True)
class Pin:
    """A distribution, and what it takes on disk.

    Args:
        name: As indexes spell it.
        version: The installed one, without the suffix of a local build.
        size_bytes: Of its files, without compiled ones and without what it needs in turn.
    """

    name: str
    version: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Requirements:
    """Pins of all that is needed, sorted by name.

    Args:
        pins: One a distribution.
    """

    pins: tuple[Pin, ...]

    @classmethod
    def of(cls, artifact: Artifact, *, service: bool, python: str) -> Requirements:
        """What an artifact needs on Linux.

        Args:
            artifact: An n-gram model needs no ONNX runtime, and only packed files zstandard.
            service: With what `payoff serve` needs, or only what a handler does.
            python: Version of Python that will run it, such as ``"3.11"``.

        Raises:
            MachineError: PF803 where something is not installed here, so that there is no version
                that was tried.

        Example:
            >>> with Artifact.open("words.payoff") as words:  # doctest: +SKIP
            ...     Requirements.of(words, service=False, python="3.11").pins[1].name
            'numpy'
        """
        roots = {*DECIDING, *(SERVING if service else ())}
        if any(tier.kind not in _WITHOUT_ONNX for tier in artifact.tiers):
            roots |= set(ONNX)
        if any(name.endswith(".zst") for name in artifact.manifest.members):
            roots |= set(PACKED)
        if any(tier.kind == "endpoint" for tier in artifact.tiers):
            roots |= set(PAID)
        return cls(tuple(sorted(closure(roots, python), key=lambda pin: pin.name)))

    @property
    def size_bytes(self) -> int:
        """Bytes of all files, as they are installed here, without compiled ones."""
        return sum(pin.size_bytes for pin in self.pins)

    @property
    def text(self) -> str:
        """The file that pip reads."""
        return "".join(f"{pin.name}=={pin.version}\n" for pin in self.pins)


def closure(roots: Iterable[str], python: str) -> Iterator[Pin]:
    """The roots and all that they need in turn, on Linux.

    Args:
        roots: Names of distributions.
        python: Version of Python that will run them.

    Raises:
        MachineError: PF803 where one is not installed.

    Example:
        >>> sorted(pin.name for pin in closure(["uvicorn"], "3.11"))
        ['click', 'h11', 'uvicorn']
    """
    where = _LINUX | {"python_version": python, "python_full_version": f"{python}.0"}
    seen: set[tuple[str, str]] = set()
    pinned: set[str] = set()
    waiting = [(root, "") for root in roots]
    while waiting:
        name, extra = waiting.pop()
        name = canonicalize_name(name)
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        found = _installed(name)
        if name not in pinned:
            pinned.add(name)
            yield Pin(name, found.version.partition("+")[0], _size_bytes(found))
        for line in found.requires or ():
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate(where | {"extra": extra}):
                waiting += [(needed.name, one) for one in ("", *needed.extras)]


def _installed(name: str) -> Distribution:
    try:
        return distribution(name)
    except PackageNotFoundError as error:
        raise MachineError(
            "PF803",
            name,
            "a deploy kit pins the versions that are installed, and this one is not",
            mend=f"Run: pip install {name}",
        ) from error


def _size_bytes(found: Distribution) -> int:
    paths = [Path(str(file.locate())) for file in found.files or ()]
    return sum(path.stat().st_size for path in paths if path.suffix != ".pyc" and path.is_file())
