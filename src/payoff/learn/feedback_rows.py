"""Feedback from a table: rows of text to what they tell."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping

from payoff.core.errors import PayoffError, ServiceError, raise_all
from payoff.learn.feedback import Feedback

COLUMNS = (
    "request_id",
    "label",
    "correct",
    "worth",
    "source",
    "person",
    "seconds",
    "feedback_id",
    "time_utc",
)
"""Columns that are read; others are left alone."""

_TRUTHS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_MOST_PROBLEMS = 20


def feedback_rows(rows: Iterable[Mapping[str, str | None]], where: str) -> list[Feedback]:
    """What the rows of a table tell.

    A row without ``feedback_id`` is named by what it says, so that the same table read twice is
    written once.

    Args:
        rows: Cells by column, one of them ``request_id``.
        where: What the table is called.

    Raises:
        ServiceError: PF716 for each row that says nothing or something malformed; `Problems` where
            there are several.

    Example:
        >>> told = feedback_rows([{"request_id": "r-1", "correct": "yes"}], "told.csv")
        >>> told[0].correct, told == feedback_rows([{"request_id": "r-1", "correct": "yes"}], "")
        (True, False)
    """
    found: list[Feedback] = []
    problems: list[PayoffError] = []
    for number, row in enumerate(rows, 1):
        try:
            found.append(_told({k: (v or "").strip() for k, v in row.items()}))
        except PayoffError as error:
            place = f"{where} row {number}"
            problems.append(ServiceError("PF716", place, error.found, expected=error.expected))
            if len(problems) == _MOST_PROBLEMS:
                break
    raise_all(problems)
    return found


def _told(cells: Mapping[str, str]) -> Feedback:
    request_id = cells.get("request_id", "")
    if not request_id:
        raise ServiceError("PF716", "", "it has no request_id", expected="that of a decision")
    correct = cells.get("correct", "").lower()
    if correct and correct not in _TRUTHS:
        raise ServiceError("PF716", "", f"correct is '{correct[:50]}'", expected="yes or no")
    own = "\x1f".join(cells.get(name, "") for name in COLUMNS if name != "feedback_id")
    return Feedback(
        request_id=request_id,
        label=cells.get("label", ""),
        correct=_TRUTHS[correct] if correct else None,
        worth=_number(cells, "worth"),
        source=cells.get("source") or "system",
        person=cells.get("person", ""),
        seconds=_number(cells, "seconds"),
        feedback_id=cells.get("feedback_id") or hashlib.sha256(own.encode()).hexdigest()[:32],
        time_utc=cells.get("time_utc", ""),
    )


def _number(cells: Mapping[str, str], name: str) -> float | None:
    told = cells.get(name, "")
    if not told:
        return None
    try:
        value = float(told)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ServiceError("PF716", "", f"{name} is '{told[:50]}'", expected="a number")
    return value


def in_blocks(told: list[Feedback], size: int = 1000) -> Iterator[list[Feedback]]:
    """Feedback in pieces that are written at once.

    Example:
        >>> [len(block) for block in in_blocks([Feedback("r", correct=True)] * 5, 2)]
        [2, 2, 1]
    """
    for start in range(0, len(told), size):
        yield told[start : start + size]
