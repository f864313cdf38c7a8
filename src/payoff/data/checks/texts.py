"""Checks of the texts themselves: empty, repeated, contradictory, long, damaged."""

from __future__ import annotations

import re

import numpy as np

from payoff.core.findings import Finding, Status
from payoff.data.checks.subject import N_SHOWN, Subject, counted, not_applicable, passed, searched

MAX_MODEL_TOKENS = 512
"""What most pretrained models read of a text; the rest is cut off."""
_CHINESE = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
# UTF-8 read as Windows-1252 leaves Ã or Â and a sign of the Latin-1 block; U+FFFD is a lost sign.
_DAMAGE = re.compile(
    "\ufffd|[ÃÂ][\u0080-\u00bf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]|â€[œ™˜“”¦\u009d]|锟斤拷|烫烫烫"
)


def empty_texts(subject: Subject) -> Finding:
    """Texts of nothing or white space (PF151).

    Example:
        >>> empty_texts(Subject.of(["hello", " "])).detail
        '1 of 2 texts are empty; they are left out of training'
    """
    code, title = "PF151", "No text is empty"
    bare = [i for i, text in enumerate(subject.dataset.texts) if not text.strip()]
    if not bare:
        return passed(code, title)
    return Finding(
        code,
        title,
        Status.FAILED,
        f"{len(bare):,} of {counted(len(subject.dataset), 'text')} are empty;"
        " they are left out of training",
        "Remove those rows, or fill in the texts.",
        subject.show(bare),
        len(bare),
    )


def _repeats(subject: Subject) -> list[list[int]]:
    """Positions of rows with the same text, a list each text that occurs twice or more."""
    same: dict[int, list[int]] = {}
    for i, (place, text) in enumerate(
        zip(subject.place.tolist(), subject.dataset.texts, strict=True)
    ):
        if text.strip():
            same.setdefault(place, []).append(i)
    return sorted((rows for rows in same.values() if len(rows) > 1), key=len, reverse=True)


def repeated_texts(subject: Subject) -> Finding:
    """Texts that occur again but for case, punctuation and white space (PF152).

    Example:
        >>> repeated_texts(Subject.of(["Hi!", "hi", "HI"])).n_affected
        2
    """
    code, title = "PF152", "No text is repeated"
    repeats = _repeats(subject)
    surplus = sum(len(rows) - 1 for rows in repeats)
    if not surplus:
        return passed(code, title)
    worst = repeats[0]
    return Finding(
        code,
        title,
        Status.FAILED,
        f"{counted(surplus, 'row')} of {len(subject.dataset):,} repeat an earlier text"
        f" but for case, punctuation and space; one occurs {len(worst)} times",
        "Keep them where they are real traffic; a split keeps them on one side.",
        tuple(subject.show(rows, times=len(rows))[0] for rows in repeats[:N_SHOWN]),
        surplus,
    )


def contradictory_texts(subject: Subject) -> Finding:
    """The same text under two labels (PF153).

    Example:
        >>> contradictory_texts(Subject.of(["hi", "Hi"], ["a", "b"])).detail
        '1 text (2 rows) carry more than one label'
    """
    code, title = "PF153", "No text has two labels"
    if subject.dataset.label is None:
        return not_applicable(code, title, "the rows have no labels")
    targets = subject.dataset.targets
    torn = [rows for rows in _repeats(subject) if len({targets[i] for i in rows}) > 1]
    if not torn:
        return passed(code, title)
    first_of_label = [list({targets[i]: i for i in reversed(rows)}.values()) for rows in torn]
    n_rows = sum(map(len, torn))
    return Finding(
        code,
        title,
        Status.FAILED,
        f"{counted(len(torn), 'text')} ({counted(n_rows, 'row')}) carry more than one label",
        "Decide on one label for each, or merge labels that people cannot tell apart.",
        subject.show([i for rows in first_of_label for i in sorted(rows)]),
        n_rows,
    )


def near_texts(subject: Subject) -> Finding:
    """Different texts that nearly say the same (PF154).

    Example:
        >>> long = "where is the parcel that I ordered on the first of this month"
        >>> near_texts(Subject.of([long, long + "s"])).n_affected
        2
    """
    code, title = "PF154", "No text nearly repeats another"
    first_row: dict[int, int] = {}
    for i, place in enumerate(subject.place.tolist()):
        first_row.setdefault(place, i)
    pairs = [
        (first_row[a], first_row[b])
        for a, b in subject.near.pairs.tolist()
        if a in first_row and b in first_row
    ]
    note = f"; {subject.near.note}" if subject.near.note else ""
    if not pairs:
        return searched(code, title, subject.near)
    return Finding(
        code,
        title,
        Status.FAILED,
        f"{counted(len(pairs), 'pair')} of texts share nine tenths of their 5-letter"
        f" sequences{note}",
        "Nothing need be done: a split keeps them on one side.",
        tuple(
            subject.show([a], near_row=int(subject.dataset.rows[b]))[0] for a, b in pairs[:N_SHOWN]
        ),
        len({i for pair in pairs for i in pair}),
    )


def long_texts(subject: Subject) -> Finding:
    """Texts longer than a model reads, by an estimate of their tokens (PF155).

    Example:
        >>> long_texts(Subject.of(["short", "word " * 600])).rows[0]["row"]
        2
    """
    code, title = "PF155", "No text is longer than models read"
    texts = subject.dataset.texts
    n_characters = np.array([len(text) for text in texts])
    middle, high = np.percentile(n_characters, [50, 95])
    seen = f"characters: median {middle:.0f}, 95 % below {high:.0f}, longest {n_characters.max():,}"
    long = [
        i
        for i in np.flatnonzero(n_characters > MAX_MODEL_TOKENS).tolist()
        if _n_tokens(texts[i]) > MAX_MODEL_TOKENS
    ]
    if not long:
        return passed(code, title, seen)
    long.sort(key=lambda i: -int(n_characters[i]))
    return Finding(
        code,
        title,
        Status.FAILED,
        f"{counted(len(long), 'text')} of {len(texts):,} exceed about {MAX_MODEL_TOKENS} tokens;"
        f" {seen}",
        "Put what matters first, or cut greetings, quoted mails and signatures.",
        subject.show(long),
        len(long),
    )


def _n_tokens(text: str) -> float:
    """Rough count: a token a Chinese, Japanese or Korean character, else one every four."""
    n_chinese = len(_CHINESE.findall(text))
    return n_chinese + (len(text) - n_chinese) / 4


def damaged_texts(subject: Subject) -> Finding:
    """Texts that were once read in the wrong encoding (PF156).

    Example:
        >>> damaged_texts(Subject.of(["cafÃ©", "café"])).n_affected
        1
    """
    code, title = "PF156", "No text was damaged by a wrong encoding"
    hurt = [
        i
        for i, text in enumerate(subject.dataset.texts)
        if not text.isascii() and _DAMAGE.search(text)
    ]
    if not hurt:
        return passed(code, title, " ".join(subject.dataset.notes))
    return Finding(
        code,
        title,
        Status.FAILED,
        f"{counted(len(hurt), 'text')} of {len(subject.dataset):,} hold signs such as"
        " 'Ã©' or '\ufffd'",
        "Export the data again as UTF-8, or give the file's encoding.",
        subject.show(hurt),
        len(hurt),
    )
