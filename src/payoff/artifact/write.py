"""Writing an artifact: the same content gives the same bytes, whole or not at all."""

from __future__ import annotations

import hashlib
import os
import platform
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from payoff.artifact.calibration import Calibration
from payoff.artifact.container import MAX_BYTES, Packed, directory, local_header
from payoff.artifact.manifest import MANIFEST, Manifest, Member, input_schema, is_safe_name
from payoff.artifact.signature import SIGNATURE, sign
from payoff.artifact.store import open_store, read_member
from payoff.artifact.tier import TierSpec, tier_folder
from payoff.core.errors import ArtifactError
from payoff.core.files import disk_errors, to_json, whole_folder

_LIBRARIES = ("numpy", "onnx", "onnxruntime", "scikit-learn", "tokenizers", "torch", "transformers")

Source = Path | bytes | Callable[[], Iterator[bytes]]
"""A member's content: a file to copy, the bytes themselves, or what gives them bit by bit."""


def write_artifact(
    target: Path,
    *,
    name: str,
    labels: Sequence[str],
    tiers: Sequence[tuple[TierSpec, Path]],
    calibrations: Sequence[Calibration],
    documents: Mapping[str, Any],
    seed: int,
    data_fingerprint: str,
    as_folder: bool = False,
) -> Path:
    """Write a ``NAME.payoff``.

    Args:
        target: The file (or folder) to write; what was there is replaced in one step.
        name: What people call the model.
        labels: The labels, sorted, ``(n_labels,)``.
        tiers: Models, cheapest first, each with the folder its members lie in.
        calibrations: One for each tier.
        documents: Other members by name: ``bytes`` and ``str`` are written as they are,
            anything else as JSON.
        seed: Seed of the run.
        data_fingerprint: SHA-256 of the data it was trained on.
        as_folder: Write the same members as plain files.

    Returns:
        ``target``.

    Raises:
        ArtifactError: PF505 where a member is missing or its name is unsafe or taken, or where
            there is not one calibration a tier; PF504 where labels are no sorted set.
        MachineError: PF801 on a full disk, PF802 where writing is forbidden.

    Example:
        >>> write_artifact(Path("a.payoff"), name="a", labels=["n", "y"],
        ...     tiers=[(TierSpec("words", "ngrams"), Path("draft"))],
        ...     calibrations=[Calibration()], documents={}, seed=0,
        ...     data_fingerprint="")  # doctest: +SKIP
        PosixPath('a.payoff')
    """
    if len(calibrations) != len(tiers):
        raise ArtifactError(
            "PF505", str(target), f"{len(calibrations)} calibrations", expected=f"{len(tiers)}"
        )
    sources = _tier_sources(tiers)
    calibration = to_json({"tiers": [one.to_json() for one in calibrations]})
    extra = {"calibration.json": calibration, **documents}
    if "calibration.json" in documents:
        raise ArtifactError("PF505", "calibration.json", "the name is taken")
    for member, content in extra.items():
        if not is_safe_name(member) or member in (MANIFEST, SIGNATURE, *sources):
            raise ArtifactError(
                "PF505", member, "a document cannot have that name", expected="a free, plain name"
            )
        sources[member] = _encode(content)
    manifest = Manifest(
        name=name,
        labels=tuple(labels),
        tiers=tuple(spec for spec, _ in tiers),
        members={member: _measure(sources[member]) for member in sorted(sources)},
        created_by=_created_by(),
        seed=seed,
        data_fingerprint=data_fingerprint,
        input=input_schema(),
    )
    everything: dict[str, Source] = {MANIFEST: manifest.to_json().encode(), **sources}
    (_write_folder if as_folder else _write_zip)(target, everything)
    return target


def write_signed(source: Path, target: Path, key: Path) -> Path:
    """Copy an artifact, with a signature of its manifest; one that it has is replaced.

    Args:
        source: The artifact, a file or a folder; the copy is of the same kind.
        target: The file (or folder) to write.
        key: Private key of Ed25519, in PEM.

    Returns:
        ``target``.

    Raises:
        ArtifactError: PF501 where there is no artifact; PF509 where that is no such key.
        MachineError: PF801 on a full disk, PF802 where writing is forbidden, PF803 where
            cryptography is not installed.

    Example:
        >>> write_signed(Path("a.payoff"), Path("b.payoff"), Path("key.pem"))  # doctest: +SKIP
        PosixPath('b.payoff')
    """
    store = open_store(source)
    everything: dict[str, Source] = {name: partial(store.chunks, name) for name in store.sizes}
    everything[SIGNATURE] = sign(read_member(store, MANIFEST), key)
    (_write_folder if source.is_dir() else _write_zip)(target, everything)
    return target


def _tier_sources(tiers: Sequence[tuple[TierSpec, Path]]) -> dict[str, Source]:
    sources: dict[str, Source] = {}
    for number, (spec, folder) in enumerate(tiers):
        for member in spec.members:
            path = folder / member
            if not is_safe_name(member) or not path.is_file():
                raise ArtifactError(
                    "PF505", f"tier '{spec.name}'", f"{path} is no file", expected="a member"
                )
            sources[tier_folder(number, len(tiers)) + member] = path
    return sources


def _encode(content: Any) -> bytes:
    if isinstance(content, bytes):
        return content
    return (content if isinstance(content, str) else to_json(content)).encode("utf-8")


def _created_by() -> dict[str, Any]:
    # Costs 25 ms to import, which readers of artifacts need not pay.
    from importlib import metadata

    from payoff import __version__

    libraries = {}
    for library in _LIBRARIES:
        try:
            libraries[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return {"payoff": __version__, "python": platform.python_version(), "libraries": libraries}


def _measure(source: Source) -> Member:
    digest, size_bytes = hashlib.sha256(), 0
    for chunk in _chunks(source):
        digest.update(chunk)
        size_bytes += len(chunk)
    return Member(digest.hexdigest(), size_bytes)


def _write_folder(target: Path, sources: Mapping[str, Source]) -> None:
    with whole_folder(target) as draft:
        for name in sorted(sources):
            path, source = draft / name, sources[name]
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                file.writelines(_chunks(source))


def _write_zip(target: Path, sources: Mapping[str, Source]) -> None:
    if target.is_dir():
        raise ArtifactError(
            "PF505", str(target), "a folder of that name is in the way", mend="Move it away."
        )
    entries: list[Packed] = []
    with _whole_file(target) as draft, draft.open("wb") as file:
        for name in sorted(sources):
            crc32, size_bytes = 0, 0
            for chunk in _chunks(sources[name]):
                crc32, size_bytes = zlib.crc32(chunk, crc32), size_bytes + len(chunk)
            entry = Packed(name, size_bytes, crc32, entries[-1].end if entries else 0)
            if entry.end > MAX_BYTES:
                raise ArtifactError("PF505", str(target), "4 GiB or more", expected="less")
            file.write(local_header(entry))
            for chunk in _chunks(sources[name]):
                file.write(chunk)
            entries.append(entry)
        file.write(directory(entries))


def _chunks(source: Source) -> Iterator[bytes]:
    if isinstance(source, bytes):
        yield source
        return
    if not isinstance(source, Path):
        yield from source()
        return
    with source.open("rb") as file:
        while chunk := file.read(1 << 20):
            yield chunk


@contextmanager
def _whole_file(target: Path) -> Iterator[Path]:
    with disk_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        os.close(handle)
        draft = Path(name)
        try:
            yield draft
            with draft.open("rb") as file:
                os.fsync(file.fileno())
            draft.chmod(0o644)
            draft.replace(target)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
