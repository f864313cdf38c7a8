"""Leakage: what the test set shares with the rows that are trained on."""

from __future__ import annotations

import numpy as np

from payoff.core.findings import Finding, Status
from payoff.data.checks.subject import N_SHOWN, Subject, counted, not_applicable, passed, searched
from payoff.data.duplicates import touching
from payoff.data.times import order_values

_NO_TEST = "no test set was given; a split cuts one without leakage"


def repeated_test_texts(subject: Subject) -> Finding:
    """Test texts that also stand in the data, but for case and punctuation (PF164).

    Example:
        >>> repeated_test_texts(Subject.of(["Hi!", "bye"], test=["hi"])).detail
        '1 row of 2 repeat a test text'
    """
    code, title = "PF164", "No test text also stands in the data"
    if subject.test_set is None:
        return not_applicable(code, title, _NO_TEST)
    both = np.flatnonzero(np.isin(subject.place, subject.test_place))
    return _shared(subject, code, title, both, "repeat", "")


def near_test_texts(subject: Subject) -> Finding:
    """Test texts that nearly stand in the data (PF165).

    Example:
        >>> long = "where is the parcel that I ordered on the first of this month"
        >>> near_test_texts(Subject.of([long], test=[long + "s"])).n_affected
        1
    """
    code, title = "PF165", "No test text nearly stands in the data"
    if subject.test_set is None:
        return not_applicable(code, title, _NO_TEST)
    tested = np.zeros(len(subject.keys), dtype=bool)
    tested[subject.test_place] = True
    near_a_test = touching(tested, subject.near.pairs)
    near = np.flatnonzero(near_a_test[subject.place] & ~tested[subject.place])
    if not len(near):
        return searched(code, title, subject.near)
    return _shared(subject, code, title, near, "nearly repeat", subject.near.note)


def _shared(
    subject: Subject, code: str, title: str, rows: np.ndarray, verb: str, note: str
) -> Finding:
    if not len(rows):
        return passed(code, title)
    return Finding(
        code,
        title,
        Status.FAILED,
        f"{counted(len(rows), 'row')} of {len(subject.dataset):,} {verb} a test text"
        + (f"; {note}" if note else ""),
        "Nothing need be done: a split drops them from training and leaves the test set alone.",
        subject.show(rows.tolist()),
        len(rows),
    )


def shared_groups(subject: Subject) -> Finding:
    """The same customer in the data and in the test set (PF166).

    Example:
        >>> shared_groups(Subject.of(["a"], test=["b"])).detail
        'no group column was named'
    """
    code, title = "PF166", "No group stands in both the data and the test set"
    dataset, test_set = subject.dataset, subject.test_set
    if test_set is None:
        return not_applicable(code, title, _NO_TEST)
    if dataset.group is None or test_set.group is None:
        return not_applicable(code, title, "no group column was named")
    shared = set(dataset.column("group")) & set(test_set.column("group"))
    shared = {group for group in shared if group.strip()}
    if not shared:
        return passed(code, title)
    rows = [i for i, group in enumerate(dataset.column("group")) if group in shared]
    return Finding(
        code,
        title,
        Status.FAILED,
        f"{counted(len(shared), 'group')} ({counted(len(rows), 'row')}) are in both",
        "Nothing need be done: a split by group drops those rows from training.",
        subject.show(rows),
        len(rows),
    )


def later_rows(subject: Subject) -> Finding:
    """Rows to train on that are later than the first test row (PF167).

    Example:
        >>> later_rows(Subject.of(["a"], test=["b"])).detail
        'no time column was named'
    """
    code, title = "PF167", "All data are earlier than the test set"
    dataset, test_set = subject.dataset, subject.test_set
    if test_set is None:
        return not_applicable(code, title, _NO_TEST)
    if dataset.time is None or test_set.time is None:
        return not_applicable(code, title, "no time column was named")
    times = order_values(
        dataset.column("time") + test_set.column("time"), f"{dataset.source} {dataset.time}"
    )
    begin = times[len(dataset) :].min()
    late = np.flatnonzero(times[: len(dataset)] >= begin)
    if not len(late):
        return passed(code, title)
    return Finding(
        code,
        title,
        Status.FAILED,
        f"{counted(len(late), 'row')} of {len(dataset):,} are not earlier than the first test row",
        "Use rows from before the test period only, or let payoff split by time.",
        subject.show(late[:N_SHOWN].tolist()),
        len(late),
    )
