"""So many requests and tokens a minute, however many threads ask."""

from __future__ import annotations

import functools
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from payoff.core.errors import MachineError

_STEP_S = 0.25  # between two looks whether to stop waiting


@dataclass
class Turn:
    """One request's place within the last minute.

    Args:
        at: When it was taken.
        tokens: What it may use; what it did use once that is known.
    """

    at: float
    tokens: int


@dataclass
class RateLimit:
    """A limit over any minute, not over minutes of the clock; safe to use from several threads.

    A request takes its turn before it is sent and is counted with all the tokens that it may use,
    until it tells what it did use. One that may use more than a whole minute's tokens waits for a
    minute of its own.

    Args:
        requests: Requests in any minute; 0 for no limit.
        tokens: Tokens in any minute, read and written; 0 for no limit.
        window_s: Length of a minute.
        clock: Seconds that only rise.

    Raises:
        MachineError: PF817 where a limit is below 0.

    Example:
        >>> limit = RateLimit(requests=2)
        >>> [type(limit.take(10)).__name__ for _ in range(3)]
        ['Turn', 'Turn', 'float']
    """

    requests: int = 0
    tokens: int = 0
    window_s: float = field(default=60.0, kw_only=True)
    clock: Callable[[], float] = field(default=time.monotonic, kw_only=True)
    _turns: deque[Turn] = field(default_factory=deque, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __post_init__(self) -> None:
        if self.requests < 0 or self.tokens < 0:
            found = f"{self.requests} requests and {self.tokens} tokens a minute"
            raise MachineError("PF817", "rate limit", found, expected="0 or more")

    def take(self, tokens: int) -> Turn | float:
        """A turn now, or the seconds after which to ask again."""
        with self._lock:
            now = self.clock()
            while self._turns and self._turns[0].at <= now - self.window_s:
                self._turns.popleft()
            wait = self._wait(tokens, now)
            if wait > 0:
                return wait
            turn = Turn(now, tokens)
            self._turns.append(turn)
            return turn

    def turn(self, tokens: int, stop: threading.Event) -> Turn | None:
        """Wait for a turn; None where ``stop`` was set before there was one."""
        while not stop.is_set():
            got = self.take(tokens)
            if isinstance(got, Turn):
                return got
            stop.wait(min(got, _STEP_S))
        return None

    def settle(self, turn: Turn, tokens: int) -> None:
        """Count a request with the tokens that it used."""
        with self._lock:
            turn.tokens = tokens

    def _wait(self, tokens: int, now: float) -> float:
        """Until enough of those before have left the window."""
        leaving = 0
        if self.requests and len(self._turns) >= self.requests:
            leaving = len(self._turns) - self.requests + 1
        if self.tokens:
            used = sum(turn.tokens for turn in self._turns)
            gone = 0
            for place, turn in enumerate(self._turns, 1):
                if used - gone + tokens <= self.tokens:
                    break
                gone += turn.tokens
                leaving = max(leaving, place)
        return self._turns[leaving - 1].at + self.window_s - now if leaving else 0.0


@functools.cache
def shared_rate_limit(base_url: str, requests: int, tokens: int) -> RateLimit:
    """The one limit of this process for an endpoint, whoever asks it.

    Example:
        >>> shared_rate_limit("https://one/v1", 60, 0) is shared_rate_limit("https://one/v1", 60, 0)
        True
    """
    return RateLimit(requests, tokens)
