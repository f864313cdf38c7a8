"""An artifact: what training leaves behind and serving picks up."""

from __future__ import annotations

import hashlib
import json
import tempfile
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from payoff.artifact.calibration import Calibration
from payoff.artifact.manifest import MANIFEST, Manifest
from payoff.artifact.runtime import Runtime, open_tier
from payoff.artifact.signature import SIGNATURE, check_signature
from payoff.artifact.store import Store, open_store, read_member
from payoff.artifact.texts import check_texts
from payoff.artifact.tier import TierSpec
from payoff.artifact.write import write_artifact
from payoff.core.errors import ArtifactError, did_you_mean
from payoff.core.files import disk_errors

if TYPE_CHECKING:
    from payoff.artifact.runtime.endpoint_client import EndpointClient

__all__ = ["Artifact", "write_artifact"]

_SMALL_BYTES = 1 << 20
"""Members up to this size are kept from the moment their hash was checked."""


class Artifact:
    """A ``NAME.payoff``, opened, with every byte of it checked against its manifest.

    Models are made ready when first used, or all at once by `warm`. Close it, or use it as a
    context manager, to remove its temporary files early; they go at the latest with the object.

    Example:
        >>> artifact = Artifact.open("support.payoff")  # doctest: +SKIP
        >>> artifact.probabilities(["where is my card?"]).shape  # doctest: +SKIP
        (1, 77)
    """

    def __init__(self, store: Store, manifest: Manifest, *, sha256: str, threads: int) -> None:
        self.manifest = manifest
        self.sha256 = sha256
        self.threads = threads
        self._store = store
        self._small: dict[str, bytes] = {}
        self._models: dict[str, Path] = {}
        self._runtimes: dict[int, Runtime] = {}
        self._lock = threading.Lock()
        weakref.finalize(self, _forget, self._models)

    @classmethod
    def open(
        cls, path: str | Path, *, threads: int = 0, trusted_keys: Path | None = None
    ) -> Artifact:
        """Open and verify an artifact.

        Args:
            path: A ``NAME.payoff`` file, or the same as a folder.
            threads: Threads a model may use; 0 takes the physical cores this process may use.
            trusted_keys: A public key in PEM, or a folder of them, one of which must have signed
                it; None takes the environment's ``PAYOFF_TRUSTED_KEYS``, if that is set.

        Raises:
            ArtifactError: PF501 where there is none, PF502 where any member was altered, added
                or removed, PF503 for a newer format, PF504 where the manifest is inconsistent;
                PF508 where no trusted key has signed it, PF509 where such a key cannot be used.
            MachineError: PF801 where the model cannot be unpacked because the disk is full; PF803
                where a signature is to be checked and cryptography is not installed.
        """
        store = open_store(Path(path))
        raw = read_member(store, MANIFEST)
        signature = read_member(store, SIGNATURE) if SIGNATURE in store.sizes else None
        check_signature(raw, signature, trusted=trusted_keys, where=str(path))
        manifest = Manifest.from_json(raw)
        _same_members(store, manifest)
        artifact = cls(store, manifest, sha256=hashlib.sha256(raw).hexdigest(), threads=threads)
        try:
            artifact._verify()
        except BaseException:
            artifact.close()
            raise
        return artifact

    def _verify(self) -> None:
        """Hash every member once; on the way, unpack models and keep what is small."""
        models = {
            name
            for number in range(len(self.tiers))
            for name in self.manifest.tier_members(number)
            if name.endswith(".onnx")
        }
        for name in sorted(self.manifest.members):
            if self._store.sizes[name] <= _SMALL_BYTES:
                self._small[name] = self._read_verified(name)
            elif name in models and self._store.file(name) is None:
                self._models[name] = self._unpack(name)
            else:
                digest = hashlib.sha256()
                for chunk in self._store.chunks(name):
                    digest.update(chunk)
                self._check_hash(name, digest.hexdigest())

    def _unpack(self, name: str) -> Path:
        """One member of a zip as a file, hashed while it is written."""
        digest = hashlib.sha256()
        with (
            disk_errors(tempfile.gettempdir()),
            tempfile.NamedTemporaryFile(
                prefix="payoff-", suffix=Path(name).suffix, delete=False
            ) as file,
        ):
            target = self._models[name] = Path(file.name)
            for chunk in self._store.chunks(name):
                digest.update(chunk)
                file.write(chunk)
        self._check_hash(name, digest.hexdigest())
        return target

    def _read_verified(self, name: str) -> bytes:
        content = read_member(self._store, name)
        self._check_hash(name, hashlib.sha256(content).hexdigest())
        return content

    def _check_hash(self, name: str, found: str) -> None:
        expected = self.manifest.members[name].sha256
        if found != expected:
            raise ArtifactError(
                "PF502",
                f"{self._store.path} [{name}]",
                f"its SHA-256 is {found[:12]}…",
                expected=f"{expected[:12]}…",
                mend="Copy the artifact again from where it was made; do not use this one.",
            )

    @property
    def path(self) -> Path:
        """Where it was opened."""
        return self._store.path

    @property
    def name(self) -> str:
        """What people call it."""
        return self.manifest.name

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, sorted: ``(n_labels,)``."""
        return self.manifest.labels

    @property
    def tiers(self) -> tuple[TierSpec, ...]:
        """Its models, cheapest first."""
        return self.manifest.tiers

    @property
    def size_bytes(self) -> int:
        """Bytes of all members and the manifest: what has to be stored and sent."""
        return sum(self._store.sizes.values())

    @cached_property
    def calibrations(self) -> tuple[Calibration, ...]:
        """One for each tier."""
        content = self.read_json("calibration.json")
        entries = content.get("tiers") if isinstance(content, dict) else None
        if not isinstance(entries, list) or len(entries) != len(self.tiers):
            raise ArtifactError(
                "PF504",
                "calibration.json",
                f"{str(content)[:80]}",
                expected=f"'tiers' with {len(self.tiers)} entries",
            )
        return tuple(Calibration.from_json(entry) for entry in entries)

    @property
    def documents(self) -> tuple[str, ...]:
        """Names of all members that belong to no tier, sorted."""
        of_tiers = {m for n in range(len(self.tiers)) for m in self.manifest.tier_members(n)}
        return tuple(sorted(set(self.manifest.members) - of_tiers))

    def read(self, name: str) -> bytes:
        """The bytes of one member, verified.

        Raises:
            ArtifactError: PF504 where there is none of that name.
        """
        if name in self._small:
            return self._small[name]
        if name not in self.manifest.members:
            raise ArtifactError(
                "PF504",
                f"{self.path} [{name}]",
                "there is no such member",
                mend=did_you_mean(name, self.manifest.members),
            )
        return self._read_verified(name)

    def read_json(self, name: str) -> Any:
        """One member as JSON.

        Raises:
            ArtifactError: PF504 where there is none of that name, or it is no JSON.
        """
        try:
            return json.loads(self.read(name))
        except (ValueError, RecursionError) as error:
            raise ArtifactError(
                "PF504", f"{self.path} [{name}]", f"it is no JSON ({str(error)[:80]})"
            ) from error

    @contextmanager
    def file(self, name: str) -> Iterator[Path]:
        """One member as a verified file, there until the block ends."""
        path = self._store.file(name)
        if path is not None:
            yield path
            return
        unpacked = self._models.pop(name, None) or self._unpack(name)
        self._models.pop(name, None)
        try:
            yield unpacked
        finally:
            unpacked.unlink(missing_ok=True)

    def runtime(self, tier: int = -1) -> Runtime:
        """The model of one tier, made ready at its first use.

        Raises:
            ArtifactError: PF504 where the model cannot be opened or there is no such tier.
        """
        number = range(len(self.tiers))[tier] if -len(self.tiers) <= tier < len(self.tiers) else -1
        if number < 0:
            raise ArtifactError(
                "PF504",
                f"{self.path}",
                f"there is no tier {tier}",
                expected=f"0 … {len(self.tiers) - 1}",
            )
        with self._lock:
            if number not in self._runtimes:
                names = dict(
                    zip(self.tiers[number].members, self.manifest.tier_members(number), strict=True)
                )
                self._runtimes[number] = open_tier(
                    self.tiers[number],
                    lambda member: self.read(names[member]),
                    n_labels=len(self.labels),
                    threads=self.threads,
                    file=lambda member: self.file(names[member]),
                )
            return self._runtimes[number]

    def warm(self) -> None:
        """Make every tier ready now, so that the first answer is as fast as the others."""
        for number in range(len(self.tiers)):
            self.runtime(number)

    def endpoints(self) -> list[EndpointClient]:
        """Who asks those of its models that somebody else serves."""
        found = []
        for number, tier in enumerate(self.tiers):
            if tier.kind == "endpoint":
                from payoff.artifact.runtime.endpoint import EndpointRuntime

                runtime = self.runtime(number)
                assert isinstance(runtime, EndpointRuntime)
                found.append(runtime.client)
        return found

    def logits(self, texts: Sequence[str], *, tier: int = -1) -> npt.NDArray[np.float32]:
        """What the model of one tier says, uncalibrated: ``(n_texts, n_labels)``.

        Raises:
            DataError: PF105 where a text is unusable.
        """
        check_texts(texts)
        return self.runtime(tier).logits(texts)

    def probabilities(self, texts: Sequence[str], *, tier: int = -1) -> npt.NDArray[np.float64]:
        """Calibrated probabilities, ``(n_texts, n_labels)``; rows sum to 1.

        Raises:
            DataError: PF105 where a text is unusable.
        """
        return self.calibrations[tier].apply(self.logits(texts, tier=tier))

    def close(self) -> None:
        """Let models go and remove temporary files; closing twice does no harm."""
        self._runtimes.clear()
        _forget(self._models)

    def __enter__(self) -> Artifact:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return (
            f"Artifact({self.name!r}, {len(self.labels)} labels, {len(self.tiers)} tiers, "
            f"{self.size_bytes:,} bytes)"
        )


def _forget(models: dict[str, Path]) -> None:
    while models:
        models.popitem()[1].unlink(missing_ok=True)


def _same_members(store: Store, manifest: Manifest) -> None:
    """Names and sizes as the manifest says, before anything large is read."""
    found, expected = set(store.sizes) - {MANIFEST, SIGNATURE}, set(manifest.members)
    wrong = [f"'{name}' is missing" for name in sorted(expected - found)]
    wrong += [f"'{name}' was added" for name in sorted(found - expected)]
    wrong += [
        f"'{name}' has {store.sizes[name]:,} bytes instead of {manifest.members[name].size_bytes:,}"
        for name in sorted(found & expected)
        if store.sizes[name] != manifest.members[name].size_bytes
    ]
    if wrong:
        raise ArtifactError(
            "PF502",
            str(store.path),
            "; ".join(wrong[:5]) + (f"; and {len(wrong) - 5} more" if len(wrong) > 5 else ""),
            mend="Copy the artifact again from where it was made; do not use this one.",
        )
