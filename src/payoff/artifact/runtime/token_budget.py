"""A cap on tokens that holds before it is passed, also with many requests under way."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from payoff.core.errors import MachineError


class TokenBudget:
    """Tokens that a run may use.

    A request reserves the most that it can use. Where that does not fit beside what others have
    reserved, it waits until they have told what they really used.

    Args:
        most: The cap; 0 for none.
        used: Tokens used before.

    Example:
        >>> budget = TokenBudget(100, used=90)
        >>> with budget.reserved(10) as settle:
        ...     settle(4)
        >>> budget.used
        94
        >>> with budget.reserved(10) as settle:
        ...     pass
        Traceback (most recent call last):
        ...
        payoff.core.errors.MachineError: PF815 endpoint: 94 of 100 tokens are used and the next\
 request may use 10 (expected no more than max_tokens_total). What was answered is kept: run the\
 same command again with a larger max_tokens_total.
    """

    def __init__(self, most: int = 0, *, used: int = 0) -> None:
        self.most = most
        self.used = used
        self._reserved = 0
        self._changed = threading.Condition()

    @contextmanager
    def reserved(self, tokens: int) -> Iterator[Callable[[int], None]]:
        """Hold back ``tokens`` while a request is under way.

        Yields:
            A function to call with what the request used; nothing is counted where it is not
            called.

        Raises:
            MachineError: PF815 where the cap could be passed.
        """
        with self._changed:
            while self.most and self.used + self._reserved + tokens > self.most:
                if self._reserved == 0 or self.used + tokens > self.most:
                    raise self._exhausted(tokens)
                self._changed.wait()
            self._reserved += tokens
        try:
            yield self._settle
        finally:
            with self._changed:
                self._reserved -= tokens
                self._changed.notify_all()

    def _settle(self, tokens: int) -> None:
        with self._changed:
            self.used += tokens

    def _exhausted(self, tokens: int) -> MachineError:
        return MachineError(
            "PF815",
            "endpoint",
            f"{self.used:,} of {self.most:,} tokens are used and the next request may use "
            f"{tokens:,}",
            expected="no more than max_tokens_total",
            mend="What was answered is kept: run the same command again with a larger "
            "max_tokens_total.",
        )
