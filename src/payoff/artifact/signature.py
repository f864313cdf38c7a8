"""Who made an artifact: a signature beside its manifest, checked where keys are configured.

The manifest holds the hash of every other member, so that a signature over its bytes is one over
the whole artifact. It lies in a member of its own, which the manifest does not name; without it the
artifact is what it was before it was signed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from payoff.core.errors import ArtifactError
from payoff.core.extras import require
from payoff.core.files import to_json

SIGNATURE = "manifest.sig"
MAX_SIGNATURE_BYTES = 4096
TRUSTED_KEYS = "PAYOFF_TRUSTED_KEYS"
"""Environment variable: a public key in PEM, or a folder of such files."""

_ALGORITHM = "Ed25519"
_KEYS = {"algorithm", "key_id", "signature"}


def sign(manifest: bytes, key: Path) -> bytes:
    """What `SIGNATURE` holds: algorithm, id of the key, signature (RFC 8032).

    Args:
        manifest: The bytes of ``manifest.json``.
        key: Private key, PKCS 8 in PEM, not encrypted.

    Raises:
        ArtifactError: PF509 where that is no such key.
        MachineError: PF803 where cryptography is not installed.

    Example:
        >>> sign(b"{}", Path("private.pem"))  # doctest: +SKIP
        b'{"algorithm": "Ed25519", …}'
    """
    pem = _serialization()
    with _readable_key(key):
        private = pem.load_pem_private_key(key.read_bytes(), password=None)
    if not _is_ed25519(getattr(private, "public_key", lambda: None)()):
        raise _no_key(key, type(private).__name__)
    signature = base64.b64encode(private.sign(manifest)).decode("ascii")
    return to_json(
        {
            "algorithm": _ALGORITHM,
            "key_id": key_id(private.public_key().public_bytes_raw()),
            "signature": signature,
        }
    ).encode()


def key_id(public: bytes) -> str:
    """What a signature calls its key: the SHA-256 of the 32 bytes of the public key.

    Example:
        >>> key_id(bytes(32))[:8]
        '66687aad'
    """
    return hashlib.sha256(public).hexdigest()


def check_signature(
    manifest: bytes, signature: bytes | None, *, trusted: Path | None, where: str
) -> str:
    """Refuse what no trusted key has signed, where keys are configured.

    Args:
        manifest: The bytes of ``manifest.json``.
        signature: The bytes of `SIGNATURE`; None where there is no such member.
        trusted: A public key in PEM, or a folder of them; None takes the environment's
            `TRUSTED_KEYS`, and checks nothing where that is not set.
        where: The artifact, for messages.

    Returns:
        The id of the trusted key that signed it; empty where nothing was checked.

    Raises:
        ArtifactError: PF508 where it is not signed, by an unknown key, or for other bytes; PF509
            where a trusted key cannot be used; PF502 where the member is no signature at all.
        MachineError: PF803 where cryptography is not installed.

    Example:
        >>> check_signature(b"{}", None, trusted=None, where="desk.payoff")  # doctest: +SKIP
        ''
    """
    document = None if signature is None else _document(signature, where)
    configured = os.environ.get(TRUSTED_KEYS, "")
    place = trusted or (Path(configured) if configured else None)
    if place is None:
        return ""
    if document is None:
        raise _untrusted(where, "it is not signed")
    keys = _trusted(place)
    key = keys.get(document["key_id"])
    if key is None:
        raise _untrusted(where, f"it is signed by the key {document['key_id'][:16]}…")
    exceptions = require("cryptography.exceptions", "signing", "checking signatures")
    try:
        key.verify(base64.b64decode(document["signature"]), manifest)
    except exceptions.InvalidSignature as error:
        raise _untrusted(where, "its signature is for another manifest") from error
    return str(document["key_id"])


def _trusted(place: Path) -> dict[str, Any]:
    """Public keys by their ids."""
    pem = _serialization()
    files = sorted(place.glob("*.pem")) if place.is_dir() else [place]
    if not files:
        raise _no_key(place, "a folder without a .pem file")
    found = {}
    for file in files:
        with _readable_key(file):
            key = pem.load_pem_public_key(file.read_bytes())
        if not _is_ed25519(key):
            raise _no_key(file, type(key).__name__)
        found[key_id(key.public_bytes_raw())] = key
    return found


def _serialization() -> ModuleType:
    return require("cryptography.hazmat.primitives.serialization", "signing", "signed artifacts")


def _is_ed25519(key: Any) -> bool:
    kinds = require(
        "cryptography.hazmat.primitives.asymmetric.ed25519", "signing", "signed artifacts"
    )
    return isinstance(key, kinds.Ed25519PublicKey)


def _document(content: bytes, where: str) -> dict[str, str]:
    """The signature, whose bytes are exactly those that `sign` writes for it."""
    try:
        document = json.loads(content)
        plain = (
            isinstance(document, dict)
            and set(document) == _KEYS
            and all(isinstance(value, str) for value in document.values())
            and document["algorithm"] == _ALGORITHM
            and len(base64.b64decode(document["signature"], validate=True)) == 64
            and to_json(document).encode() == content
        )
    except (ValueError, RecursionError):
        plain = False
    if not plain:
        raise ArtifactError(
            "PF502",
            f"{where} [{SIGNATURE}]",
            "it is no signature",
            expected=f"a signature of {_ALGORITHM}, as payoff export --target signed writes it",
            mend="Copy the artifact again from where it was made; do not use this one.",
        )
    return dict(document)


def _untrusted(where: str, found: str) -> ArtifactError:
    return ArtifactError(
        "PF508",
        where,
        found,
        expected="a signature of a trusted key",
        mend="Take an artifact from whom you trust; or put the maker's public key among those of "
        f"{TRUSTED_KEYS}.",
    )


def _no_key(place: Path, found: str) -> ArtifactError:
    return ArtifactError(
        "PF509",
        str(place),
        found,
        expected="a key of Ed25519 in PEM, not encrypted",
        mend="Make a pair: openssl genpkey -algorithm ed25519 -out private.pem; "
        "openssl pkey -in private.pem -pubout -out public.pem",
    )


@contextmanager
def _readable_key(place: Path) -> Iterator[None]:
    """Tell what a file is that is no key."""
    exceptions = require("cryptography.exceptions", "signing", "signed artifacts")
    try:
        yield
    except OSError as error:
        raise _no_key(place, f"it cannot be read ({error.strerror or error})") from error
    except (ValueError, TypeError, exceptions.UnsupportedAlgorithm) as error:
        found = "it is encrypted" if isinstance(error, TypeError) else "it is no key"
        raise _no_key(place, found) from error
