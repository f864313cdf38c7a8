"""Decided: decisions read from the journal in bulk, as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, case, literal, select

from payoff.learn.experiments.assignment import TREATMENT, decided_id
from payoff.learn.experiments.tally import Array
from payoff.learn.tables import decisions

_ROWS = 50_000
_DAY = np.timedelta64(1, "D") / np.timedelta64(1, "us")
_NOBODY = "\x1f"
_COLUMNS = (
    decisions.c.id,
    decisions.c.time_utc,
    case(
        (decisions.c.customer == "", literal(_NOBODY).concat(decisions.c.request_id)),
        else_=decisions.c.customer,
    ),
    case((decisions.c.arm == TREATMENT, 1), else_=0),
    decisions.c.action,
    decisions.c.segment,
    decisions.c.worth,
    decisions.c.cost,
    decisions.c.latency_ms,
)
_EMPTY = ("i8", "f8", "i8", "?", "i8", "i8", "f8", "f8", "f8")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Decided:
    """Columns of some decisions, in the order in which they were written.

    Args:
        row: Number of the row in the journal, ``(n,)``, rising.
        about: The row that feedback is about: the same one, or the control's in the shadow.
        day: Days since 1970, ``(n,)``.
        customer: Number of the customer, ``(n,)``, from 0.
        customers: Hash of each customer; empty for requests that name none.
        treated: Whether the treatment decided, ``(n,)``.
        action: Number of the action among ``actions``, ``(n,)``.
        actions: Their names.
        segment: Number of the segment among ``segments``, ``(n,)``.
        segments: Their names.
        worth: Expected worth of the action, ``(n,)``.
        cost: What asking the models cost, ``(n,)``.
        latency_ms: Of each, ``(n,)``.
    """

    row: NDArray[np.int64]
    about: NDArray[np.int64]
    day: Array
    customer: NDArray[np.int64]
    customers: list[str]
    treated: NDArray[np.bool_]
    action: NDArray[np.int64]
    actions: list[str]
    segment: NDArray[np.int64]
    segments: list[str]
    worth: Array
    cost: Array
    latency_ms: Array


def decided(connection: Connection, mine: ColumnElement[bool], *, shadows: bool = False) -> Decided:
    """Read decisions.

    Args:
        connection: To the journal.
        mine: Which of them.
        shadows: Whether there may be decisions of a shadow among them.

    Example:
        >>> from payoff.learn.journal import Journal
        >>> with Journal.open("sqlite://") as journal, journal.reading() as connection:
        ...     len(decided(connection, decisions.c.experiment == "new-head").row)
        0
    """
    customers: dict[str, int] = {}
    actions: dict[str, int] = {}
    segments: dict[str, int] = {}
    blocks = []
    wanted = select(*_COLUMNS).where(mine).order_by(decisions.c.id)
    options = {"stream_results": True, "yield_per": _ROWS}
    for part in connection.execute(wanted, execution_options=options).partitions(_ROWS):
        row, time, unit, treated, action, segment, *amounts = zip(*part, strict=True)
        units = [decided_id(one) for one in unit] if shadows else unit
        blocks.append(
            (
                np.array(row, dtype=np.int64),
                days_of(time),
                _numbered(customers, units),
                np.array(treated, dtype=np.bool_),
                _numbered(actions, action),
                _numbered(segments, segment),
                *(np.array(amount, dtype=np.float64) for amount in amounts),
            )
        )
    columns: list[Any] = [np.concatenate(column) for column in zip(*blocks, strict=True)]
    columns = columns or [np.empty(0, dtype=kind) for kind in _EMPTY]
    row, day, customer, treated, action, segment, worth, cost, latency_ms = columns
    return Decided(
        row=row,
        about=_about(connection, mine, row) if shadows else row,
        day=day,
        customer=customer,
        customers=["" if name.startswith(_NOBODY) else name for name in customers],
        treated=treated,
        action=action,
        actions=list(actions),
        segment=segment,
        segments=list(segments),
        worth=worth,
        cost=cost,
        latency_ms=latency_ms,
    )


def days_of(times_utc: Sequence[str]) -> Array:
    """Times of the journal in days since 1970, ``(n,)``.

    Example:
        >>> days_of(["1970-01-02T12:00:00.000000Z", "1970-01-02T00:00:00Z"]).tolist()
        [1.5, 1.0]
    """
    # Without the Z: NumPy's times have no zone, and it warns of one.
    moments = np.array([one.rstrip("Z") for one in times_utc], dtype="datetime64[us]")
    days: Array = moments.astype(np.int64) / _DAY
    return days


def _numbered(known: dict[str, int], names: Sequence[str]) -> NDArray[np.int64]:
    """The number of each name, in the order in which names were first seen."""
    return np.array([known.setdefault(name, len(known)) for name in names], dtype=np.int64)


def _about(
    connection: Connection, mine: ColumnElement[bool], rows: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The row of the decision that was acted upon, of each: a shadow's is its control's."""
    wanted = select(decisions.c.id, decisions.c.request_id).where(mine).order_by(decisions.c.id)
    requests = {row: request for row, request in connection.execute(wanted)}  # noqa: C416
    acted = {request: row for row, request in requests.items()}
    bases = (acted.get(decided_id(requests[row]), row) for row in rows.tolist())
    return np.fromiter(bases, dtype=np.int64, count=len(rows))
