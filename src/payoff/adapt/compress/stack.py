"""A stack is compressed by its member with layers: the others are small and fast already."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from payoff.adapt.compress.compressor import Compressor
from payoff.artifact.runtime.stacked import STACK, member_file, member_specs
from payoff.artifact.tier import TierSpec
from payoff.core.files import whole_folder, write_json


def compressed_part(spec: TierSpec, folder: Path) -> TierSpec:
    """What of a tier a compressor works on: the tier itself, or of a stack its largest member.

    Args:
        spec: The tier.
        folder: Where its files are.

    Example:
        >>> compressed_part(TierSpec("small", "tokens"), Path()).name
        'small'
    """
    if spec.kind != "stacked":
        return spec
    members = _members(spec, folder)
    return members[_largest(members, folder)]


def compress_part(
    one: Compressor, spec: TierSpec, folder: Path, target: Path, *, texts: Sequence[str] = ()
) -> TierSpec:
    """Compress a tier, or of a stack its largest member; how members are mixed stays.

    Args:
        one: The compressor.
        spec: The tier.
        folder: Where its files are.
        target: Folder to make.
        texts: See `compressor.Compressor.compress`.

    Raises:
        AdaptError: PF404, PF411 and PF412, as the compressor says.
    """
    if spec.kind != "stacked":
        return one.compress(spec, folder, target, texts=texts)
    members = _members(spec, folder)
    place = _largest(members, folder)
    content = json.loads((folder / STACK).read_text("utf-8"))
    with tempfile.TemporaryDirectory(prefix="payoff-") as between:
        alone, smaller = Path(between) / "member", Path(between) / "smaller"
        alone.mkdir()
        for name in members[place].members:
            (alone / name).symlink_to((folder / member_file(place, name)).resolve())
        small = one.compress(members[place], alone, smaller, texts=texts)
        entry = {"name": small.name, "kind": small.kind, "settings": dict(small.settings)}
        content["members"][place] = entry
        files = [STACK]
        with whole_folder(target) as draft:
            write_json(draft / STACK, content)
            for number, member in enumerate([*members[:place], small, *members[place + 1 :]]):
                for name in member.members:
                    written = member_file(number, name)
                    there = smaller / name if number == place else folder / written
                    shutil.copyfile(there, draft / written)
                    files.append(written)
    return replace(spec, name=f"{spec.name} {one.name}", members=tuple(files))


def _members(spec: TierSpec, folder: Path) -> list[TierSpec]:
    return member_specs(json.loads((folder / STACK).read_text("utf-8")), spec)


def _largest(members: Sequence[TierSpec], folder: Path) -> int:
    """Place of the member of most bytes among those with a graph, or of all where none has one."""

    def weight(place: int) -> tuple[bool, int]:
        member = members[place]
        sizes = [(folder / member_file(place, name)).stat().st_size for name in member.members]
        return member.kind == "tokens", sum(sizes)

    return max(range(len(members)), key=weight)
