"""Annotated texts: what each text names, as spans of characters."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from payoff.core.errors import DataError, PayoffError, raise_all

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_TOLD = 50
"""Problems of one file that are told one by one; of more, only their number."""

MAX_CHARACTERS = 250_000
"""Longest text: what a service takes, whatever its characters."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """An entity of a text.

    Args:
        start: First character in the text.
        end: Character behind the last.
        label: What kind of thing it is.
    """

    start: int
    end: int
    label: str


@dataclass(frozen=True)
class Annotated:
    """Texts with their entities.

    Args:
        texts: ``n_texts`` of them.
        spans: Entities of each text, sorted; they do not overlap.
        source: Where they come from, as people read it.

    Raises:
        DataError: PF105 for texts, PF121 for entities that cannot be used; PF112 where there are
            not as many of one as of the other. `payoff.core.errors.Problems` of all at once.

    Example:
        >>> notes = Annotated(("where is PO-18?",), ((Span(9, 14, "ORDER"),),))
        >>> notes.labels, [notes.texts[0][s.start:s.end] for s in notes.spans[0]]
        (('ORDER',), ['PO-18'])
    """

    texts: tuple[str, ...]
    spans: tuple[tuple[Span, ...], ...]
    source: str = "annotations"

    def __post_init__(self) -> None:
        if len(self.texts) != len(self.spans):
            raise DataError(
                "PF112",
                self.source,
                f"{len(self.texts)} texts and entities of {len(self.spans)}",
                expected="entities of each text, none where it names nothing",
            )
        problems: list[PayoffError] = []
        for number, (text, spans) in enumerate(zip(self.texts, self.spans, strict=True), 1):
            problems += text_problems(text, spans, f"{self.source} text {number}")
        raise_some(problems, self.source)
        ordered = tuple(tuple(sorted(spans)) for spans in self.spans)
        object.__setattr__(self, "spans", ordered)

    @classmethod
    def read(cls, path: Path | str) -> Annotated:
        """Read a file: JSON lines or columns of tokens and tags, told apart by the first line.

        See `payoff.data.readers.entity_lines` and `payoff.data.readers.tag_columns`.

        Raises:
            DataError: PF101 no file; PF102 where it is neither; PF105 and PF121 for what single
                texts and entities have wrong, all of it at once.
            MachineError: PF803 where the extra ``data`` is not installed.
        """
        from payoff.data.readers.encoding import detect_encoding
        from payoff.data.readers.entity_lines import read_entity_lines
        from payoff.data.readers.source import read_source, refuse_binary
        from payoff.data.readers.tag_columns import read_tag_columns

        content = read_source(Path(path))
        refuse_binary(content, str(path))
        encoding, _ = detect_encoding(content, str(path))
        try:
            text = content.decode(encoding).removeprefix("\ufeff")
        except UnicodeDecodeError as error:  # a byte-order mark promised what does not follow
            raise DataError(
                "PF102",
                str(path),
                f"it cannot be decoded ({error})",
                mend="Save it again as UTF-8.",
            ) from error
        reads = read_entity_lines if text.lstrip().startswith(("{", "[")) else read_tag_columns
        return cls(*reads(text, str(path)), source=str(path))

    def __len__(self) -> int:
        return len(self.texts)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Kinds of entities that occur, sorted."""
        return tuple(sorted({span.label for spans in self.spans for span in spans}))

    @cached_property
    def counts(self) -> Counter[str]:
        """Entities of each kind."""
        return Counter(span.label for spans in self.spans for span in spans)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over texts and entities, in their order."""
        digest = hashlib.sha256(b"payoff-entities-1\n")
        for text, spans in zip(self.texts, self.spans, strict=True):
            row = [text, *([span.start, span.end, span.label] for span in spans)]
            digest.update(json.dumps(row, ensure_ascii=False).encode() + b"\n")
        return digest.hexdigest()

    def take(self, rows: Iterable[int] | NDArray[np.int64]) -> Annotated:
        """Some of the texts, in the order given."""
        chosen = [int(row) for row in rows]
        return Annotated(
            tuple(self.texts[row] for row in chosen),
            tuple(self.spans[row] for row in chosen),
            self.source,
        )


def text_problems(text: str, spans: Sequence[Span], where: str) -> list[PayoffError]:
    """All that is wrong with one text and its entities.

    Args:
        text: The text.
        spans: Its entities, in any order.
        where: How the user would name it, such as ``"orders.jsonl line 3"``.

    Example:
        >>> [str(p) for p in text_problems("PO-18", [Span(0, 9, "ORDER")], "line 3")]
        ["PF121 line 3: 'ORDER' at 0 to 9 (expected 0 <= start < end <= 5)."]
    """
    if not isinstance(text, str):
        return [DataError("PF105", where, f"the text is {type(text).__name__}", expected="a text")]
    found: list[PayoffError] = []
    if "\0" in text:
        found.append(DataError("PF105", where, "the text holds NUL bytes", mend="Remove them."))
    if not _encodes(text):
        found.append(DataError("PF105", where, "the text holds half a surrogate pair"))
    if len(text) > MAX_CHARACTERS:
        found.append(
            DataError(
                "PF105",
                where,
                f"the text has {len(text):,} characters",
                expected=f"at most {MAX_CHARACTERS:,}",
            )
        )
    fitting = []
    for span in spans:
        trouble = _trouble(text, span)
        if trouble:
            told = f"'{span.label}' at {span.start} to {span.end}"
            found.append(DataError("PF121", where, told, expected=trouble))
        else:
            fitting.append(span)
    for one, other in pairwise(sorted(fitting)):
        if other.start < one.end:
            told = f"'{one.label}' at {one.start} to {one.end} and '{other.label}' at "
            told += f"{other.start} to {other.end} overlap"
            found.append(DataError("PF121", where, told, mend="Keep one of them."))
    return found


def _trouble(text: str, span: Span) -> str:
    """What would be right of a span; empty where it is."""
    if not span.label.strip() or span.label != span.label.strip():
        return "a label without white space around it"
    if not 0 <= span.start < span.end <= len(text):
        return f"0 <= start < end <= {len(text)}"
    named = text[span.start : span.end]
    return "" if named == named.strip() else "no white space at the ends"


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def raise_some(problems: Sequence[PayoffError], source: str) -> None:
    """Raise what was collected, the first `MOST_TOLD` one by one.

    Example:
        >>> raise_some([], "orders.jsonl")
    """
    told = list(problems[:MOST_TOLD])
    if len(problems) > MOST_TOLD:
        told.append(
            DataError("PF121", source, f"{len(problems) - MOST_TOLD:,} more problems of this kind")
        )
    raise_all(told)
