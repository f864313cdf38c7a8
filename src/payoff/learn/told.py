"""Told: which word counts of all that was said of a request, and what its decision was worth.

The one place that settles it, for the dashboard, experiments, watching and retraining alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, FromClause, exists, or_, select

from payoff.economics.actions import HANDOFF
from payoff.learn.tables import feedback

if TYPE_CHECKING:
    from payoff.economics.policy import Policy

ANOTHER = "\x1f"
"""Stands for a label that is another than the action's, where it is not told which."""

SAID = (feedback.c.label, feedback.c.correct, feedback.c.worth)
"""The columns that `Word.from_row` takes."""

_BLOCK = 500


@dataclass(frozen=True, slots=True)
class Word:
    """What somebody said of a request.

    Args:
        label: What it truly was; empty where that is not said.
        correct: Whether the action was right; None where that is not said.
        worth: What the action earned; None where nobody knows the money.
    """

    label: str = ""
    correct: bool | None = None
    worth: float | None = None

    def truth(self, action: str) -> str:
        """The true label; `ANOTHER` where only that the action was not it; empty for not said.

        Handing over names no label, so that whether it was right tells of none either.

        Args:
            action: What was done.

        Example:
            >>> Word(correct=True).truth("refund"), Word("card", correct=True).truth("refund")
            ('refund', 'card')
            >>> Word(correct=False).truth("refund") == Word(correct=True).truth("handoff")
            True
        """
        if self.label or self.correct is None:
            return self.label
        return action if self.correct and action != HANDOFF else ANOTHER

    def label_alone(self) -> Word:
        """What it says whatever was done: the true label, without verdict and money.

        Example:
            >>> Word("card", worth=3.0).label_alone()
            Word(label='card', correct=None, worth=None)
        """
        return Word(self.label)

    @classmethod
    def from_row(cls, label: str, correct: int | None, worth: float | None) -> Word:
        """From the columns of feedback, in their order.

        Example:
            >>> Word.from_row("", 0, None)
            Word(label='', correct=False, worth=None)
        """
        return cls(label, None if correct is None else bool(correct), worth)


def counts(told: FromClause = feedback) -> ColumnElement[bool]:
    """The condition that a row of feedback is the word that counts of its request.

    That is the word of the latest time, whenever it arrived, and of those of one time the one that
    arrived last. It counts alone: what an earlier one said is taken back by it.

    Args:
        told: The table of feedback, or an alias of it.

    Example:
        >>> wanted = select(feedback.c.label).where(counts())
        >>> "NOT (EXISTS" in str(wanted)
        True
    """
    later = feedback.alias()
    of_one_time = (later.c.time_utc == told.c.time_utc) & (later.c.id > told.c.id)
    newer = (later.c.request_id == told.c.request_id) & (
        (later.c.time_utc > told.c.time_utc) | of_one_time
    )
    return _says(told) & ~exists(select(later.c.id).where(newer, _says(later)))


def words_of(connection: Connection, request_ids: Sequence[str]) -> dict[str, Word]:
    """What counts of some requests, of those of which anything was said.

    Args:
        connection: To the journal.
        request_ids: Which.

    Example:
        >>> from payoff.learn.journal import Journal
        >>> with Journal.open("sqlite://") as journal, journal.reading() as connection:
        ...     words_of(connection, ["r-1"])
        {}
    """
    found: dict[str, Word] = {}
    for start in range(0, len(request_ids), _BLOCK):
        block = request_ids[start : start + _BLOCK]
        wanted = select(feedback.c.request_id, *SAID).where(
            feedback.c.request_id.in_(block), counts()
        )
        found |= {str(name): Word.from_row(*said) for name, *said in connection.execute(wanted)}
    return found


def told_worth(
    policy: Policy, words: Sequence[Word], actions: Sequence[str], segments: Sequence[str]
) -> NDArray[np.float64]:
    """What each decision was worth, before costs, ``(n,)``; NaN where that is not said.

    The money, where somebody said it; else the payoff's amount for the true label and what was
    done. Where only that the action was wrong is known, or the payoff lacks the label, the mean
    over all labels but the action's counts: no model's opinion, so that none can talk its errors
    small.

    Args:
        policy: What every action is worth.
        words: What counts of each request.
        actions: What was done, a label or ``"handoff"``.
        segments: Of the customers; one without a worth of its own counts as all others.

    Example:
        >>> from payoff.economics.policy import Policy
        >>> policy = Policy(("a", "b"), np.array([[3.0, -7.0, -1.0], [-5.0, 3.0, -1.0]]))
        >>> words = [Word("b"), Word(correct=False), Word(worth=4.5), Word()]
        >>> told_worth(policy, words, ["a"] * 4, [""] * 4).tolist()
        [-5.0, -5.0, 4.5, nan]
    """
    place = {label: number for number, label in enumerate((*policy.labels, HANDOFF))}
    table = {name: number for number, name in enumerate(policy.segment_values, 1)}
    amounts, another = _amounts(policy), len(policy.labels)
    found = np.full(len(words), np.nan)
    for row, (word, action, segment) in enumerate(zip(words, actions, segments, strict=True)):
        if word.worth is not None:
            found[row] = word.worth
            continue
        truth = word.truth(action)
        if truth and action in place:
            known = place.get(truth, another)
            found[row] = amounts[table.get(segment, 0), known, place[action]]
    return found


def _amounts(policy: Policy) -> NDArray[np.float64]:
    """The payoff's tables with one more row, ``(n_tables, k + 1, k + 1)``: another label."""
    tables = policy.tables.stacked
    k = tables.shape[1]
    others = np.broadcast_to(np.eye(k, k + 1) == 0, tables.shape)
    counted = np.maximum(others.sum(axis=1, keepdims=True), 1)
    mean = np.where(others, tables, 0.0).sum(axis=1, keepdims=True) / counted
    return np.concatenate([tables, mean], axis=1)


def _says(told: FromClause) -> ColumnElement[bool]:
    return or_(told.c.label != "", told.c.worth.is_not(None), told.c.correct.is_not(None))
