"""Batches: what waits together is decided together, and written down together.

There is no timer. A request that comes alone is decided at once; those that come while it is
computed make up the next batch, so that batches grow with the load and vanish with it. While one
batch is written to the journal, in one transaction, the next one is computed. Requests that want an
endpoint leave their batch and wait for it elsewhere (`payoff.serve.escalations`).
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from payoff.core.errors import PayoffError, ServiceError
from payoff.economics.begun import Begun
from payoff.serve.bodies import DecideRequest
from payoff.serve.endpoints import asked_endpoints
from payoff.serve.escalations import Escalations
from payoff.serve.service import NO_PLACE, Answer, Place, Service
from payoff.serve.traces import AskedTier, Context, Part, Seen

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
        seen: Of its batch, once it waits for an endpoint.
        notes: Of the models that were asked for it alone.
    """

    asked: DecideRequest
    begin: float
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Answer]
    place: Place = NO_PLACE
    span: Context = None
    seen: Seen | None = None
    notes: list[AskedTier] = field(default_factory=list)

    @property
    def left_s(self) -> float | None:
        """Seconds until its time is over; None where it has all the time of the world."""
        within_ms = self.asked.within_ms
        return None if within_ms is None else self.begin + within_ms / 1e3 - time.perf_counter()

    @property
    def is_late(self) -> bool:
        """Whether its time is over."""
        return self.left_s is not None and self.left_s < 0

    def too_late(self) -> ServiceError:
        """PF714."""
        return ServiceError(
            "PF714",
            "service",
            f"the request waited {(time.perf_counter() - self.begin) * 1e3:,.0f} ms",
            expected=f"at most {self.asked.within_ms:,.0f} ms",
        )


_T = TypeVar("_T")
Done = tuple[Waiting, Answer | Exception]
_Begun = tuple[Waiting, Answer | Begun | Exception]
Computed = tuple[list[Done], Seen | None]


class Batches:
    """Requests of one version of a model, in line.

    Args:
        service: Decides and writes down.
        max_waiting: Requests that may wait in line, and as many for an endpoint; more are refused.
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
        at_once = [client.max_parallel for _, client in asked_endpoints(service.desk)]
        self._aside = Escalations(
            self._ask, self._asked, most_at_once=min(at_once, default=0), max_waiting=max_waiting
        )

    @property
    def aside(self) -> int:
        """Those inside that wait for an endpoint."""
        return len(self._aside)

    @property
    def asks_endpoints(self) -> bool:
        """Whether requests may wait for one."""
        return self._aside.most_at_once > 0

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

        A caller that goes away before its turn is taken out of the line, and waits for no endpoint.

        Args:
            asked: The request.
            begin: When it came, by `time.perf_counter`.
            place: In an experiment.

        Raises:
            DataError: PF105 where a text is unusable.
            MachineError: As `payoff.economics.desk.Desk.ask`.
            ServiceError: PF707 where too much waits already; PF714 where its turn came too late, or
                an endpoint has not answered in time; PF703 to PF706 and PF709 where it cannot be
                written down.
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
            self._changed.notify()  # one takes all that waits
        try:
            if self.asks_endpoints and waiting.left_s is not None:
                await asyncio.wait([waiting.future], timeout=max(0.0, waiting.left_s))
                if not waiting.future.done() and self._aside.drop(waiting):
                    raise waiting.too_late()
            return await waiting.future
        finally:
            waiting.future.cancel()
            self._aside.drop(waiting)
            with self._changed:
                self.inside -= 1

    def close(self) -> None:
        """Decide on what waits, then end; more is refused."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads[:-1]:
            thread.join()
        self._aside.close()
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
            begun = _begun(self._service, [one for one in batch if not one.future.done()])
            seen = self._seen(taken, [one for one, _ in begun])
            done = self._not_set_aside(begun, seen)
            # Handing over takes longer than it saves where nobody else is at work.
            if self.inside - self.aside <= len(done):
                self._finish(done, seen)
            elif done:
                self._to_write.put((done, seen))
            if not batch:
                return

    def _not_set_aside(self, begun: Sequence[_Begun], seen: Seen | None) -> list[Done]:
        """Those that are decided; the others wait for an endpoint from here on."""
        done: list[Done] = []
        for waiting, found in begun:
            if not isinstance(found, Begun):
                done.append((waiting, found))
                continue
            waiting.seen = seen
            try:
                self._aside.add(waiting, found)
            except ServiceError as error:
                done.append((waiting, error))
            # Who left or became late before it was in there could not take it out.
            if waiting.future.done():
                self._aside.drop(waiting)
            elif waiting.is_late and self._aside.drop(waiting):
                done.append((waiting, waiting.too_late()))
        return done

    def _ask(self, waiting: Waiting, begun: Begun) -> Begun:
        """Ask an endpoint about one text of a request."""
        try:
            return self._service.desk.ask(begun)
        finally:
            if self._traces is not None:
                waiting.notes += self._traces.take_notes()

    def _asked(self, waiting: Waiting, found: Begun | Exception) -> None:
        """Have a request written down and answered once all of its texts are."""
        seen = waiting.seen
        if seen is not None:
            seen = replace(seen, answered=time.perf_counter(), asked=waiting.notes)
        self._to_write.put(([(waiting, _finished(self._service, waiting, found))], seen))

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

    def _seen(self, taken: float, batch: Sequence[Waiting]) -> Seen | None:
        """What is known of a batch that this thread has computed just now."""
        if self._traces is None:
            return None
        asked, now = self._traces.take_notes(), time.perf_counter()
        n_texts = sum(len(one.asked.first_texts) for one in batch)
        version = self._service.sha256[:12]
        return Seen(self._service.name, version, len(batch), n_texts, taken, now, asked)


def _begun(service: Service, batch: Sequence[Waiting]) -> list[_Begun]:
    """What is known of a batch without endpoints; one that fails does not take others with it."""
    late = {one for one in batch if one.is_late}
    timely = [one for one in batch if one not in late]

    def begin(ones: Sequence[Waiting]) -> list[Answer | Begun]:
        found = service.begin_all([(one.asked, one.begin) for one in ones])
        return [
            replace(a, place=one.place) if isinstance(a, Answer) else a
            for a, one in zip(found, ones, strict=True)
        ]

    refused = [(one, one.too_late()) for one in late]
    return [*refused, *zip(timely, _together(timely, begin), strict=True)]


def _finished(service: Service, waiting: Waiting, found: Begun | Exception) -> Answer | Exception:
    """The answer to a request of which all is known."""
    if isinstance(found, Exception):
        return found

    def finish(ones: Sequence[Waiting]) -> list[Answer]:
        done = [service.finish(one.asked, one.begin, found) for one in ones]
        return [replace(a, place=one.place) for a, one in zip(done, ones, strict=True)]

    return _together([waiting], finish)[0]


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
    ones: Sequence[object], work: Callable[..., Sequence[_T]]
) -> Sequence[_T | Exception]:
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
