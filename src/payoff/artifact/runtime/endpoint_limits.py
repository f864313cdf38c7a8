"""What the environment says of asking endpoints: a cap in money, prices, a rate."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from payoff.artifact.runtime.endpoint_budget import EndpointBudget
from payoff.artifact.runtime.rate_limit import RateLimit, shared_rate_limit
from payoff.artifact.runtime.token_price import TokenPrice
from payoff.core.errors import EconomicsError, MachineError
from payoff.core.money import Money

CAP, BOOK, PRICE = "PAYOFF_ENDPOINT_CAP", "PAYOFF_ENDPOINT_BOOK", "PAYOFF_ENDPOINT_PRICE"
"""Environment variables: the cap, the file that holds it, and what a million tokens cost."""
REQUESTS, TOKENS = "PAYOFF_ENDPOINT_REQUESTS_A_MINUTE", "PAYOFF_ENDPOINT_TOKENS_A_MINUTE"
"""Environment variables of the rate."""

_CAP_FORM = "an amount such as '20 USD' or '20 USD a month'"
_MONTHLY = ["a", "month"]
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class EndpointLimits:
    """How much may be spent on endpoints, and how fast.

    Args:
        cap: The most that all who share the book may spend; None for no cap.
        monthly: Whether the cap is for each calendar month (UTC).
        book: The file that holds the cap.
        price: What a token costs; None where that is not stated.
        requests_a_minute: 0 for no limit.
        tokens_a_minute: 0 for no limit.

    Example:
        >>> limits = EndpointLimits.of({"PAYOFF_ENDPOINT_CAP": "20 USD a month"})
        >>> limits.cap, limits.monthly, limits.price
        (Money(20 USD), True, None)
    """

    cap: Money | None = None
    monthly: bool = False
    book: Path | None = None
    price: TokenPrice | None = None
    requests_a_minute: int = 0
    tokens_a_minute: int = 0

    @classmethod
    def of(cls, variables: Mapping[str, str] | None = None) -> EndpointLimits:
        """Read the variables of the environment, or those given.

        Raises:
            MachineError: PF817 where one of them cannot be read.
        """
        found = os.environ if variables is None else variables
        said = {name: found.get(name, "").strip() for name in (CAP, BOOK, PRICE, REQUESTS, TOKENS)}
        cap, monthly = _cap(said[CAP]) if said[CAP] else (None, False)
        return cls(
            cap,
            monthly,
            Path(said[BOOK]).expanduser() if said[BOOK] else None,
            TokenPrice.parse(said[PRICE], where=PRICE) if said[PRICE] else None,
            _count(REQUESTS, said[REQUESTS]),
            _count(TOKENS, said[TOKENS]),
        )

    def budgets(self) -> tuple[EndpointBudget, ...]:
        """The budget that holds the cap; none where there is no cap.

        Raises:
            MachineError: PF817, PF801, PF802; see `EndpointBudget`.
        """
        if self.cap is None:
            return ()
        return (EndpointBudget(self.book or usual_book(), money=self.cap, monthly=self.monthly),)

    def rate(self, base_url: str, *, requests: int = 0, tokens: int = 0) -> RateLimit:
        """The limit of this process for an endpoint.

        Args:
            base_url: The endpoint.
            requests: A minute; what the environment says where 0.
            tokens: Likewise.
        """
        most = requests or self.requests_a_minute, tokens or self.tokens_a_minute
        return shared_rate_limit(base_url.rstrip("/"), *most)


def usual_book() -> Path:
    """Where the book lies unless PAYOFF_ENDPOINT_BOOK names a place: with the user's own state.

    Example:
        >>> usual_book().name
        'endpoint-book.db'
    """
    if local := os.environ.get("LOCALAPPDATA"):
        return Path(local) / "payoff" / "endpoint-book.db"
    root = os.environ.get("XDG_STATE_HOME")
    state = Path(root) if root else Path.home() / ".local" / "state"
    return state / "payoff" / "endpoint-book.db"


def _cap(text: str) -> tuple[Money, bool]:
    def read() -> tuple[Money, bool]:
        amount, currency, *rest = text.split()
        if rest not in ([], _MONTHLY):
            raise ValueError(rest)
        cap = Money.of(amount, currency)
        if cap.amount < 0:
            raise ValueError(amount)
        return cap, bool(rest)

    return _read(CAP, text, read, _CAP_FORM)


def _count(name: str, text: str) -> int:
    def read() -> int:
        count = int(text or "0")
        if count < 0:
            raise ValueError(text)
        return count

    return _read(name, text, read, "a whole number from 0 on")


def _read(name: str, text: str, read: Callable[[], _T], expected: str) -> _T:
    try:
        return read()
    except (ValueError, ArithmeticError, EconomicsError) as error:
        found = f"'{text[:60]}' cannot be read"
        raise MachineError("PF817", name, found, expected=expected) from error
