"""Running the service until it is told to stop."""

from __future__ import annotations

import errno
import gc
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from payoff.artifact.runtime.threads import physical_cores
from payoff.core.errors import MachineError, ServiceError
from payoff.core.progress import Progress, Silent
from payoff.serve.endpoints import keep_answering

if TYPE_CHECKING:
    import uvicorn

    from payoff.economics.desk import Desk
    from payoff.learn.journal import Journal
    from payoff.learn.serving_hours import ServingHours
    from payoff.serve.service import Texts

_BACKLOG = 2048
_GRACE_S = 30
_LAST_PORT = 65_535


def run(
    path: str | Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    journal: str | Path | None = None,
    threads: int = 0,
    progress: Progress | None = None,
    more: Sequence[tuple[str | Path, str | Path | None]] = (),
    budget_per_month: float | None = None,
    texts: Texts = "none",
    per_second: float | None = None,
    open_to_all: bool = False,
    dashboard: bool = False,
    audit_share: float | None = None,
) -> None:
    """Serve artifacts until SIGTERM or Ctrl-C; requests under way are finished first.

    SIGHUP has the artifacts read again from their files (`payoff.serve.releases`).

    Args:
        path: The artifact that decides where a request names none.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one, which ``progress`` is told.
        journal: Where to write decisions: a file for SQLite or a database URL; None keeps none.
        threads: Threads that a batch may use; 0 takes one. As many batches are computed at a time
            as have room on the physical cores.
        texts: What the journals keep of the texts: ``"none"``, ``"redacted"`` or ``"whole"``.
        per_second: Requests a second that each key may send; None for as many as it likes.
        open_to_all: Listen beyond this machine although there are no keys.
        dashboard: Serve pages for people below ``/dashboard``.
        audit_share: Share of the review queue that is drawn by chance; None takes what the project
            of each artifact states.
        progress: Told when the service answers.
        more: Further artifacts, each with its journal. One with the name of an earlier one is a
            further version of it, for experiments in the first one's journal. Those that share a
            journal share its request ids: one that was used for a text is taken, whichever model
            decided on it.
        budget_per_month: The month's budget of the first artifact's project, in place of the one
            that it states; see `payoff.learn.serving_hours`.

    Raises:
        EconomicsError: PF630 where the month's budget is spent already; PF629 where it cannot be
            held.
        MachineError: PF805 where the port is in use, known before the model is loaded.
        ArtifactError: PF501 to PF504 where the artifact cannot be used.
        ServiceError: PF703 to PF706 where a journal cannot be used; PF712 where an artifact is
            named twice; PF721 where others could reach it and it has no keys.
        MachineError: PF803 where the environment (``OTEL_…``) wants traces that cannot be sent.
    """
    from payoff.serve.traces import Traces

    traces = Traces.of_environment()
    with ExitStack() as open_things:
        on_hangup: list[Callable[[], object]] = []
        open_things.enter_context(_hangups_heard(on_hangup))
        listener = open_things.enter_context(listen(host, port))
        threads = threads or 1
        ((desk, book), *others), versions = _opened([(path, journal), *more], threads, open_things)
        if not open_to_all:
            _refuse_to_be_open(listener, book)
        say = (progress or Silent()).say
        for one in (desk, *(other for other, _ in others), *versions):
            keep_answering(one)
        books = _books([(desk, book), *others], versions, say, budget_per_month, open_things)
        import uvicorn

        from payoff.serve.app import create_app
        from payoff.serve.connection import bounded, most_connections

        app = create_app(
            desk,
            journal=book,
            more=others,
            versions=versions,
            books=books,
            texts=texts,
            per_second=per_second,
            workers=max(1, physical_cores() // threads),
            dashboard=dashboard,
            audit_share=audit_share,
            tell=say,
            traces=traces,
        )
        on_hangup.append(app.state.releases.reload_soon)
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            ws="none",
            http=bounded(most_connections()),
            timeout_graceful_shutdown=_GRACE_S,
        )
        bound = listener.getsockname()
        shown = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
        names = ", ".join([desk.name, *(other.name for other, _ in others)])
        answers = "answer" if others else "answers"

        def announce() -> None:
            say(f"{names} {answers} on http://{shown}:{bound[1]}")
            if dashboard:
                say(f"The dashboard is at http://{shown}:{bound[1]}/dashboard")

        with _signals_end_here(), _what_is_there_is_kept():
            _server(config, announce).run(sockets=[listener])


