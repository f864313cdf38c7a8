"""Requests of a model as the journal has them, as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
from sqlalchemy import Select, func, select

from payoff.economics.actions import HANDOFF
from payoff.economics.value_tables import segment_names
from payoff.learn.asked import answered_chances
from payoff.learn.journal import Journal
from payoff.learn.tables import decisions, feedback, texts
from payoff.learn.told import Word, counts, told_worth, words_of
from payoff.learn.watching.watched_model import WatchedModel
from payoff.learn.watching.window import Floats, Integers, Window

_BLOCK = 500
_BYTES_EACH = 4  # of a probability
_LEAST_SPAN_DAYS = 1 / 24

_FIELDS = (
    decisions.c.id,
    decisions.c.request_id,
    decisions.c.time_utc,
    decisions.c.action,
    decisions.c.cost,
    decisions.c.segment,
    decisions.c.probabilities,
)


@dataclass(frozen=True, eq=False, slots=True)
class Series:
    """Expected worth of requests over time: all that an alarm needs.

    Args:
        worths: Less what asking models cost, ``(n,)``, in the order of the journal.
        days: Day of each since 1970, ``(n,)``, never falling.
    """

    worths: Floats
    days: Integers


@dataclass(frozen=True, eq=False, slots=True)
class Requests:
    """Requests of the journal, as a window, with what names them.

    Args:
        window: As arrays; labels that are known are in it.
        ids: Of the rows, ``(n,)``, ascending.
        left_out: Decisions that were not kept with the probability of every label.
    """

    window: Window
    ids: Integers
    left_out: int


def of_model(model: WatchedModel, *, after_id: int = 0, since_utc: str = "") -> Any:
    """The condition that a decision is a model's, later than a row and than a time.

    Example:
        >>> from payoff.economics.policy import Policy
        >>> policy = Policy(("a", "b"), np.eye(2, 3))
        >>> model = WatchedModel(name="m", sha256="0" * 64, policy=policy, currency="EUR")
        >>> len(of_model(model).clauses)
        3
    """
    return (
        (decisions.c.artifact_sha256 == model.sha256)
        & (decisions.c.id > after_id)
        & (decisions.c.time_utc >= since_utc)
    )


def count(journal: Journal, model: WatchedModel, *, whole: bool = False) -> int:
    """How many decisions of a model there are.

    Args:
        journal: Where they are.
        model: Whose.
        whole: Only those that were kept with the probability of every label.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> from payoff.economics.policy import Policy
        >>> policy = Policy(("a", "b"), np.eye(2, 3))
        >>> model = WatchedModel(name="m", sha256="0" * 64, policy=policy, currency="EUR")
        >>> with Journal.open("sqlite://") as journal:
        ...     count(journal, model)
        0
    """
    mine = of_model(model) & _is_whole(model) if whole else of_model(model)
    wanted = select(func.count(decisions.c.id)).where(mine)
    with journal.reading() as connection:
        return int(connection.execute(wanted).scalar_one())


def _is_whole(model: WatchedModel) -> Any:
    """The condition that the probability of every label was kept with a decision."""
    return func.length(decisions.c.probabilities) == _BYTES_EACH * len(model.labels)


def series(journal: Journal, model: WatchedModel, *, after_id: int, since_utc: str) -> Series:
    """What every decision of a model was expected to be worth, and when it was made.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> from payoff.economics.policy import Policy
        >>> policy = Policy(("a", "b"), np.eye(2, 3))
        >>> model = WatchedModel(name="m", sha256="0" * 64, policy=policy, currency="EUR")
        >>> with Journal.open("sqlite://") as journal:
        ...     series(journal, model, after_id=0, since_utc="").worths.tolist()
        []
    """
    columns = (decisions.c.worth, decisions.c.cost, decisions.c.time_utc)
    wanted = select(*columns).where(of_model(model, after_id=after_id, since_utc=since_utc))
    with journal.reading() as connection:
        rows = connection.execute(wanted.order_by(decisions.c.id)).all()
    if not rows:
        return Series(np.empty(0), np.empty(0, np.int64))
    worths, spent, times = zip(*rows, strict=True)
    days = np.maximum.accumulate(days_of(times))
    return Series(np.array(worths, np.float64) - np.array(spent, np.float64), days)


def days_of(times: Sequence[str]) -> Integers:
    """Day since 1970 of times as the journal writes them.

    Example:
        >>> days_of(["1970-01-02T10:00:00.000000Z"]).tolist()
        [1]
    """
    days = np.array([time[:10] for time in times], dtype="datetime64[D]")
    return days.astype(np.int64)


def oldest(journal: Journal, model: WatchedModel, n: int) -> Requests:
    """The first decisions of a model that were kept with the probability of every label.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> from payoff.economics.policy import Policy
        >>> policy = Policy(("a", "b"), np.eye(2, 3))
        >>> model = WatchedModel(name="m", sha256="0" * 64, policy=policy, currency="EUR")
        >>> with Journal.open("sqlite://") as journal:
        ...     len(oldest(journal, model, 10).window)
        0
    """
    mine = of_model(model) & _is_whole(model)
    wanted = select(*_FIELDS).where(mine).order_by(decisions.c.id).limit(n)
    return _read(journal, model, wanted)


def newest(
    journal: Journal, model: WatchedModel, n: int, *, after_id: int, since_utc: str = ""
) -> Requests:
    """The last decisions of a model, in their order.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> from payoff.economics.policy import Policy
        >>> policy = Policy(("a", "b"), np.eye(2, 3))
        >>> model = WatchedModel(name="m", sha256="0" * 64, policy=policy, currency="EUR")
        >>> with Journal.open("sqlite://") as journal:
        ...     len(newest(journal, model, 10, after_id=0).window)
        0
    """
    mine = of_model(model, after_id=after_id, since_utc=since_utc)
    wanted = select(*_FIELDS).where(mine).order_by(decisions.c.id.desc()).limit(n)
    return _read(journal, model, wanted)


def of_day(
    journal: Journal, model: WatchedModel, day: str, most: int, *, after_id: int = 0
) -> tuple[int, Requests]:
    """How many decisions a model made on a day, and an evenly drawn sample of them.

    Args:
        journal: Where they are.
        model: Whose.
        day: In UTC, such as ``"2026-11-30"``.
        most: Size of the sample, at most.
        after_id: Decisions up to this row do not count.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> from payoff.economics.policy import Policy
        >>> policy = Policy(("a", "b"), np.eye(2, 3))
        >>> model = WatchedModel(name="m", sha256="0" * 64, policy=policy, currency="EUR")
        >>> with Journal.open("sqlite://") as journal:
        ...     of_day(journal, model, "2026-11-30", 500)[0]
        0
    """
    following = (date.fromisoformat(day) + timedelta(days=1)).isoformat()
    since_then = of_model(model, after_id=after_id, since_utc=day)
    mine = since_then & (decisions.c.time_utc < following)
    with journal.reading() as connection:
        found = connection.execute(select(decisions.c.id).where(mine).order_by(decisions.c.id))
        ids = np.array(found.scalars().all(), dtype=np.int64)
    chosen = ids[np.linspace(0, len(ids) - 1, min(most, len(ids))).astype(np.int64)].tolist()
    wanted = select(*_FIELDS).where(decisions.c.id.in_(chosen))
    return len(ids), _read(journal, model, wanted)


def labelled_since(
    journal: Journal, model: WatchedModel, *, after_id: int, since_utc: str, until_utc: str = ""
) -> tuple[Floats, Integers]:
    """What labelled requests earned less what was expected of them, as the words that count came.

    Args:
        journal: Where they are.
        model: Whose.
        after_id: Decisions up to this row do not count.
        since_utc: Labels before this time do not count.
        until_utc: Nor do those after this one: of a label that is dated wrongly nobody knows when
            it came, and alarms reckon from the last day. Empty for no end.

    Returns:
        Gaps and days of the labels, ``(m,)`` each.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> from payoff.economics.policy import Policy
        >>> policy = Policy(("a", "b"), np.eye(2, 3))
        >>> model = WatchedModel(name="m", sha256="0" * 64, policy=policy, currency="EUR")
        >>> with Journal.open("sqlite://") as journal:
        ...     labelled_since(journal, model, after_id=0, since_utc="")[0].tolist()
        []
    """
    wanted = (
        select(*_FIELDS, feedback.c.time_utc.label("came"))
        .join(feedback, feedback.c.request_id == decisions.c.request_id)
        .where(of_model(model, after_id=after_id), feedback.c.time_utc >= since_utc, counts())
        .order_by(feedback.c.time_utc, decisions.c.id)
    )
    if until_utc:
        wanted = wanted.where(feedback.c.time_utc <= until_utc)
    with journal.reading() as connection:
        rows = [dict(row) for row in connection.execute(wanted).mappings()]
    requests = _of_rows(journal, model, rows)
    kept = [
        row for row in rows if len(row["probabilities"] or b"") == _BYTES_EACH * len(model.labels)
    ]
    days = np.maximum.accumulate(days_of([row["came"] for row in kept])) if kept else _NONE
    gaps = requests.window.realised - requests.window.expected
    known = ~np.isnan(gaps)
    return gaps[known], days[known]


_NONE = np.empty(0, np.int64)


def _read(journal: Journal, model: WatchedModel, wanted: Select[Any]) -> Requests:
    with journal.reading() as connection:
        rows = [dict(row) for row in connection.execute(wanted).mappings()]
    return _of_rows(journal, model, sorted(rows, key=lambda row: int(row["id"])))


def _of_rows(journal: Journal, model: WatchedModel, rows: list[dict[str, Any]]) -> Requests:
    """Decisions as arrays, with their labels and their texts."""
    k = len(model.labels)
    kept = [row for row in rows if len(row["probabilities"] or b"") == _BYTES_EACH * k]
    packed = b"".join(row["probabilities"] for row in kept)
    said = np.frombuffer(packed, "<f4").reshape(len(kept), k).astype(np.float64)
    said = said / np.maximum(said.sum(axis=1, keepdims=True), 1e-12)
    place = {label: i for i, label in enumerate((*model.labels, HANDOFF))}
    names = [str(row["request_id"]) for row in kept]
    times = [str(row["time_utc"]) for row in kept]
    plain = Window(
        probabilities=said,
        actions=np.array([place.get(row["action"], k) for row in kept], dtype=np.int64),
        tables=model.policy.tables,
        costs=np.array([row["cost"] for row in kept], dtype=np.float64),
        segments=segment_names([row["segment"] for row in kept]) if kept else None,
        texts=_texts(journal, names),
        days=_span_days(times),
    )
    ids = np.array([row["id"] for row in kept], dtype=np.int64)
    return Requests(_with_labels(journal, plain, kept, model), ids, len(rows) - len(kept))


def _span_days(times: Sequence[str]) -> float:
    if not times:
        return 1.0
    first, last = (np.datetime64(time.rstrip("Z"), "us") for time in (min(times), max(times)))
    return max(float((last - first) / np.timedelta64(1, "D")), _LEAST_SPAN_DAYS)


def _texts(journal: Journal, names: Sequence[str]) -> tuple[str, ...] | None:
    """The texts of requests, empty where one is not kept; None where none is."""
    found: dict[str, str] = {}
    with journal.reading() as connection:
        for start in range(0, len(names), _BLOCK):
            block = names[start : start + _BLOCK]
            wanted = select(texts.c.request_id, texts.c.text)
            rows = connection.execute(wanted.where(texts.c.request_id.in_(block)))
            found |= {str(row.request_id): str(row.text) for row in rows}
    return tuple(found.get(name, "") for name in names) if found else None


def _with_labels(
    journal: Journal, window: Window, rows: Sequence[Mapping[str, Any]], model: WatchedModel
) -> Window:
    """The same requests with what feedback says of them, as `payoff.learn.told` settles it."""
    names = [str(row["request_id"]) for row in rows]
    with journal.reading() as connection:
        said = words_of(connection, names)
        chances = answered_chances(connection, names)
    words = [said.get(name, Word()) for name in names]
    actions, segments = ([str(row[key]) for row in rows] for key in ("action", "segment"))
    inclusion = np.array([chances.get(name, 0.0) for name in names]) if chances else None
    known = told_worth(model.policy, words, actions, segments)
    return replace(window, known_worth=known, inclusion=inclusion)
