"""Files of a tier packed by Zstandard: fewer bytes to store and to fetch, the same answers."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from payoff.artifact.runtime.packed import most_bytes
from payoff.artifact.tier import PACKED, TierSpec
from payoff.core.errors import AdaptError
from payoff.core.files import whole_folder, write_bytes

LEVEL = 19
"""The highest that needs no more memory to unpack than lower ones."""

FEW_MATCHES = {"hash_log": 6, "chain_log": 6, "min_match": 7}
"""How a graph is packed: almost all of it are weights, in which there is nothing to find but how
often each byte occurs. Looking for what was there before takes several hundred times as long at
`LEVEL`, and what is found by chance makes weights of few values larger: `benchmarks/entropy.py`."""


class Zstd:
    """Huffman codes of the weights' bytes, and matches where there are any (RFC 8878).

    Rounded weights take few of their 256 values, and the common ones most of the time: what a
    weight then takes is near the entropy of its values. It is undone when the tier is opened, so
    that it is the last of a way; the service then holds the same model as without it.
    """

    name = "zstd"
    stage = "storage"

    def applies(self, spec: TierSpec) -> bool:
        """What is read from tokens, and is not packed yet."""
        return spec.kind == "tokens" and not any(m.endswith(PACKED) for m in spec.members)

    def compress(
        self, spec: TierSpec, folder: Path, target: Path, *, texts: Sequence[str] = ()
    ) -> TierSpec:
        """Pack every member; one that would not become smaller, or suspiciously small, stays.

        Raises:
            AdaptError: PF404 where the tier is of another kind, or packed already.
        """
        import zstandard

        if not self.applies(spec):
            raise AdaptError(
                "PF404",
                f"tier '{spec.name}'",
                f"a tier of the kind '{spec.kind}' with {', '.join(spec.members)}",
                expected="a tier of the kind 'tokens' that is not packed",
                mend="Leave it as it is.",
            )
        thorough = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
        for_graphs = zstandard.ZstdCompressor(compression_params=graph_parameters())
        members = []
        with whole_folder(target) as draft:
            for member in spec.members:
                whole = (folder / member).read_bytes()
                packed = (for_graphs if member.endswith(".onnx") else thorough).compress(whole)
                if len(packed) < len(whole) <= most_bytes(len(packed)):
                    write_bytes(draft / f"{member}{PACKED}", packed)
                    members.append(f"{member}{PACKED}")
                else:
                    shutil.copyfile(folder / member, draft / member)
                    members.append(member)
        return replace(spec, name=f"{spec.name} zstd", members=tuple(members))


def graph_parameters() -> Any:
    """Zstandard's parameters for graphs, a ``ZstdCompressionParameters``.

    Example:
        >>> graph_parameters().min_match
        7
    """
    import zstandard

    return zstandard.ZstdCompressionParameters.from_level(
        1, strategy=zstandard.STRATEGY_DFAST, write_checksum=True, **FEW_MATCHES
    )
