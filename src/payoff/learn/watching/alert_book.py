"""Alert book: which alerts are raised, silenced and over, as the journal's events tell."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, insert, select

from payoff.core.errors import ServiceError, did_you_mean
from payoff.learn.entry import now_utc
from payoff.learn.journal import Journal
from payoff.learn.tables import alert_events
from payoff.learn.watching.alert import Alert

RAISED, SILENCED, OVER = "raised", "silenced", "over"
TOLD, UNTOLD = "told", "untold"


@dataclass(slots=True)
class AlertState:
    """What has become of one alert.

    Args:
        alert: As it was raised last.
        number: Of the event that raised or ended it last: what channels are told about.
        time_utc: When that was.
        is_over: Whether it has ended.
        silent_until_utc: Until when nobody is to be told; empty where it is not silenced.
        told: Channels that were told about that event.
        failures: Channels that could not be told about it, with the last reason and how often.

    Example:
        >>> alert = Alert(key="loss desk", model="desk", a_day=9.0, low=5.0, high=12.0,
        ...               currency="EUR", cause="Why.", since="2026-11-03", n_requests=2000,
        ...               n_labels=0)
        >>> state = AlertState(alert, 1, "2026-11-03", silent_until_utc="2026-11-05")
        >>> state.is_silent("2026-11-04"), state.is_silent("2026-11-05")
        (True, False)
    """

    alert: Alert
    number: int
    time_utc: str
    is_over: bool = False
    silent_until_utc: str = ""
    told: set[str] = field(default_factory=set)
    failures: dict[str, tuple[str, int]] = field(default_factory=dict)

    @property
    def stands(self) -> bool:
        """Whether money is being lost still: it is not over, and was not mended when raised."""
        return not self.is_over and not self.alert.mended

    def is_silent(self, now: str) -> bool:
        """Whether nobody is to be told at a time."""
        return now < self.silent_until_utc

    def as_dict(self) -> dict[str, Any]:
        """The same facts as plain values."""
        return {
            "alert": self.alert.as_dict(),
            "state": OVER if self.is_over else RAISED,
            "time_utc": self.time_utc,
            "silent_until_utc": self.silent_until_utc,
            "told": sorted(self.told),
            "failures": {name: reason for name, (reason, _) in sorted(self.failures.items())},
        }


class AlertBook:
    """Alerts in a journal. Append-only: a state is what the events come to.

    Args:
        journal: Where the events are.
        now: The time of what is written, as the journal writes it; that of writing where empty.

    Example:
        >>> alert = Alert(key="loss support", model="support", a_day=120.0, low=80.0, high=160.0,
        ...               currency="EUR", cause="The model is less sure.", since="2026-11-03",
        ...               n_requests=2000, n_labels=150)
        >>> with Journal.open("sqlite://") as journal:
        ...     book = AlertBook(journal)
        ...     book.put_up(alert), book.put_up(alert)  # the second time nothing is written
        ...     book.silence("loss support", until_utc="2099-01-01")
        ...     book.states()["loss support"].is_silent("2030-01-01")
        ...     book.end("loss support", {})
        ...     book.states()["loss support"].is_over
        (True, False)
        True
        True
        True
    """

    def __init__(self, journal: Journal, *, now: str = "") -> None:
        self._journal = journal
        self._now = now

    def states(self) -> dict[str, AlertState]:
        """Every alert there has been, by its key.

        Raises:
            ServiceError: PF703 to PF706 where the database fails; PF752 where an event is broken.
        """
        with self._journal.reading() as connection:
            return _states(connection)

    def put_up(self, alert: Alert) -> bool:
        """Raise an alert, unless it is raised already.

        Returns:
            Whether it was new.

        Raises:
            ServiceError: As `states`.
        """
        with self._journal.writing() as connection:
            return put_up_within(connection, alert, time_utc=self._now)

    def end(self, key: str, facts: Mapping[str, Any]) -> bool:
        """Say that an alert is over; silence ends with it.

        Returns:
            Whether it was raised.

        Raises:
            ServiceError: As `states`.
        """
        with self._journal.writing() as connection:
            state = _states(connection).get(key)
            if state is None or state.is_over:
                return False
            self._write(connection, key, OVER, dict(facts))
        return True

    def silence(self, key: str, *, until_utc: str) -> None:
        """Tell nobody about an alert until a time.

        Raises:
            ServiceError: PF745 where there is no such alert; else as `states`.
        """
        with self._journal.writing() as connection:
            states = _states(connection)
            if key not in states:
                raise ServiceError(
                    "PF745",
                    f"alert '{key[:100]}'",
                    "there is none of that name",
                    expected=", ".join(sorted(states)) or "none was ever raised",
                    mend=did_you_mean(key, states),
                )
            self._write(connection, key, SILENCED, {"until_utc": until_utc})

    def note(self, key: str, number: int, channel: str, *, failure: str = "") -> None:
        """Keep whether a channel was told about an event.

        Args:
            key: Of the alert.
            number: Of the event.
            channel: Which one.
            failure: Why it could not be told; empty where it was.

        Raises:
            ServiceError: As `states`.
        """
        facts = {"of": number, "channel": channel}
        with self._journal.writing() as connection:
            if failure:
                self._write(connection, key, UNTOLD, facts | {"failure": failure[:500]})
            else:
                self._write(connection, key, TOLD, facts)

    def _write(
        self, connection: Connection, key: str, event: str, facts: Mapping[str, Any]
    ) -> None:
        _write(connection, key, event, facts, self._now)


def put_up_within(connection: Connection, alert: Alert, *, time_utc: str = "") -> bool:
    """`AlertBook.put_up` within a transaction of the caller's, such as that of a roll back.

    Args:
        connection: To the journal.
        alert: What to raise.
        time_utc: When, as the journal writes it; now where empty.

    Returns:
        Whether it was new.

    Raises:
        ServiceError: PF752 where an event is broken.

    Example:
        >>> alert = Alert(key="rollback new-head", model="m", a_day=9.0, low=5.0, high=12.0,
        ...               currency="EUR", cause="Why.", since="2026-11-03", n_requests=2000,
        ...               n_labels=0, mended=True)
        >>> with Journal.open("sqlite://") as journal, journal.writing() as connection:
        ...     put_up_within(connection, alert), put_up_within(connection, alert)
        (True, False)
    """
    state = _states(connection).get(alert.key)
    if state is not None and not state.is_over:
        return False
    _write(connection, alert.key, RAISED, alert.as_dict(), time_utc)
    return True


def _write(
    connection: Connection, key: str, event: str, facts: Mapping[str, Any], time_utc: str
) -> None:
    row = {
        "alert": key,
        "time_utc": time_utc or now_utc(),
        "event": event,
        "facts": json.dumps(facts),
    }
    connection.execute(insert(alert_events), [row])


def _states(connection: Connection) -> dict[str, AlertState]:
    rows = connection.execute(select(alert_events).order_by(alert_events.c.id)).mappings().all()
    states: dict[str, AlertState] = {}
    for row in rows:
        _apply(states, row)
    return states


def _apply(states: dict[str, AlertState], row: Any) -> None:
    """Bring the states up to one event more."""
    key, event = str(row["alert"]), str(row["event"])
    try:
        facts = json.loads(row["facts"])
    except ValueError as error:
        raise ServiceError("PF752", f"alert event {row['id']}", "it is no JSON") from error
    state = states.get(key)
    if event == RAISED:
        until = "" if state is None else state.silent_until_utc
        states[key] = AlertState(
            Alert.from_dict(facts), int(row["id"]), row["time_utc"], silent_until_utc=until
        )
    elif state is None:
        return
    elif event == OVER:
        told = state.told
        states[key] = AlertState(state.alert, int(row["id"]), row["time_utc"], is_over=True)
        if not told:  # nobody was told that it began, so nobody need hear that it ended
            states[key].told = {"*"}
    elif event == SILENCED:
        state.silent_until_utc = str(facts.get("until_utc", ""))
    elif facts.get("of") == state.number:
        channel = str(facts.get("channel", ""))
        if event == TOLD:
            state.told.add(channel)
            state.failures.pop(channel, None)
        else:
            _, times = state.failures.get(channel, ("", 0))
            state.failures[channel] = (str(facts.get("failure", "")), times + 1)


def still_to_tell(
    states: Mapping[str, AlertState], channels: Sequence[str], now: str
) -> list[tuple[AlertState, str]]:
    """Which channels have not been told what, in the order of the events.

    Args:
        states: Of all alerts.
        channels: Names.
        now: The time; what is silent then waits.

    Example:
        >>> still_to_tell({}, ["log"], "2026-01-01")
        []
    """
    waiting = sorted(states.values(), key=lambda state: state.number)
    return [
        (state, channel)
        for state in waiting
        if not state.is_silent(now) and "*" not in state.told
        for channel in channels
        if channel not in state.told
    ]


def alert_key(model: str, artifact_sha256: str) -> str:
    """Names the alert of one version of a model, so that a new version starts anew.

    Example:
        >>> alert_key("support", "1f3a9c02" + 56 * "0")
        'loss support 1f3a9c02'
    """
    return f"loss {model} {artifact_sha256[:8]}"


def standing_alert(journal: Journal, model: str, artifact_sha256: str) -> Alert | None:
    """The alert that stands for one version of a model; None where there is none, or it is over.

    Raises:
        ServiceError: PF703 to PF706 where the database fails; PF752 where an event is broken.

    Example:
        >>> with Journal.open("sqlite://") as journal:
        ...     standing_alert(journal, "support", "a" * 64)
    """
    state = AlertBook(journal).states().get(alert_key(model, artifact_sha256))
    return None if state is None or state.is_over else state.alert
