"""The books of a journal: what was spent, and what work under way may still spend."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from payoff.core.errors import ServiceError
from payoff.economics.costs import Step
from payoff.learn.booking import Booking
from payoff.learn.database import Database
from payoff.learn.entry import now_utc
from payoff.learn.hold import Hold
from payoff.learn.tables import costs, holds

_BLOCK = 500


class Books(Database):
    """Cost lines and holds, in the database of a journal.

    Example:
        >>> with Books.open("sqlite://") as books:
        ...     books.bookings("2026-11")
        []
    """

    def book(self, bookings: Sequence[Booking], *, left: Hold | None = None) -> int:
        """Write cost lines, all or none; they are on the disk when this returns.

        Args:
            bookings: Costs; one whose id is in the journal already, for the same money, is left
                as it was first written, so that nothing is booked twice.
            left: What their holder holds from now on, changed together with the booking.

        Returns:
            How many were new.

        Raises:
            ServiceError: PF713 where an id is taken by another line; PF703 to PF706 where the
                database fails.
        """
        rows: dict[str, dict[str, Any]] = {}
        for booking in bookings:
            row = booking.as_row()
            _same_line(rows.setdefault(booking.booking_id, row), row)
        with self.writing() as connection:
            known = self._rows_of(connection, list(rows))
            for booking_id, row in known.items():
                _same_line(row, rows[booking_id])
            new = [row for booking_id, row in rows.items() if booking_id not in known]
            if new:
                connection.execute(insert(costs), new)
            if left is not None:
                _put(connection, left)
        return len(new)

    def hold(self, hold: Hold, allowed: Callable[[list[Booking], list[Hold]], Hold]) -> Hold:
        """Hold money of a budget: looked at and held in one transaction, whoever else asks.

        Args:
            hold: Who asks, for which project.
            allowed: Called with what the project has booked this month without labels, and with
                the holds of others on it; gives what is to be held, or raises.

        Returns:
            What is held now.

        Raises:
            ServiceError: PF703 to PF706 where the database fails; else what ``allowed`` raises.
        """
        with self.writing() as connection:
            held = allowed(*_standing(connection, hold.project, hold.holder))
            _put(connection, held)
        return held

    def standing(self, project: str, holder: str = "") -> tuple[list[Booking], list[Hold]]:
        """What a project has booked this month without labels, and what others hold of it.

        Args:
            project: Whose money it is.
            holder: Who asks; its own hold is left out.

        Raises:
            ServiceError: PF703 to PF706 where the database fails.
        """
        with self.reading() as connection:
            return _standing(connection, project, holder)

    def release(self, holder: str) -> None:
        """Hold nothing any more.

        Raises:
            ServiceError: PF703 to PF706 where the database fails.
        """
        with self.writing() as connection:
            connection.execute(delete(holds).where(holds.c.holder == holder))

    def booked_among(self, booking_ids: Iterable[str]) -> set[str]:
        """Which of some ids of cost lines are in the journal.

        Raises:
            ServiceError: PF703 to PF706 where the database fails.
        """
        with self.reading() as connection:
            return set(self._rows_of(connection, list(booking_ids)))

    def bookings(self, month: str = "") -> list[Booking]:
        """Cost lines in the order in which they were booked.

        Args:
            month: Only those of a month such as ``"2026-11"``; all where it is empty.

        Raises:
            ServiceError: PF703 to PF706 where the database fails.
        """
        wanted = select(costs).order_by(costs.c.id)
        if month:
            wanted = wanted.where(costs.c.time_utc.startswith(month, autoescape=True))
        with self.reading() as connection:
            rows = connection.execute(wanted).mappings().all()
        return [Booking.from_row(row) for row in rows]

    def _rows_of(self, connection: Connection, ids: list[str]) -> dict[str, Any]:
        """The cost lines in the journal of those ids."""
        known: dict[str, Any] = {}
        for start in range(0, len(ids), _BLOCK):
            block = costs.c.booking_id.in_(ids[start : start + _BLOCK])
            rows = connection.execute(select(costs).where(block)).mappings()
            known.update((row["booking_id"], row) for row in rows)
        return known


def _standing(
    connection: Connection, project: str, holder: str
) -> tuple[list[Booking], list[Hold]]:
    now = now_utc()
    booked = select(costs).where(
        costs.c.time_utc.startswith(now[:7], autoescape=True),
        costs.c.project == project,
        costs.c.step != Step.LABELS.value,
    )
    rows = connection.execute(booked).mappings().all()
    of_project = select(holds).where(holds.c.project == project)
    found = map(Hold.from_row, connection.execute(of_project).mappings().all())
    others = [one for one in found if one.holder != holder and not one.is_over(now)]
    return [Booking.from_row(row) for row in rows], others


def _put(connection: Connection, hold: Hold) -> None:
    """Write a holder's hold in place of the one before, and clear away those that are over."""
    now = now_utc()
    rows = connection.execute(select(holds)).mappings().all()
    over = [row["holder"] for row in rows if Hold.from_row(row).is_over(now)]
    connection.execute(delete(holds).where(holds.c.holder.in_([hold.holder, *over])))
    connection.execute(insert(holds), [hold.as_row()])


def _same_line(kept: Any, row: Mapping[str, Any]) -> None:
    """Refuse to book other money under an id that is taken."""
    differing = [key for key in ("amount", "currency", "project", "step") if kept[key] != row[key]]
    if differing:
        key = differing[0]
        raise ServiceError(
            "PF713",
            f"booking '{str(row['booking_id'])[:100]}'",
            f"it is booked with the {key} {kept[key]}, and {row[key]} was to be booked",
            mend="Book a correction under an id of its own.",
        )
