"""A tokenizer with fewer pieces, which cuts the texts that it was made for as the whole one does.

Three kinds are known. In each, only pieces that these texts never needed go:

- WordPiece takes the longest piece that fits. Those that these texts are cut into are kept, and
  what was not longest before is not longest now.
- Unigram takes the likeliest way to cut a text. All pieces of that way are kept, and the others
  lose some of their rivals' pieces.
- BPE merges pairs in a fixed order. All pairs that were merged on the way to a piece are kept.

Any other text can still be spelled: every piece of one character stays, and bytes where the
tokenizer falls back to those.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.core.errors import AdaptError

KINDS = ("WordPiece", "Unigram", "BPE")


@dataclass(frozen=True)
class TrimmedTokenizer:
    """What is left of a tokenizer.

    Args:
        content: Text of the new ``tokenizer.json``.
        kept: Old id of each new id, rising, ``(n_pieces,)``.
    """

    content: str
    kept: NDArray[np.int64]

    def new_id(self, old: int) -> int:
        """The new id of a piece that was kept."""
        return int(np.searchsorted(self.kept, old))


def kind_of(content: bytes | str) -> str:
    """The kind of a ``tokenizer.json``'s model, such as ``WordPiece``; empty where it has none."""
    model = json.loads(content).get("model") or {}
    return str(model.get("type") or ("BPE" if "merges" in model else ""))


def trimmed(content: bytes | str, used: Iterable[int], *, general: int) -> TrimmedTokenizer:
    """Take away the pieces that are not needed.

    Args:
        content: A ``tokenizer.json`` of one of `KINDS`.
        used: Ids that the texts of the domain are cut into.
        general: Most common pieces of the whole tokenizer that stay besides: the first of its
            WordPiece or BPE vocabulary, the likeliest of a Unigram's.

    Raises:
        AdaptError: PF404 where the tokenizer is of another kind.

    Example:
        >>> whole = json.dumps({
        ...     "model": {"type": "WordPiece", "unk_token": "[UNK]",
        ...               "continuing_subword_prefix": "##",
        ...               "vocab": {"[UNK]": 0, "lost": 1, "card": 2, "##s": 3, "c": 4}},
        ...     "added_tokens": [{"id": 0, "content": "[UNK]"}]})
        >>> found = trimmed(whole, [2], general=0)
        >>> json.loads(found.content)["model"]["vocab"]
        {'[UNK]': 0, 'card': 1, '##s': 2, 'c': 3}
        >>> found.kept.tolist()
        [0, 2, 3, 4]
    """
    whole = json.loads(content)
    kind = kind_of(content)
    if kind not in KINDS:
        raise AdaptError(
            "PF404",
            "tokenizer.json",
            f"a tokenizer of the kind '{kind}'",
            expected=" or ".join(KINDS),
            mend="Leave its vocabulary as it is.",
        )
    model = whole["model"]
    pieces = _pieces(model, kind)
    wanted = set(used) | _always(whole, pieces) | _general(model, kind, general)
    if kind == "BPE":
        wanted |= _on_the_way(model, wanted)
    kept = np.array(sorted(wanted & set(pieces.values())), np.int64)
    new = {int(old): place for place, old in enumerate(kept)}
    _renumber(whole, new)
    if kind == "Unigram":
        model["vocab"] = [model["vocab"][old] for old in kept]
        model["unk_id"] = None if model.get("unk_id") is None else new[model["unk_id"]]
    else:
        model["vocab"] = {
            piece: new[old]
            for piece, old in sorted(model["vocab"].items(), key=lambda pair: pair[1])
            if old in new
        }
    if kind == "BPE":
        left = model["vocab"]
        model["merges"] = [pair for pair in model["merges"] if _fits(pair, left)]
    return TrimmedTokenizer(json.dumps(whole, ensure_ascii=False, indent=1), kept)


def _pieces(model: Mapping[str, Any], kind: str) -> dict[str, int]:
    if kind == "Unigram":
        return {piece: place for place, (piece, _) in enumerate(model["vocab"])}
    return dict(model["vocab"])


def _always(whole: Mapping[str, Any], pieces: Mapping[str, int]) -> set[int]:
    """Special pieces, and what any text is spelled with."""
    model = whole["model"]
    before = model.get("continuing_subword_prefix") or ""
    found = {one["id"] for one in whole.get("added_tokens", ())}
    found |= set(_processor_ids(whole))
    if model.get("unk_id") is not None:
        found.add(model["unk_id"])
    for piece, number in pieces.items():
        letters = piece.removeprefix(before) if before else piece
        is_byte = len(piece) == 6 and piece.startswith("<0x") and piece.endswith(">")
        if len(letters) <= 1 or is_byte or piece == model.get("unk_token"):
            found.add(number)
    return found


def _general(model: Mapping[str, Any], kind: str, n: int) -> set[int]:
    if kind == "Unigram":
        scores = np.array([score for _, score in model["vocab"]])
        return set(np.argsort(-scores, kind="stable")[:n].tolist())
    return set(sorted(model["vocab"].values())[:n])


def _pair(merge: str | Sequence[str]) -> tuple[str, str]:
    """Older files have both parts in one text with a space between."""
    first, second = merge.split(" ") if isinstance(merge, str) else merge
    return first, second


def _merged(merge: str | Sequence[str]) -> str:
    return "".join(_pair(merge))


def _fits(merge: str | Sequence[str], left: Mapping[str, int]) -> bool:
    return all(part in left for part in (*_pair(merge), _merged(merge)))


def _on_the_way(model: Mapping[str, Any], wanted: set[int]) -> set[int]:
    """Ids of all pieces that some piece in ``wanted`` may be merged from."""
    vocab = model["vocab"]
    parts: dict[str, list[tuple[str, str]]] = {}
    for merge in model["merges"]:
        parts.setdefault(_merged(merge), []).append(_pair(merge))
    found: set[int] = set()
    todo = [piece for piece, number in vocab.items() if number in wanted]
    while todo:
        piece = todo.pop()
        for pair in parts.get(piece, ()):
            for part in pair:
                if part in vocab and vocab[part] not in found:
                    found.add(vocab[part])
                    todo.append(part)
    return found


def _processor_ids(whole: Mapping[str, Any]) -> Iterable[int]:
    """Ids that the post-processor puts around a text."""
    for step in _processors(whole.get("post_processor")):
        for name in ("sep", "cls"):
            if name in step:
                yield step[name][1]
        for special in (step.get("special_tokens") or {}).values():
            yield from special["ids"]


def _processors(step: Any) -> list[dict[str, Any]]:
    if not step:
        return []
    return (
        [one for inner in step["processors"] for one in _processors(inner)]
        if (step.get("type") == "Sequence")
        else [step]
    )


def _renumber(whole: dict[str, Any], new: Mapping[int, int]) -> None:
    """New ids for special pieces, wherever the file names them."""
    for one in whole.get("added_tokens", ()):
        one["id"] = new[one["id"]]
    for step in _processors(whole.get("post_processor")):
        for name in ("sep", "cls"):
            if name in step:
                step[name] = [step[name][0], new[step[name][1]]]
        for special in (step.get("special_tokens") or {}).values():
            special["ids"] = [new[number] for number in special["ids"]]
    if whole.get("padding"):
        whole["padding"]["pad_id"] = new[whole["padding"]["pad_id"]]
