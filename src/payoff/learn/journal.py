"""The journal: every decision, written before its answer leaves, and every cost. Append-only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Table, func, select
from sqlalchemy.dialects import postgresql, sqlite

from payoff.core.errors import ServiceError
from payoff.learn.books import Books
from payoff.learn.entry import Entry
from payoff.learn.tables import decisions
from payoff.learn.tables import texts as text_rows

_BLOCK = 500
_FIELDS = tuple(field.name for field in fields(Entry))
_COLUMNS = tuple(decisions.c[name] for name in _FIELDS)


class Journal(Books):
    """One database of decisions and of costs: SQLite in WAL mode by default, PostgreSQL by URL.

    Safe to use from several threads, and from several processes on the same database. `open`
    makes one.

    Example:
        >>> with Journal.open("sqlite://") as journal:
        ...     journal.append([Entry("r-1", "a", "t", "refund", "refund", 0.9, 3.2, "USD", 4.0)])
        ...     journal.append([Entry("r-1", "a", "t", "refund", "refund", 0.9, 3.2, "USD", 4.0)])
        ...     journal.count()
        1
        0
        1
    """

    def append(
        self, entries: Sequence[Entry], *, texts: Mapping[str, str] = MappingProxyType({})
    ) -> int:
        """Write decisions, all or none; they are on the disk when this returns.

        Args:
            entries: Decisions; one whose request id is in the journal already, with the same
                text, is left as it was first written.
            texts: Request id to text, where the journal is to keep it.

        Returns:
            How many were new.

        Raises:
            ServiceError: PF709 where a request id is taken by another text; PF703 to PF706 where
                the database fails.
        """
        unique = {entry.request_id: entry for entry in reversed(entries)}
        taken = [e for e in entries if unique[e.request_id].text_sha256 != e.text_sha256]
        if taken:
            raise self._taken(taken[0].request_id)
        ids = list(dict.fromkeys(entry.request_id for entry in entries))
        rows = [{name: getattr(unique[key], name) for name in _FIELDS} for key in ids]
        kept = [{"request_id": key, "text": texts[key]} for key in ids if key in texts]
        if not rows:
            return 0
        with self.writing() as connection:
            n_new = self._insert_new(connection, decisions, rows)
            if n_new < len(rows):
                for request_id, text_sha256 in self._known(connection, ids).items():
                    if unique[request_id].text_sha256 != text_sha256:
                        raise self._taken(request_id)
            if kept:
                self._insert_new(connection, text_rows, kept)
        return n_new

    def _insert_new(
        self, connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]
    ) -> int:
        """Insert the rows whose request id is not there yet; gives how many those were."""
        ids = [table.c.request_id]
        if self._engine.dialect.name == "sqlite":
            lite = sqlite.insert(table).on_conflict_do_nothing(index_elements=ids)
            return int(connection.execute(lite, rows).rowcount)
        # PostgreSQL's driver does not count the rows of several insertions.
        made = postgresql.insert(table).on_conflict_do_nothing(index_elements=ids).returning(*ids)
        return len(connection.execute(made, rows).all())

    def count(self) -> int:
        """How many decisions there are.

        Raises:
            ServiceError: PF703 to PF706 where the database fails.
        """
        with self.reading() as connection:
            return int(connection.execute(select(func.count(decisions.c.id))).scalar_one())

    def read(self, limit: int = 100) -> list[Entry]:
        """The newest decisions, oldest of them first.

        Args:
            limit: How many at most.

        Raises:
            ServiceError: PF703 to PF706 where the database fails.
        """
        newest = select(*_COLUMNS).order_by(decisions.c.id.desc()).limit(limit)
        with self.reading() as connection:
            rows = connection.execute(newest).mappings().all()
        return [Entry(**row) for row in reversed(rows)]

    def __repr__(self) -> str:
        return f"Journal({self._where!r})"

    def _known(self, connection: Connection, request_ids: list[str]) -> dict[str, str]:
        """Text hashes of those request ids that are in the journal."""
        known: dict[str, str] = {}
        wanted = select(decisions.c.request_id, decisions.c.text_sha256)
        for start in range(0, len(request_ids), _BLOCK):
            block = request_ids[start : start + _BLOCK]
            rows = connection.execute(wanted.where(decisions.c.request_id.in_(block)))
            known.update((row[0], row[1]) for row in rows)
        return known

    def _taken(self, request_id: str) -> ServiceError:
        return ServiceError(
            "PF709",
            f"request_id '{request_id[:100]}'",
            "it is in the journal with another text",
            mend="Send a new request_id.",
        )
