"""Members that are kept packed by Zstandard, and unpacked when a tier is opened."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from payoff.artifact.runtime.session import broken
from payoff.artifact.tier import PACKED, TierSpec

MOST_BYTES = 0x7FFF_FFFF
"""Of an unpacked member, which no ONNX file exceeds; beyond, it is refused unopened."""

MOST_TIMES = 100
"""A member's size over its packed bytes, at most; weights shrink by far less."""

Read = Callable[[str], bytes]
File = Callable[[str], AbstractContextManager[Path]]


def is_packed(spec: TierSpec) -> bool:
    """Whether some members of a tier are packed.

    Example:
        >>> is_packed(TierSpec("small", "tokens", ("model.onnx.zst", "tokenizer.json")))
        True
    """
    return any(member.endswith(PACKED) for member in spec.members)


def unpacking(spec: TierSpec, read: Read, file: File | None) -> tuple[Read, File | None]:
    """How to read a tier's members by the names that they have when they are not packed.

    Args:
        spec: The tier.
        read: Gives the bytes of one of its members.
        file: Gives a member as a file; see `payoff.artifact.runtime.open_tier`.

    Returns:
        The same two; the second is None where members are packed, since there is no such file.

    Raises:
        ArtifactError: PF504, by the first of them, where a member cannot be unpacked.

    Example:
        >>> import zstandard
        >>> spec = TierSpec("small", "tokens", ("model.onnx.zst", "tokenizer.json"))
        >>> kept = {"model.onnx.zst": zstandard.compress(b"graph"), "tokenizer.json": b"{}"}
        >>> read, file = unpacking(spec, kept.__getitem__, None)
        >>> read("model.onnx"), read("tokenizer.json")
        (b'graph', b'{}')
    """
    if not is_packed(spec):
        return read, file

    def unpacked(member: str) -> bytes:
        if member in spec.members:
            return read(member)
        return _unpacked(spec, f"{member}{PACKED}", read(f"{member}{PACKED}"))

    return unpacked, None


def most_bytes(packed_bytes: int) -> int:
    """What a member of so many packed bytes may become.

    Example:
        >>> most_bytes(1000)
        100000
    """
    return min(MOST_BYTES, MOST_TIMES * packed_bytes)


def _unpacked(spec: TierSpec, member: str, content: bytes) -> bytes:
    import zstandard

    try:
        size, most = zstandard.frame_content_size(content), most_bytes(len(content))
        if not 0 <= size <= most:
            raise broken(spec, f"{member} says that it has {size} bytes", f"0 … {most}")
        whole: bytes = zstandard.ZstdDecompressor().decompress(content)
    except zstandard.ZstdError as error:
        raise broken(spec, f"{member}: {error}", "a Zstandard frame") from error
    return whole
