"""Escalations: requests that wait for an endpoint, outside the line."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from payoff.core.errors import ServiceError
from payoff.economics.begun import Begun

_K = TypeVar("_K", bound=Hashable)


@dataclass(eq=False, slots=True)
class _Open(Generic[_K]):
    """A request of which some texts are asked about yet.

    Args:
        key: Names the request.
        parts: Its texts, each by itself.
        to_ask: Places of the texts that nobody asks about yet; the same text is asked once.
        n_open: Questions that are not answered yet.
    """

    key: _K
    parts: list[Begun]
    to_ask: list[list[int]]
    n_open: int


class Escalations(Generic[_K]):
    """Asks about the open texts of requests, several at once, and tells of each that is answered.

    Requests take turns, one text at a time, so that one of many texts keeps nobody waiting. What is
    asked and how many tries it has is the business of whoever is asked: caps, rates and circuit
    breakers hold there.

    Args:
        ask: Answers one text of a request, in some thread.
        tell: Told of a request that is answered, or why it cannot be, in the thread that knew last.
        most_at_once: Texts that are asked about at a time.
        max_waiting: Requests that may be in here; more are refused.

    Example:
        >>> import dataclasses, queue
        >>> told = queue.Queue()
        >>> def ask(name, begun):
        ...     return dataclasses.replace(begun, wanted=begun.wanted - 1)  # the first one answered
        >>> asking = Escalations(ask, lambda name, found: told.put((name, found.texts)),
        ...                      most_at_once=2, max_waiting=9)
        >>> asking.add("order-7", Begun.of_texts(["one", "two"], None, n_labels=2))
        >>> asking.close()
        >>> told.get()
        ('order-7', ['one', 'two'])
    """

    def __init__(
        self,
        ask: Callable[[_K, Begun], Begun],
        tell: Callable[[_K, Begun | Exception], object],
        *,
        most_at_once: int,
        max_waiting: int,
    ) -> None:
        self.most_at_once = most_at_once
        self.max_waiting = max_waiting
        self._ask = ask
        self._tell = tell
        self._inside: dict[_K, _Open[_K]] = {}
        self._line: dict[_K, _Open[_K]] = {}  # those of the same with texts that nobody asks about
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._closed = False

    def __len__(self) -> int:
        """Requests in here."""
        return len(self._inside)

    def add(self, key: _K, begun: Begun) -> None:
        """Take in a request of which some texts are open.

        Raises:
            ServiceError: PF707 where too many are in here already.
        """
        alike: dict[tuple[str, str], list[int]] = {}
        for place in (row for row, is_open in enumerate(begun.is_open) if is_open):
            segment = "" if begun.segments is None else str(begun.segments[place])
            alike.setdefault((begun.texts[place], segment), []).append(place)
        parts = [begun.rows([place]) for place in range(len(begun.texts))]
        with self._changed:
            if len(self._inside) >= self.max_waiting:
                raise ServiceError(
                    "PF707",
                    "service",
                    f"{len(self._inside)} requests are waiting for an endpoint",
                    expected=f"at most {self.max_waiting}",
                    mend="Try again after the seconds in Retry-After.",
                )
            self._inside[key] = _Open(key, parts, list(alike.values())[::-1], len(alike))
            self._line[key] = self._inside[key]
            if not self._threads:
                self._begin()
            self._changed.notify_all()

    def drop(self, key: _K) -> bool:
        """Forget a request that nobody waits for, and whether it was in here.

        What is being asked goes on and is thrown away: it may be charged already.
        """
        with self._changed:
            self._line.pop(key, None)
            return self._inside.pop(key, None) is not None

    def close(self) -> None:
        """Ask about all that is in here, then end."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _begin(self) -> None:
        for _ in range(self.most_at_once):
            thread = threading.Thread(target=self._work, name="payoff-escalations", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _work(self) -> None:
        while (taken := self._take()) is not None:
            one, places = taken
            found: Begun | Exception
            try:
                found = self._ask(one.key, one.parts[places[0]])
            except Exception as error:  # whoever waits is told, and the thread goes on
                found = error
            self._put(one, places, found)

    def _take(self) -> tuple[_Open[_K], list[int]] | None:
        """The next text, and its request; None once all is asked and nothing more may come."""
        with self._changed:
            self._changed.wait_for(lambda: self._line or self._closed)
            if not self._line:
                return None
            one = self._line.pop(next(iter(self._line)))
            places = one.to_ask.pop()
            if one.to_ask:
                self._line[one.key] = one
            return one, places

    def _put(self, one: _Open[_K], places: list[int], found: Begun | Exception) -> None:
        """Note what was found, and tell of the request where nothing of it is open any more."""
        with self._changed:
            if isinstance(found, Begun):
                for place in places:
                    one.parts[place] = found
                one.n_open -= 1
                if one.n_open:
                    return
                found = Begun.joined(one.parts)
            if not self.drop(one.key):
                return
        self._tell(one.key, found)
