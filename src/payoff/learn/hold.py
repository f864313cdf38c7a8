"""A hold: money of a budget that work under way may still spend."""

from __future__ import annotations

import os
import platform
import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from payoff.core.money import Money

_SIGN = "|"


@dataclass(frozen=True, slots=True)
class Hold:
    """What a holder may still spend, so that others leave it alone.

    Args:
        holder: Who holds it, see `new_holder`; has one hold at a time.
        project: Whose money it is.
        what: What it is for.
        amount: How much.
        until_utc: When it ends by itself, should the holder have ended without a word.

    Example:
        >>> hold = Hold("me", "desk", "a training", Money.of(3, "USD"), "2026-11-22T10:00:00Z")
        >>> Hold.from_row(hold.as_row()) == hold
        True
    """

    holder: str
    project: str
    what: str
    amount: Money
    until_utc: str

    def as_row(self) -> dict[str, Any]:
        """The columns of the journal's table."""
        return {
            "holder": self.holder,
            "project": self.project,
            "what": self.what,
            "amount": format(self.amount.amount, "f"),
            "currency": self.amount.currency,
            "until_utc": self.until_utc,
        }

    @classmethod
    def from_row(cls, row: Any) -> Hold:
        """The inverse of `as_row`."""
        amount = Money(Decimal(row["amount"]), row["currency"])
        return cls(row["holder"], row["project"], row["what"], amount, row["until_utc"])

    def is_over(self, now_utc: str) -> bool:
        """Whether it has ended, or its process on this machine is known to have ended."""
        return self.until_utc <= now_utc or _has_ended(self.holder)


def new_holder() -> str:
    """Names a holder for ever: machine, process, and a number of its own.

    Example:
        >>> new_holder() == new_holder()
        False
    """
    return _SIGN.join((platform.node(), str(os.getpid()), uuid.uuid4().hex))


def _has_ended(holder: str) -> bool:
    """Whether the holder's process was on this machine and is there no more."""
    machine, _, rest = holder.partition(_SIGN)
    process = rest.partition(_SIGN)[0]
    if os.name != "posix" or machine != platform.node() or not process.isdecimal():
        return False
    try:
        os.kill(int(process), 0)  # asks only whether it is there
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
