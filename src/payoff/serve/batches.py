"""Batches: what waits together is decided together, and written down together.

There is no timer. A request that comes alone is decided at once; those that come while it is
computed make up the next batch, so that batches grow with the load and vanish with it. While one
batch is written to the journal, in one transaction, the next one is computed.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from payoff.core.errors import PayoffError, ServiceError
from payoff.serve.bodies import DecideRequest
from payoff.serve.service import NO_PLACE, Answer, Place, Service
from payoff.serve.traces import Context, Part, Seen

if TYPE_CHECKING:
    from payoff.serve.traces import Traces

_MOST_TO_WRITE = 2  # batches that are computed and not written yet
_END = None


@dataclass(eq=False, slots=True)
class Waiting:
    """A request in line.

    Args:
        asked: What it asks.
        begin: When it came, by `time.perf_counter`.
        loop: Where its caller waits.
        future: For what.
        place: In an experiment.
        span: Of the request, where it is traced.
    """

    asked: DecideRequest
    begin: float
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Answer]
    place: Place = NO_PLACE
    span: Context = None

    def late(self) -> ServiceError | None:
        """PF714 where its time is over."""
        within_ms = self.asked.within_ms
        waited_ms = (time.perf_counter() - self.begin) * 1e3
        if within_ms is None or waited_ms <= within_ms:
            return None
        return ServiceError(
            "PF714",
            "service",
            f"the request waited {waited_ms:,.0f} ms",
            expected=f"at most {within_ms:,.0f} ms",
        )


Done = tuple[Waiting, Answer | Exception]
Computed = tuple[list[Done], Seen | None]


class Batches:
    """Requests of one version of a model, in line.

    Args:
        service: Decides and writes down.
        max_waiting: Requests that may wait; more are refused.
        max_texts: Texts that are decided together; a request of more is decided by itself. More
            would be a little faster together, and each would wait much longer.
        workers: Batches that are computed at a time.
        traces: Told what was done for each request; None where nobody collects traces.

    Example:
        >>> answer = await Batches(service).decide(asked, begin)  # doctest: +SKIP
    """

    def __init__(
        self,
        service: Service,
        *,
        max_waiting: int = 256,
        max_texts: int = 16,
        workers: int = 1,
        traces: Traces | None = None,
    ) -> None:
        self.max_waiting = max_waiting
        self.max_texts = max_texts
        self.workers = workers
        self._traces = traces
        self._service = service
        self._line: deque[Waiting] = deque()
        self._changed = threading.Condition()
        self._to_write: queue.Queue[Computed | None] = queue.Queue(_MOST_TO_WRITE)
        self._threads: list[threading.Thread] = []
        self._closed = False
        self.inside = 0
        """Requests that wait, are decided or are written down."""

    @property
    def name(self) -> str:
        """What people call the model."""
        return self._service.name

    @property
    def service(self) -> Service:
        """What decides."""
        return self._service

    async def decide(self, asked: DecideRequest, begin: float, place: Place = NO_PLACE) -> Answer:
        """The answer, once it is written down.

        A caller that goes away before its turn is taken out of the line.

        Args:
            asked: The request.
            begin: When it came, by `time.perf_counter`.
            place: In an experiment.

        Raises:
            DataError: PF105 where a text is unusable.
            ServiceError: PF707 where too much waits already; PF714 where its turn came too late;
                PF703 to PF706 and PF709 where it cannot be written down.
        """
        loop = asyncio.get_running_loop()
        span = None if self._traces is None else self._traces.here()
        waiting = Waiting(asked, begin, loop, loop.create_future(), place, span)
        with self._changed:
            if self._closed or len(self._line) >= self.max_waiting:
                raise self._overloaded()
            if not self._threads:
                self._begin()
            self._line.append(waiting)
            self.inside += 1
            self._changed.notify_all()
        try:
            return await waiting.future
        finally:
            with self._changed:
                self.inside -= 1

    def close(self) -> None:
        """Decide on what waits, then end; more is refused."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads[:-1]:
            thread.join()
        for writing in self._threads[-1:]:
            self._to_write.put(_END)
            writing.join()

    def _overloaded(self) -> ServiceError:
        found = "it is ending" if self._closed else f"{len(self._line)} requests are waiting"
        return ServiceError(
            "PF707",
            "service",
            found,
            expected=f"at most {self.max_waiting}",
            mend="Try again after the seconds in Retry-After.",
        )

    def _begin(self) -> None:
        for work in (*[self._compute] * self.workers, self._write):
            thread = threading.Thread(target=work, name=f"payoff-{work.__name__}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _take(self) -> list[Waiting]:
        """The next batch; empty once all is done and nothing more may come."""
        with self._changed:
            self._changed.wait_for(lambda: self._line or self._closed)
            batch: list[Waiting] = []
            n_texts = 0
            while self._line:
                n_texts += len(self._line[0].asked.all_texts)
                if batch and n_texts > self.max_texts:
                    break
                batch.append(self._line.popleft())
            return batch

    def _compute(self) -> None:
        while True:
            batch = self._take()
            taken = time.perf_counter()
            done = _decided(self._service, [one for one in batch if not one.future.done()])
            computed = done, self._seen(taken)
            # Handing over takes longer than it saves where nobody else is inside.
            if self.inside <= len(batch):
                self._finish(*computed)
            else:
                self._to_write.put(computed)
            if not batch:
                return

    def _write(self) -> None:
        while (computed := self._to_write.get()) is not _END:
            self._finish(*computed)

    def _finish(self, done: Sequence[Done], seen: Seen | None) -> None:
        writing = time.perf_counter()
        _deliver(_written(self._service, done))
        if self._traces is not None and seen is not None:
            kept = 0.0 if self._service.journal is None else time.perf_counter()
            parts = [Part(one.span, one.begin, len(one.asked.first_texts)) for one, _ in done]
            self._traces.batch(parts, replace(seen, writing=writing, written=kept))

    def _seen(self, taken: float) -> Seen | None:
        """What is known of a batch that this thread has computed just now."""
        if self._traces is None:
            return None
        asked, now = self._traces.take_notes(), time.perf_counter()
        return Seen(self._service.name, self._service.sha256[:12], taken, now, asked)


def _decided(service: Service, batch: Sequence[Waiting]) -> list[Done]:
    """Answers of a batch; one that fails does not take the others with it."""
    late = [one.late() for one in batch]
    timely = [one for one, error in zip(batch, late, strict=True) if error is None]
    done: list[Done] = [(w, e) for w, e in zip(batch, late, strict=True) if e is not None]

    def answer(ones: Sequence[Waiting]) -> list[Answer]:
        found = service.answer_all([(one.asked, one.begin) for one in ones])
        return [replace(a, place=one.place) for a, one in zip(found, ones, strict=True)]

    return [*done, *zip(timely, _together(timely, answer), strict=True)]


def _written(service: Service, done: Sequence[Done]) -> list[Done]:
    """The same once it is in the journal; what could not be written has failed."""
    good = [(w, answer) for w, answer in done if not isinstance(answer, Exception)]
    bad: list[Done] = [(w, answer) for w, answer in done if isinstance(answer, Exception)]

    def write(ones: Sequence[tuple[Waiting, Answer]]) -> list[Answer]:
        service.write_down([answer for _, answer in ones])
        return [answer for _, answer in ones]

    answers = _together(good, write)
    return [*bad, *((w, a) for (w, _), a in zip(good, answers, strict=True))]


def _together(
    ones: Sequence[object], work: Callable[..., list[Answer]]
) -> Sequence[Answer | Exception]:
    """Work on all at once; where that fails, on each by itself."""
    if not ones:
        return []
    try:
        return work(ones)
    except PayoffError as error:
        if len(ones) == 1:
            return [error]
    except Exception as error:  # whoever waits is told, and the thread goes on
        return [error] * len(ones)
    return [_together([one], work)[0] for one in ones]


def _deliver(done: Sequence[Done]) -> None:
    """Tell all who wait, each loop once."""
    loops: dict[asyncio.AbstractEventLoop, list[Done]] = {}
    for one in done:
        loops.setdefault(one[0].loop, []).append(one)
    for loop, mine in loops.items():
        try:
            loop.call_soon_threadsafe(_tell, mine)
        except RuntimeError:  # the loop has ended, and with it whoever waited
            continue


def _tell(done: Sequence[Done]) -> None:
    for waiting, answer in done:
        if waiting.future.done():
            continue
        if isinstance(answer, Exception):
            waiting.future.set_exception(answer)
        else:
            waiting.future.set_result(answer)
