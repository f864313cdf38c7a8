"""An allowance: what a service may still spend on an endpoint, told by whoever keeps its books."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from payoff.artifact.runtime.endpoint_budget import Settle
from payoff.artifact.runtime.token_price import TokenPrice
from payoff.core.errors import MachineError, PayoffError
from payoff.core.money import Money


@dataclass(frozen=True, slots=True)
class Charged:
    """Attempts and what they were charged for.

    Args:
        n_attempts: How many may have been charged.
        n_unmetered: Those of them that nobody counted: what they reserved is taken.
        read: Tokens read.
        written: Tokens written.
    """

    n_attempts: int = 0
    n_unmetered: int = 0
    read: int = 0
    written: int = 0

    def __add__(self, other: Charged) -> Charged:
        return Charged(
            self.n_attempts + other.n_attempts,
            self.n_unmetered + other.n_unmetered,
            self.read + other.read,
            self.written + other.written,
        )

    def __sub__(self, other: Charged) -> Charged:
        return Charged(
            self.n_attempts - other.n_attempts,
            self.n_unmetered - other.n_unmetered,
            self.read - other.read,
            self.written - other.written,
        )


class Allowance:
    """A cap in memory that a running service is given anew whenever its books are written.

    What was charged since then, and what attempts under way may cost, counts against it. Safe to
    use from several threads.

    Args:
        price: Of a token, in the currency of the allowance; None where nobody knows.

    Attributes:
        money: What may be spent; None for no cap.

    Example:
        >>> price = TokenPrice.parse("1000 2000 USD", where="here")
        >>> allowance = Allowance(price)
        >>> allowance.allow(Money.of(1, "USD"))
        >>> with allowance.reserved(300, 100, price) as settle:
        ...     settle(200, 10)
        >>> allowance.take().read, allowance.take().read
        (200, 0)
    """

    def __init__(self, price: TokenPrice | None) -> None:
        self.money: Money | None = None
        self._price = price
        self._since = Charged()
        self._under_way = Charged()
        self._lock = threading.Lock()

    def allow(self, money: Money | None) -> None:
        """Set what may be spent from now on; what was charged and not taken yet counts already.

        Args:
            money: In the currency of the price; None for no cap.
        """
        with self._lock:
            self.money = money

    def take(self) -> Charged:
        """What was charged since this was last called, for the books."""
        with self._lock:
            taken, self._since = self._since, Charged()
            return taken

    def spend(self) -> Charged:
        """What `take` gives, and the allowance is that much smaller: for books written at once.

        Example:
            >>> price = TokenPrice.parse("1000 2000 USD", where="here")
            >>> allowance = Allowance(price)
            >>> allowance.allow(Money.of(1, "USD"))
            >>> with allowance.reserved(300, 100, price) as settle:
            ...     settle(200, 10)
            >>> allowance.spend().read, allowance.money
            (200, Money(0.780 USD))
        """
        with self._lock:
            taken, self._since = self._since, Charged()
            if self.money is not None and self._price is not None:
                self.money = self.money - self._price.cost(taken.read, taken.written)
            return taken

    @contextmanager
    def job(self, n_questions: int, read: int, written: int) -> Iterator[None]:
        """Told of questions before the first of them is sent; here each attempt is looked at alone.

        Args:
            n_questions: How many.
            read: The most tokens that all of them can be charged for as read, each answered at its
                first attempt.
            written: As written.
        """
        yield

    def give_back(self, charged: Charged) -> None:
        """What was taken and could not be booked is to be taken again."""
        with self._lock:
            self._since = self._since + charged

    @contextmanager
    def reserved(self, read: int, written: int, price: TokenPrice | None) -> Iterator[Settle]:
        """Hold back the most that an attempt can cost while it is under way.

        Args:
            read: The most tokens that it can be charged for as read.
            written: As written.
            price: Not looked at: the allowance has its own.

        Yields:
            A function to call with the tokens that it was charged for; all that was held back
            counts where it is not called.

        Raises:
            MachineError: PF820 where it could cost more than is left.
        """
        held = Charged(1, 1, read, written)
        with self._lock:
            self._check(held)
            self._under_way = self._under_way + held
        charged = held

        def settle(read: int, written: int) -> None:
            nonlocal charged
            charged = Charged(1, 0, read, written) if read or written else Charged()

        try:
            yield settle
        finally:
            with self._lock:
                self._under_way = self._under_way - held
                self._since = self._since + charged

    def _check(self, wanted: Charged) -> None:
        if self.money is None:
            return
        counted = self._since + self._under_way + wanted
        cost = None if self._price is None else self._price.cost(counted.read, counted.written)
        if cost is None or cost > self.money:
            left = max(self.money, Money.of(0, self.money.currency)).rounded(4)
            told = "an unknown amount" if cost is None else f"{cost.rounded(4)}"
            raise self._refused(
                f"{left} of the month's budget were left when the books were written last, and "
                f"with the next attempt {told} could be spent since then"
            )

    def _refused(self, found: str) -> PayoffError:
        return MachineError(
            "PF820",
            "endpoint of the service",
            found,
            mend="The model before it answers until there is money again: raise the budget "
            "(payoff serve --budget), or wait for the next month (UTC).",
        )
