"""Target ``signed``: the artifact itself, with the signature of whoever made it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from payoff.artifact.artifact import Artifact
from payoff.artifact.target import Written
from payoff.artifact.write import write_signed
from payoff.core.errors import ArtifactError


class Signed:
    """A copy with ``manifest.sig``, which is checked wherever keys are configured."""

    name = "signed"
    title = "The artifact, signed"
    options: Mapping[str, str] = {"key": "private key of Ed25519, in PEM"}

    def write(self, artifact: Artifact, out: Path, *, options: Mapping[str, str]) -> Written:
        """Write the copy.

        Args:
            artifact: Opened, so that every byte of it was checked.
            out: File or folder to make, as the artifact is one.
            options: ``key``.

        Raises:
            ArtifactError: PF507 without a key; PF509 where it is none.
            MachineError: PF801 or PF802 where it cannot be written; PF803 without cryptography.
        """
        key = options.get("key", "")
        if not key:
            raise ArtifactError(
                "PF507",
                f"target '{self.name}'",
                "no key is given",
                expected="--set key=PRIVATE.pem",
                mend="Make a pair: openssl genpkey -algorithm ed25519 -out private.pem; "
                "openssl pkey -in private.pem -pubout -out public.pem",
            )
        write_signed(artifact.path, out, Path(key))
        note = "It is checked where PAYOFF_TRUSTED_KEYS names the public key, or a folder of keys."
        return Written(out, (note,), f"PAYOFF_TRUSTED_KEYS=public.pem payoff serve {out}")
