"""A booking of the journal: one cost line that was really incurred."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from payoff.core.money import Money
from payoff.economics.costs import CostLine, Step
from payoff.learn.entry import now_utc


@dataclass(frozen=True, slots=True)
class Booking:
    """A cost line with what tells it apart and when it was incurred.

    Args:
        booking_id: Names the booking for ever; the same id is booked once.
        project: Whose money it is.
        line: What was used, and its dated price.
        cpu_s: Processor time measured with it, of all cores together; None where none was.
        time_utc: When, as ISO 8601 with microseconds; now where it is empty.

    Example:
        >>> line = CostLine(Step.LABELS, "label", 1, "label", Money.of("0.08", "USD"), as_of=None,
        ...                 source="payoff.toml [labels]", measured=True)
        >>> booking = Booking("label-1", "support", line, time_utc="2026-11-22T10:00:00.000000Z")
        >>> booking.month, Booking.from_row(booking.as_row()) == booking
        ('2026-11', True)
    """

    booking_id: str
    project: str
    line: CostLine
    cpu_s: float | None = field(default=None, kw_only=True)
    time_utc: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        if not self.time_utc:
            object.__setattr__(self, "time_utc", now_utc())

    @property
    def month(self) -> str:
        """Year and month, in UTC."""
        return self.time_utc[:7]

    def as_row(self) -> dict[str, Any]:
        """The columns of the journal's table: money and quantities as exact decimal text."""
        line = self.line
        return {
            "booking_id": self.booking_id,
            "time_utc": self.time_utc,
            "project": self.project,
            "step": line.step.value,
            "what": line.what,
            "quantity": str(line.quantity),
            "unit": line.unit,
            "unit_price": format(line.unit_price.amount, "f"),
            "amount": format(line.amount.amount, "f"),
            "currency": line.unit_price.currency,
            "as_of": None if line.as_of is None else line.as_of.isoformat(),
            "source": line.source,
            "measured": int(line.measured),
            "note": line.note,
            "cpu_s": self.cpu_s,
        }

    @classmethod
    def from_row(cls, row: Any) -> Booking:
        """The inverse of `as_row`."""
        line = CostLine(
            Step(row["step"]),
            row["what"],
            float(row["quantity"]),
            row["unit"],
            Money(Decimal(row["unit_price"]), row["currency"]),
            as_of=None if row["as_of"] is None else date.fromisoformat(row["as_of"]),
            source=row["source"],
            measured=bool(row["measured"]),
            note=row["note"],
        )
        return cls(
            row["booking_id"], row["project"], line, cpu_s=row["cpu_s"], time_utc=row["time_utc"]
        )
