"""The manifest: what an artifact is, what made it, and the hash of everything in it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from payoff.artifact.signature import SIGNATURE
from payoff.artifact.texts import MAX_TEXT_BYTES, check_text
from payoff.artifact.tier import TierSpec, tier_folder
from payoff.core.errors import ArtifactError
from payoff.core.files import to_json

FORMAT = 1
"""Version of the format that this payoff writes; it reads every version up to it."""

MANIFEST = "manifest.json"
_KEY = '"manifest_sha256": "'
_NO_DIGEST = "0" * 64
MAX_MANIFEST_BYTES = 16_000_000
"""A manifest beyond this is none: 100,000 labels of 100 characters fit."""

_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+ -]*")
_T = TypeVar("_T")


class Member(NamedTuple):
    """Hash and size of one file of an artifact."""

    sha256: str
    size_bytes: int


def is_safe_name(name: str) -> bool:
    """Whether a member's name stays inside the artifact on every system.

    Example:
        >>> is_safe_name("licences/MIT.txt"), is_safe_name("../x"), is_safe_name("C:x")
        (True, False, False)
    """
    parts = name.split("/")
    return len(name) <= 255 and all(
        _PART.fullmatch(part) and not part.endswith((".", " ")) for part in parts
    )


@dataclass(frozen=True, slots=True)
class Manifest:
    """What ``manifest.json`` says.

    Args:
        name: What people call the model.
        labels: The labels, sorted; position is the column of every ``(n, k)`` array.
        tiers: The models, cheapest first.
        members: Hash and size of every file but the manifest itself.
        created_by: Versions of payoff, Python and the libraries that made it.
        seed: Seed of the run.
        data_fingerprint: SHA-256 of the data it was trained on.
        input: What a text must be: ``{"text": {"max_bytes": …}}``.
        format: Version of the format.

    Raises:
        ArtifactError: PF504 where labels are fewer than two or repeated, or there is no tier.
        DataError: PF105 where a label is no valid text of at most 1,000 bytes.

    Example:
        >>> tier = TierSpec("words", "ngrams")
        >>> members = {name: Member("0" * 64, 1) for name in tier.members}
        >>> one = Manifest("m", ("no", "yes"), (tier,), members, {}, 0, "", input_schema())
        >>> Manifest.from_json(one.to_json().encode()) == one
        True
    """

    name: str
    labels: tuple[str, ...]
    tiers: tuple[TierSpec, ...]
    members: Mapping[str, Member]
    created_by: Mapping[str, Any]
    seed: int
    data_fingerprint: str
    input: Mapping[str, Any]
    format: int = FORMAT

    def __post_init__(self) -> None:
        if len(self.labels) < 2 or list(self.labels) != sorted(set(self.labels)):
            raise _wrong(
                f"the labels are {', '.join(map(repr, self.labels[:5]))}",
                "at least two, each once, in sorted order",
            )
        for label in self.labels:
            check_text(label, f"{MANIFEST}, label {label!r}", max_bytes=1000)
        if not self.tiers:
            raise _wrong("there is no tier", "at least one")
        for number in range(len(self.tiers)):
            missing = set(self.tier_members(number)) - set(self.members)
            if missing:
                raise _wrong(
                    f"tier {number} needs {', '.join(sorted(missing))}", "them among its members"
                )

    def tier_members(self, number: int) -> tuple[str, ...]:
        """Names inside the artifact of the files of tier ``number``."""
        folder = tier_folder(number, len(self.tiers))
        return tuple(folder + member for member in self.tiers[number].members)

    def to_json(self) -> str:
        """The text of ``manifest.json``: the same manifest gives the same bytes."""
        unsigned = to_json(
            {
                "manifest_sha256": _NO_DIGEST,
                "format": self.format,
                "name": self.name,
                "labels": list(self.labels),
                "tiers": [tier.as_dict() for tier in self.tiers],
                "members": {
                    name: {"sha256": member.sha256, "bytes": member.size_bytes}
                    for name, member in self.members.items()
                },
                "created_by": dict(self.created_by),
                "seed": self.seed,
                "data_fingerprint": self.data_fingerprint,
                "input": dict(self.input),
            }
        )
        digest = hashlib.sha256(unsigned.encode("utf-8")).hexdigest()
        return unsigned.replace(_KEY + _NO_DIGEST, _KEY + digest, 1)

    @classmethod
    def from_json(cls, content: bytes) -> Manifest:
        """Read ``manifest.json``.

        Raises:
            ArtifactError: PF501 where it is no JSON object; PF503 for a newer format; PF504 for
                a field that is missing or of the wrong type; PF502 where it was altered or
                names an unsafe member.
        """
        document = _document(content)
        found = document.get("format")
        if isinstance(found, bool) or not isinstance(found, int) or found < 1:
            raise ArtifactError(
                "PF501", MANIFEST, f"its format is {found!r}", expected="a number such as 1"
            )
        if found > FORMAT:
            raise ArtifactError(
                "PF503",
                MANIFEST,
                f"its format is {found}",
                expected=f"at most {FORMAT}",
                mend="Upgrade payoff: pip install -U payoff",
            )
        _check_digest(content)
        return cls(
            name=_field(document, "name", str),
            labels=tuple(_strings(document, "labels")),
            tiers=tuple(_tier(entry) for entry in _field(document, "tiers", list)),
            members=_members(_field(document, "members", dict)),
            created_by=_field(document, "created_by", dict),
            seed=_field(document, "seed", int),
            data_fingerprint=_field(document, "data_fingerprint", str),
            input=_field(document, "input", dict),
            format=found,
        )


def _check_digest(content: bytes) -> None:
    """Every byte of the manifest, with 64 zeros in place of its own digest, must hash to it.

    The key cannot be imitated inside a string of the document, where its quotes are escaped.
    """
    parts = content.split(_KEY.encode())
    found = parts[-1][: len(_NO_DIGEST)]
    unsigned = content.replace(_KEY.encode() + found, (_KEY + _NO_DIGEST).encode())
    if len(parts) != 2 or hashlib.sha256(unsigned).hexdigest().encode() != found:
        raise ArtifactError(
            "PF502",
            MANIFEST,
            "it was altered",
            mend="Copy the artifact again from where it was made; do not use this one.",
        )


def input_schema() -> dict[str, Any]:
    """What format 1 says of its input.

    Example:
        >>> input_schema()["text"]["max_bytes"]
        1000000
    """
    return {"text": {"type": "string", "max_bytes": MAX_TEXT_BYTES}}


def _wrong(found: str, expected: str) -> ArtifactError:
    return ArtifactError("PF504", MANIFEST, found, expected=expected)


def _document(content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ArtifactError(
            "PF501", MANIFEST, f"it is no JSON ({str(error)[:80]})", expected="a payoff manifest"
        ) from error
    if not isinstance(document, dict):
        raise ArtifactError("PF501", MANIFEST, "it is no JSON object", expected="{…}")
    return document


def _field(document: dict[str, Any], key: str, kind: type[_T]) -> _T:
    value = document.get(key)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise _wrong(f"'{key}' is {type(value).__name__}", kind.__name__)
    return value


def _strings(document: dict[str, Any], key: str) -> list[str]:
    values = _field(document, key, list)
    if not all(isinstance(value, str) for value in values):
        raise _wrong(f"'{key}' holds other things than strings", "strings")
    return values


def _tier(entry: Any) -> TierSpec:
    if not isinstance(entry, dict):
        raise _wrong("a tier is no object", "an object")
    return TierSpec(
        _field(entry, "name", str),
        _field(entry, "kind", str),  # type: ignore[arg-type]  # TierSpec refuses other kinds
        members=tuple(_strings(entry, "members")),
        settings=_field(entry, "settings", dict),
    )


def _members(entries: dict[str, Any]) -> dict[str, Member]:
    members = {}
    for name, entry in entries.items():
        if not is_safe_name(name) or name in (MANIFEST, SIGNATURE):
            raise ArtifactError(
                "PF502", name[:80], "the manifest names an unsafe member", mend="Do not use it."
            )
        if not isinstance(entry, dict):
            raise _wrong(f"member '{name}' is no object", "an object")
        size_bytes = _field(entry, "bytes", int)
        if size_bytes < 0:
            raise _wrong(f"member '{name}' has {size_bytes} bytes", "0 or more")
        members[name] = Member(_field(entry, "sha256", str), size_bytes)
    return members