def _server(config: uvicorn.Config, announce: Callable[[], object]) -> uvicorn.Server:
    """A server that says so once it answers: what is released is in place by then."""
    import uvicorn

    class Announcing(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                announce()

    return Announcing(config)


@contextmanager
def _what_is_there_is_kept() -> Iterator[None]:
    """Leave what was made until now out of collections of garbage.

    Libraries and models are some hundred thousand objects that all live as long as the service. A
    full collection would look at each of them, and all requests would wait for it.
    """
    if gc.get_freeze_count():  # whoever runs the service has seen to it
        yield
        return
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _refuse_to_be_open(listener: socket.socket, book: Journal | None) -> None:
    """PF721 where others than this machine could ask, and whoever asks would be answered."""
    host = listener.getsockname()[0]
    if ip_address(host.partition("%")[0]).is_loopback:
        return
    if book is not None:
        from payoff.learn.api_keys import all_keys

        if all_keys(book):
            return
    raise ServiceError("PF721", host, "there are no keys", expected="a key, or --open")


def _opened(
    wanted: Sequence[tuple[str | Path, str | Path | None]], threads: int, open_things: ExitStack
) -> tuple[list[tuple[Desk, Journal | None]], list[Desk]]:
    """Desks with their journals, and further versions of them: those with a name that is taken.

    A journal that is named twice is opened once.
    """
    from payoff.economics.desk import load

    journals: dict[str, Journal] = {}
    found: list[tuple[Desk, Journal | None]] = []
    versions: list[Desk] = []
    for path, journal in wanted:
        desk = open_things.enter_context(load(path, threads=threads))
        twins = [one for one, _ in found if one.name == desk.name]
        if twins and all(one.artifact.sha256 != desk.artifact.sha256 for one in twins):
            versions.append(desk)
            continue
        if journal is not None and str(journal) not in journals:
            from payoff.learn.journal import Journal

            book = Journal.open(journal, tidied_aside=True)
            journals[str(journal)] = open_things.enter_context(book)
        found.append((desk, None if journal is None else journals[str(journal)]))
    return found, versions


def _books(
    served: Sequence[tuple[Desk, Journal | None]],
    versions: Sequence[Desk],
    tell: Callable[[str], object],
    per_month: float | None,
    open_things: ExitStack,
) -> list[ServingHours]:
    """The books of each model that needs some, kept from now on.

    One machine serves all models: the first one's project pays its hours, each project the answers
    of its own endpoints, those of further versions too.
    """
    books = []
    for number, (desk, journal) in enumerate(served):
        first = number == 0
        from payoff.learn.serving_hours import ServingHours, serving_hours, stated_spending

        if journal is None:
            if stated_spending(desk).per_month is not None:
                tell(f"no journal is kept: the budget of {desk.name} is not held")
            continue
        one = ServingHours(
            desk,
            journal,
            tell=tell,
            per_month=per_month if first else None,
            hours=first,
            versions=[version for version in versions if version.name == desk.name],
        )
        if first or one.asks_endpoints:
            one.begin()
            open_things.enter_context(serving_hours(one))
            books.append(one)
    return books


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; callers that come while the model is loaded wait in its queue.

    Raises:
        MachineError: PF805 where the port is in use or may not be used, or the host is unknown.

    Example:
        >>> with listen("127.0.0.1", 0) as listener:
        ...     listener.getsockname()[0]
        '127.0.0.1'
    """
    where = f"{host}:{port}"
    if not 0 <= port <= _LAST_PORT:  # getaddrinfo would take it modulo 65,536
        raise _refused(where, "there is no such port")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise _refused(where, f"it is no address ({error})") from error
    try:
        if os.name != "nt":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        in_use = error.errno == errno.EADDRINUSE
        raise _refused(where, "another process listens there" if in_use else str(error)) from error
    return listener


def _refused(where: str, found: str) -> MachineError:
    return MachineError("PF805", where, found, mend="Choose another with --port or --host.")


@contextmanager
def _hangups_heard(on_hangup: Sequence[Callable[[], object]]) -> Iterator[None]:
    """Do these on SIGHUP, which would end the process otherwise; nothing while there are none."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGHUP"):
        yield
        return

    def heard(*_: object) -> None:
        for one in on_hangup:
            one()

    before = signal.signal(signal.SIGHUP, heard)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


@contextmanager
def _signals_end_here() -> Iterator[None]:
    """Uvicorn raises its signals again once it has stopped; a wanted stop is no error."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {s: signal.signal(s, lambda *_: None) for s in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
