"""A served model: the version that decides, and the others that are loaded beside it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from payoff.core.errors import PayoffError, ServiceError
from payoff.serve.batches import Batches
from payoff.serve.endpoints import keep_answering

if TYPE_CHECKING:
    from payoff.economics.desk import Desk
    from payoff.learn.journal import Journal
    from payoff.learn.serving_hours import ServingHours
    from payoff.serve.service import Service


class ServedModel:
    """The versions of one model, by the SHA-256 of their artifacts.

    Each version has a line of its own: a request is answered by the version whose line it joined,
    also where another one is put in place meanwhile. Everything here but `close` is for the thread
    of the event loop: between looking up a line and joining it, nothing else happens there.

    Args:
        usual: Decides where no experiment says otherwise.
        others: Further versions that were named at the start.
        open_line: Makes the line of a version that is loaded later.
        books: Told of a version before its first answer; None where nothing is booked.

    Example:
        >>> model = ServedModel(Batches(service), open_line=line)  # doctest: +SKIP
        >>> model.check(newer), model.prepare(newer), model.add(newer)  # doctest: +SKIP
        >>> model.switch(newer.artifact.sha256)  # doctest: +SKIP
    """

    def __init__(
        self,
        usual: Batches,
        others: Iterable[Batches] = (),
        *,
        open_line: Callable[[Desk], Batches],
        books: ServingHours | None = None,
    ) -> None:
        self._usual = usual
        self._lines = {one.service.sha256: one for one in (*others, usual)}
        self._named = {
            one.service.desk.artifact.path: sha256 for sha256, one in self._lines.items()
        }
        self._before = ""
        self._open_line = open_line
        self._books = books
        for one in self._lines.values():
            if one is not usual:
                self.prepare(one.service.desk)
        self.trouble: PayoffError | None = None
        """Why the version that is released is not served; None where it is."""

    @property
    def name(self) -> str:
        """What people call it."""
        return self._usual.name

    @property
    def usual(self) -> Batches:
        """The line of the version that decides where no experiment says otherwise."""
        return self._usual

    @property
    def service(self) -> Service:
        """That version."""
        return self._usual.service

    @property
    def services(self) -> tuple[Service, ...]:
        """All versions that are loaded."""
        return tuple(one.service for one in self._lines.values())

    @property
    def sha256(self) -> str:
        """Names that version."""
        return self._usual.service.sha256

    @property
    def journal(self) -> Journal | None:
        """Where all of them write."""
        return self._usual.service.journal

    @property
    def inside(self) -> int:
        """Requests that wait, are decided or are written down, by any version."""
        return sum(one.inside for one in self._lines.values())

    @property
    def aside(self) -> int:
        """Those inside that wait for an endpoint."""
        return sum(one.aside for one in self._lines.values())

    @property
    def asks_endpoints(self) -> bool:
        """Whether requests to any version may wait for one."""
        return any(one.asks_endpoints for one in self._lines.values())

    @property
    def versions(self) -> tuple[str, ...]:
        """All that are loaded, the one that decides first."""
        return (self.sha256, *(one for one in self._lines if one != self.sha256))

    @property
    def n_versions(self) -> int:
        """How many are loaded."""
        return len(self._lines)

    @property
    def named(self) -> Mapping[Path, str]:
        """The files that were named at the start, each with the version that it holds."""
        return dict(self._named)

    @property
    def files(self) -> Mapping[Path, str]:
        """The same, and the file of the version that decides."""
        return {**self._named, self.service.desk.artifact.path: self.sha256}

    def line(self, sha256: str) -> Batches | None:
        """The line of a version; None where it is not loaded."""
        return self._lines.get(sha256)

    def check(self, desk: Desk) -> None:
        """Refuse what is no version of this model: whoever asks would be answered otherwise.

        Labels may come and go, as long as some stay.

        Raises:
            ServiceError: PF786 where its currency is another one, where one reads pairs and the
                other single texts, where they share no label, or where it asks an endpoint that
                nobody books here.
        """
        now = self._usual.service.desk
        kinds = ("single texts", "pairs of texts")
        shared = set(now.labels) & set(desk.labels)
        unbooked = self._books is None and self.journal is not None and desk.artifact.endpoints()
        for wrong, found, expected in (
            (desk.currency != now.currency, f"its money is {desk.currency}", now.currency),
            (
                desk.reads_pairs != now.reads_pairs,
                f"it reads {kinds[desk.reads_pairs]}",
                kinds[now.reads_pairs],
            ),
            (
                not shared,
                f"it knows {', '.join(desk.labels[:5])}",
                f"some of {', '.join(now.labels[:5])}",
            ),
            (bool(unbooked), "it asks an endpoint, and nobody books that here", "a start with it"),
        ):
            if wrong:
                where = f"version {desk.artifact.sha256[:12]}"
                raise ServiceError("PF786", where, found, expected=expected)

    def prepare(self, desk: Desk) -> None:
        """Give a checked version this model's name, and have its books kept.

        This may ask the journal, and be done in any thread.

        Raises:
            PayoffError: What its books refuse.
        """
        desk.name = self.name
        keep_answering(desk)
        if self._books is not None:
            self._books.take_in(desk)

    def add(self, desk: Desk) -> Batches:
        """Take a prepared version in, beside the others; gives its line."""
        sha256 = desk.artifact.sha256
        if sha256 not in self._lines:
            self._lines[sha256] = self._open_line(desk)
        return self._lines[sha256]

    def note_file(self, path: Path, sha256: str) -> None:
        """A file that was named at the start holds another version now, which is loaded."""
        if path in self._named:
            self._named[path] = sha256

    def switch(self, sha256: str) -> None:
        """Let a version that is loaded decide from the next request on."""
        if sha256 != self.sha256:
            self._before = self.sha256
            self._usual = self._lines[sha256]
        self.trouble = None

    def let_go(self, keep: Collection[str]) -> list[Batches]:
        """Take out what nobody needs: whoever calls closes those lines.

        Kept are the version that decides, the one before it, those named at the start, and these.
        """
        needed = {self.sha256, self._before, *self._named.values(), *keep}
        gone = [line for sha256, line in self._lines.items() if sha256 not in needed]
        for line in gone:
            del self._lines[line.service.sha256]
        return gone

    def end(self, line: Batches) -> None:
        """Finish what waits in a line that was taken out, and let its model go."""
        line.close()
        if self._books is not None:
            self._books.let_go(line.service.desk)
        line.service.desk.close()

    def close(self) -> None:
        """Decide on what waits, then end; more is refused."""
        for line in list(self._lines.values()):
            line.close()

    def facts(self) -> dict[str, Any]:
        """What it is: the version that decides, those that are loaded, and what is amiss."""
        trouble = None if self.trouble is None else self.trouble.as_dict()
        return {**self.service.facts(), "versions": list(self.versions), "trouble": trouble}
