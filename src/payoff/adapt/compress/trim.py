"""A smaller vocabulary: the pieces that a domain uses, and what any text can be spelled with."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.adapt.compress.encoder_graph import POSITIONS
from payoff.adapt.compress.pieces import pieces_of
from payoff.adapt.compress.trimmed_tokenizer import KINDS, TrimmedTokenizer, kind_of, trimmed
from payoff.adapt.compress.way import need_within
from payoff.artifact.runtime.packed import is_packed
from payoff.artifact.tier import TierSpec
from payoff.core.errors import AdaptError
from payoff.core.files import whole_folder, write_text

GENERAL = 10_000
"""Common pieces that stay unless said otherwise.

Where few texts are known, new ones have pieces that those lack: the fewer, the more this counts."""

_TABLES = {"Gather": (0,), "GatherBlockQuantized": (0, 2)}
"""Operators that look rows up, and where they take what has a row a token."""

_IDS = "input_ids"


@dataclass(frozen=True)
class Trim:
    """Rows of the token table that the domain never looks up are taken out, with their pieces.

    Texts that it was made from are cut as before, and answered as before, bit for bit. A new text
    with a piece that went is cut into shorter ones; ``general`` keeps that rare. Of the table of
    places, those stay that a text of the tier's longest piece has.

    Args:
        general: Common pieces that stay though the domain's texts have none of them.

    Raises:
        AdaptError: PF406 for a negative number.
    """

    general: int = GENERAL
    name = "trim"
    stage = "vocabulary"

    def __post_init__(self) -> None:
        need_within(self.name, "general", self.general, 0, 1_000_000)

    def applies(self, spec: TierSpec) -> bool:
        """Whatever looks tokens up in a table, and is not packed."""
        return spec.kind == "tokens" and not is_packed(spec)

    def compress(
        self, spec: TierSpec, folder: Path, target: Path, *, texts: Sequence[str] = ()
    ) -> TierSpec:
        """Trim ``tokenizer.json`` and the table of ``model.onnx``.

        Args:
            spec: The tier.
            folder: Its files.
            target: Folder to make.
            texts: Of the domain: those that were learnt from, and any others of their kind.

        Raises:
            AdaptError: PF404 where the tier has no such table, or its tokenizer is of an unknown
                kind; PF411 without texts.
        """
        import onnx

        if not self.applies(spec):
            found = f"a tier of the kind '{spec.kind}' with {', '.join(spec.members)}"
            raise _wrong(spec, found, "a tier of the kind 'tokens' that is not packed")
        if not texts:
            raise AdaptError(
                "PF411",
                f"tier '{spec.name}'",
                "there are no texts to see which pieces are used",
                expected="texts of the domain, without labels",
                mend="Give the data file that the model was made from.",
            )
        whole = (folder / "tokenizer.json").read_text("utf-8")
        if kind_of(whole) not in KINDS:
            raise _wrong(spec, f"a tokenizer of the kind '{kind_of(whole)}'", " or ".join(KINDS))
        left = trimmed(whole, _used(spec, folder, texts), general=self.general)
        with whole_folder(target) as draft:
            model = onnx.load(folder / "model.onnx")
            _take_rows(model.graph, left.kept, spec)
            _take_places(model.graph, spec.settings["max_tokens"])
            onnx.save(model, draft / "model.onnx")
            write_text(draft / "tokenizer.json", left.content)
            for member in spec.members:
                if not (draft / member).exists():
                    shutil.copyfile(folder / member, draft / member)
        return _trimmed_spec(spec, left)


def _used(spec: TierSpec, folder: Path, texts: Sequence[str]) -> set[int]:
    """Ids of the pieces of these texts."""
    pieces = pieces_of(spec, folder, texts)
    return set().union(*pieces) | {spec.settings.get("pad_id", 0)}


def _take_rows(graph: Any, kept: NDArray[np.int64], spec: TierSpec) -> None:
    """Keep these rows of whatever is looked up by token."""
    from onnx import numpy_helper

    weights = {one.name: one for one in graph.initializer}
    looked_up = {
        node.input[place]
        for node in graph.node
        for place in _TABLES.get(node.op_type, ())
        if node.input[1] == _IDS and node.input[place] in weights
    }
    elsewhere = {
        name
        for node in graph.node
        for place, name in enumerate(node.input)
        if place not in _TABLES.get(node.op_type, ())
    }
    tables = sorted(looked_up - elsewhere)
    if not tables or looked_up & elsewhere:
        raise _wrong(spec, "no table that tokens alone are looked up in", "one in model.onnx")
    for name in tables:
        rows = numpy_helper.to_array(weights[name])[kept]
        weights[name].CopyFrom(numpy_helper.from_array(np.ascontiguousarray(rows), name))


def _take_places(graph: Any, n: int) -> None:
    """Keep the places that a text of this many tokens can have."""
    from onnx import numpy_helper

    for one in graph.initializer:
        if one.name == POSITIONS and len(one.dims) == 2:
            rows = numpy_helper.to_array(one)[:n]
            one.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(rows), one.name))


def _trimmed_spec(spec: TierSpec, left: TrimmedTokenizer) -> TierSpec:
    settings = {**spec.settings, "pad_id": left.new_id(spec.settings.get("pad_id", 0))}
    return replace(spec, name=f"{spec.name} trim", settings=settings)


def _wrong(spec: TierSpec, found: str, expected: str) -> AdaptError:
    return AdaptError(
        "PF404", f"tier '{spec.name}'", found, expected=expected, mend="Leave its vocabulary."
    )
