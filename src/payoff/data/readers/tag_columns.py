"""Columns of tokens and tags, one token a line, as in the CoNLL-2003 shared task.

The token is the first column and its tag the last; a blank line ends a text. Tags may be IOB1,
IOB2, BIOES or BILOU: ``O`` or a sign, a hyphen and a label.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from payoff.core.errors import DataError, PayoffError
from payoff.data.annotations import Span, raise_some, text_problems

_CHINESE = re.compile(r"[\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]")
_BEGIN, _INSIDE, _LAST, _SINGLE = "B", "I", "EL", "SU"


def read_tag_columns(
    content: str, source: str
) -> tuple[tuple[str, ...], tuple[tuple[Span, ...], ...]]:
    r"""Texts and their entities.

    A text is its tokens with a space between two of them, but none between two Chinese or Japanese
    characters. An ``I-`` without a beginning begins an entity, as IOB1 has it.

    Args:
        content: The file.
        source: Its name, for errors.

    Raises:
        DataError: PF102 for lines without a tag, PF105 for texts, PF121 for tags that are none;
            all at once.

    Example:
        >>> read_tag_columns("where O\nis O\nPO-18 B-ORDER\n", "orders.conll")
        (('where is PO-18',), ((Span(start=9, end=14, label='ORDER'),),))
    """
    texts: list[str] = []
    spans: list[tuple[Span, ...]] = []
    problems: list[PayoffError] = []
    sentence, first = _Sentence(), 1
    for number, line in enumerate([*content.split("\n"), ""], start=1):
        cells = line.split("\t") if "\t" in line else line.split()
        cells = [cell.strip() for cell in cells]
        if any(cells) and cells[0] != "-DOCSTART-":
            if not sentence.text:
                first = number
            try:
                sentence.add(*_token_and_tag(cells), f"{source} line {number}")
            except DataError as error:
                problems.append(error)
            except ValueError as error:
                problems.append(
                    DataError(
                        "PF102", f"{source} line {number}", str(error), expected="a token and a tag"
                    )
                )
        elif sentence.text:
            found = sentence.spans
            problems += text_problems(sentence.text, found, f"{source} line {first}")
            texts.append(sentence.text)
            spans.append(tuple(found))
            sentence = _Sentence()
    raise_some(problems, source)
    return tuple(texts), tuple(spans)


def _token_and_tag(cells: list[str]) -> tuple[str, str]:
    if len(cells) < 2 or not cells[0] or not cells[-1]:
        raise ValueError(f"it holds {' '.join(cells)[:60]!r} alone")
    return cells[0], cells[-1]


@dataclass
class _Sentence:
    """A text while it is read."""

    text: str = ""
    spans: list[Span] = field(default_factory=list)
    _open: bool = False

    def add(self, token: str, tag: str, where: str) -> None:
        sign, label = _parts(tag, where)
        start = self._append(token)
        if not sign:
            self._open = False
            return
        goes_on = self._open and sign in _INSIDE + _LAST and self.spans[-1].label == label
        if goes_on:
            self.spans[-1] = Span(self.spans[-1].start, len(self.text), label)
        else:
            self.spans.append(Span(start, len(self.text), label))
        self._open = sign in _BEGIN + _INSIDE

    def _append(self, token: str) -> int:
        joined = bool(self.text) and _CHINESE.match(self.text[-1]) and _CHINESE.match(token[0])
        if self.text and not joined:
            self.text += " "
        start = len(self.text)
        self.text += token
        return start


def _parts(tag: str, where: str) -> tuple[str, str]:
    """Sign and label; both empty outside."""
    if tag == "O":
        return "", ""
    sign, hyphen, label = tag.partition("-")
    known = _BEGIN + _INSIDE + _LAST + _SINGLE
    if not hyphen or len(sign) != 1 or sign not in known or not label.strip():
        raise DataError(
            "PF121",
            where,
            f"the tag is '{tag[:60]}'",
            expected="O, or one of B-, I-, E-, S-, L- and U- and a label",
        )
    return sign, label
