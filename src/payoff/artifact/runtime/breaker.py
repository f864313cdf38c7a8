"""A circuit breaker: an endpoint that fails is left alone, so that nobody waits for it."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from payoff.core.errors import MachineError

State = Literal["closed", "half-open", "open"]
"""Closed: all is asked. Open: nothing is. Half-open: one attempt is under way and the rest wait."""

_LOG = logging.getLogger("payoff.endpoint")


class Breaker:
    """Opens where attempts fail, tries one after a pause, and closes where that succeeds.

    The pattern is of M. Nygard, Release It! (2007), chapter 5. It opens after so many failures in
    a row, or where so large a share of the last attempts failed. While it is open nothing is sent.
    After the pause one attempt is let through; if it fails the next pause is twice as long, up to
    the longest. A circuit that opens again soon after it closed goes on with the longer pause.

    It lives in memory: each process has its own, learns by itself that an endpoint fails, and
    tries by itself whether it works again. Safe to use from several threads.

    Args:
        name: Of what is asked, for the log.
        in_a_row: Failures in a row that open it.
        share: Share of failures that opens it, of the last ``window`` attempts.
        window: So many.
        first_pause_s: How long it stays open at first.
        longest_pause_s: How long at most.
        clock: Seconds that only grow.

    Attributes:
        n_opened: How often it opened, a trial that failed not counted.

    Example:
        >>> now = [0.0]
        >>> breaker = Breaker("large", in_a_row=2, clock=lambda: now[0])
        >>> breaker.tell(False, "no answer"), breaker.tell(False, "no answer"), breaker.state
        (None, None, 'open')
        >>> now[0] = 5.0
        >>> with breaker.passage():
        ...     breaker.tell(True)
        >>> breaker.state
        'closed'
    """

    def __init__(
        self,
        name: str,
        *,
        in_a_row: int = 5,
        share: float = 0.5,
        window: int = 20,
        first_pause_s: float = 5.0,
        longest_pause_s: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.n_opened = 0
        self._in_a_row = in_a_row
        self._share = share
        self._first_pause_s = first_pause_s
        self._longest_pause_s = longest_pause_s
        self._clock = clock
        self._last: deque[bool] = deque(maxlen=window)
        self._failed_in_a_row = 0
        self._pause_s = first_pause_s
        self._open_until: float | None = None
        self._closed_at: float | None = None
        self._trier: int | None = None
        self._why = ""
        self._lock = threading.Lock()

    @property
    def state(self) -> State:
        """Whether it lets attempts through."""
        if self._open_until is None:
            return "closed"
        return "open" if self._trier is None else "half-open"

    @contextmanager
    def passage(self) -> Iterator[None]:
        """Let a caller through; where it is half-open, its thread alone and for one attempt.

        A trial that ends without a word, since a budget was spent or the caller gave up, leaves
        the circuit open, and the next caller may try.

        Raises:
            MachineError: PF821 where it is open.
        """
        me = threading.get_ident()
        with self._lock:
            if self._open_until is not None:
                if self._trier is not None or self._clock() < self._open_until:
                    raise self._refused()
                self._trier = me
        try:
            yield
        finally:
            with self._lock:
                if self._trier == me:
                    self._trier = None

    def check(self) -> None:
        """Whether this thread may send an attempt now: of those inside when it opens, none may.

        Raises:
            MachineError: PF821 where it is open, or another thread's attempt is the trial.
        """
        with self._lock:
            if self._open_until is not None and self._trier != threading.get_ident():
                raise self._refused()

    def tell(self, succeeded: bool, why: str = "", *, wait_s: float | None = None) -> None:
        """How an attempt of this thread ended.

        While it is open, only the trial is listened to: others began before it opened.

        Args:
            succeeded: Whether it was answered.
            why: It was not.
            wait_s: How long the endpoint asks to be left alone.
        """
        with self._lock:
            if self._open_until is not None:
                if self._trier == threading.get_ident():
                    self._judge(succeeded, why, wait_s)
                return
            self._last.append(succeeded)
            self._failed_in_a_row = 0 if succeeded else self._failed_in_a_row + 1
            if not succeeded and self._fails:
                self._open(why, wait_s)

    @property
    def _fails(self) -> bool:
        n_failed = self._last.count(False)
        many = len(self._last) == self._last.maxlen and n_failed >= self._share * len(self._last)
        return many or self._failed_in_a_row >= self._in_a_row

    def _open(self, why: str, wait_s: float | None) -> None:
        now = self._clock()
        soon = self._closed_at is not None and now - self._closed_at < self._pause_s
        self._pause_s = self._longer() if soon else self._first_pause_s
        n, in_a_row = self._last.count(False), self._failed_in_a_row
        self.n_opened += 1
        pause_s = self._leave_alone(why, wait_s)
        told = "%s is left alone for %.3g s: %d of the last %d attempts failed, %d in a row (%s)"
        _LOG.warning(told, self.name, pause_s, n, len(self._last), in_a_row, why)

    def _judge(self, succeeded: bool, why: str, wait_s: float | None) -> None:
        self._trier = None
        if succeeded:
            self._open_until, self._closed_at = None, self._clock()
            self._failed_in_a_row = 0
            self._last.clear()
            _LOG.warning("%s is asked again: a trial was answered", self.name)
        else:
            self._pause_s = self._longer()
            self._leave_alone(why, wait_s)

    def _leave_alone(self, why: str, wait_s: float | None) -> float:
        pause_s = min(max(self._pause_s, wait_s or 0.0), self._longest_pause_s)
        self._open_until, self._why = self._clock() + pause_s, why
        return pause_s

    def _longer(self) -> float:
        return min(2 * self._pause_s, self._longest_pause_s)

    def _refused(self) -> MachineError:
        assert self._open_until is not None
        left_s = max(0.0, self._open_until - self._clock())
        when = f"in {left_s:.3g} s" if self._trier is None else "just now"
        return MachineError(
            "PF821",
            self.name,
            f"it failed, and is tried again {when} (at last: {self._why})"[:300],
            expected="an endpoint that answers",
        )
