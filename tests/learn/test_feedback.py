from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from payoff.core.errors import Problems, ServiceError
from payoff.learn.entry import Entry
from payoff.learn.feedback import Feedback, take, told_of
from payoff.learn.feedback_rows import feedback_rows
from payoff.learn.journal import Journal

ENTRY = Entry("r-1", "a", "t", "refund", "refund", 0.9, 3.2, "USD", 4.0)


def test_feedback_is_written_once_however_often_it_is_told(books_url: str) -> None:
    one = Feedback("r-1", label="card", feedback_id="f-1")
    later = Feedback("r-1", correct=False, worth=-2.5, source="person", person="ann", seconds=3.5)
    with Journal.open(books_url) as journal:
        journal.append([ENTRY])
        taken = take(journal, [one, one, later])
        assert (taken.n_new, taken.n_known, taken.unknown) == (2, 1, ())
        again = take(journal, [replace(one, time_utc="2030-01-01T00:00:00.000000Z")])
        assert (again.n_new, again.n_known) == (0, 1)
        assert told_of(journal, ["r-1"]) == [one, later]
        assert take(journal, []).n_new == 0


def test_feedback_that_comes_before_its_decision_is_kept_and_told(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        early = Feedback("r-1", label="refund")
        assert take(journal, [early, Feedback("r-9", correct=True)]).unknown == ("r-1", "r-9")
        journal.append([ENTRY])
        assert take(journal, [Feedback("r-1", worth=1.0)]).unknown == ()
        assert [one.label for one in told_of(journal, ["r-1"])] == ["refund", ""]


@pytest.mark.parametrize("change", [{"request_id": "r-2"}, {"label": "other"}, {"worth": 1.0}])
def test_an_id_that_is_taken_is_refused_and_nothing_is_written(
    books_url: str, change: dict[str, object]
) -> None:
    one = Feedback("r-1", label="card", feedback_id="f-1")
    other = replace(one, **change)  # type: ignore[arg-type]
    with Journal.open(books_url) as journal:
        take(journal, [one])
        with pytest.raises(ServiceError, match="PF717"):
            take(journal, [Feedback("r-3", correct=True), other])
        with pytest.raises(ServiceError, match="PF717"):
            take(journal, [replace(one, feedback_id="f-2"), replace(other, feedback_id="f-2")])
        assert told_of(journal, ["r-1", "r-2", "r-3"]) == [one]


@pytest.mark.parametrize("wrong", [{}, {"correct": True, "source": "rumour"}])
def test_what_says_nothing_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ServiceError, match="PF716"):
        Feedback("r-1", **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"label": "a\0b"}, "its label holds a NUL"),
        ({"person": "\0"}, "its person holds a NUL"),
        ({"request_id": "r\0"}, "its request_id holds a NUL"),
        ({"label": "退" * 1001}, "its label has 1,001 characters"),
        ({"request_id": "r" * 201}, "its request_id has 201 characters"),
        ({"feedback_id": "f" * 201}, "its feedback_id has 201 characters"),
        ({"person": "p" * 201}, "its person has 201 characters"),
        ({"worth": 1e308}, "its worth is 1e[+]308"),
        ({"worth": float("nan")}, "its worth is nan"),
    ],
)
def test_what_a_database_cannot_keep_is_refused_by_both_alike(
    books_url: str, change: dict[str, object], found: str
) -> None:
    with Journal.open(books_url) as journal:
        good = Feedback("r-1", label="card")
        with pytest.raises(ServiceError, match=f"PF716.*{found}"):
            take(journal, [good, replace(good, **{"feedback_id": "f-2"} | change)])  # type: ignore[arg-type]
        assert told_of(journal, ["r-1"]) == []
        longest = replace(good, label="退" * 1000, person="p" * 200, worth=-1e15)
        assert take(journal, [longest]).n_new == 1


def test_many_tell_at_once(books_url: str) -> None:
    with Journal.open(books_url) as journal:

        def tell(number: int) -> None:
            for i in range(20):
                shared = Feedback(f"s-{i}", correct=True, feedback_id=f"shared-{i}")
                take(journal, [Feedback(f"r-{number}-{i}", label="x"), shared])

        threads = [threading.Thread(target=tell, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        ids = [f"r-{n}-{i}" for n in range(4) for i in range(20)] + [f"s-{i}" for i in range(20)]
        assert len(told_of(journal, ids)) == 100


def test_rows_of_a_table() -> None:
    rows: list[dict[str, str | None]] = [
        {"request_id": "r-1", "label": " 退款 ", "correct": None, "worth": "", "note": "x"},
        {"request_id": "r-2", "correct": "No", "worth": "-2.5", "seconds": "4", "source": "person"},
    ]
    one, other = feedback_rows(rows, "told.csv")
    assert (one.request_id, one.label, one.correct, one.worth) == ("r-1", "退款", None, None)
    assert (other.correct, other.worth, other.seconds, other.source) == (False, -2.5, 4.0, "person")
    again = feedback_rows(rows, "told.csv")
    assert [f.feedback_id for f in again] == [one.feedback_id, other.feedback_id]
    assert one.feedback_id != other.feedback_id


def test_every_wrong_row_is_told() -> None:
    rows: list[dict[str, str | None]] = [
        {"request_id": "", "label": "x"},
        {"request_id": "r"},
        {"request_id": "r", "correct": "perhaps"},
        {"request_id": "r", "worth": "inf"},
        {"request_id": "r", "worth": "much"},
        {"request_id": "r", "label": "good"},
    ]
    with pytest.raises(Problems) as caught:
        feedback_rows(rows, "told.csv")
    assert [p.where for p in caught.value.problems] == [f"told.csv row {n}" for n in range(1, 6)]
    assert {p.code for p in caught.value.problems} == {"PF716"}
    with pytest.raises(Problems) as caught:
        feedback_rows(rows[:1] * 50, "told.csv")
    assert len(caught.value.problems) == 20
