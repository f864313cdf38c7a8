"""What requests truly were: late, double and out of order, with and without text."""

from __future__ import annotations

from dataclasses import replace

from payoff.learn.entry import Entry
from payoff.learn.feedback import Feedback, take
from payoff.learn.journal import Journal
from payoff.learn.labelled import (
    Vote,
    labelled_requests,
    newest_feedback,
)
from payoff.learn.waiting import waiting_requests

ENTRY = Entry("r-1", "a" * 64, "t", "refund", "refund", 0.9, 3.2, "USD", 4.0, customer="c")


def told(request_id: str, label: str, person: str, day: int) -> Feedback:
    time = f"2026-01-{day:02d}T00:00:00.000000Z"
    return Feedback(request_id, label, source="person", person=person, seconds=2.0, time_utc=time)


def test_the_newest_label_counts_in_whatever_order_it_came(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        journal.append([ENTRY], texts={"r-1": "money back"})
        late = told("r-1", "billing", "ann", 1)
        take(journal, [told("r-1", "card", "ann", 3), late, told("r-1", "refund", "bob", 2)])
        take(journal, [late, Feedback("r-1", correct=False), Feedback("r-2", worth=1.0)])
        ((found,),) = labelled_requests(journal)
    assert [(one.person, one.label) for one in found.votes] == [("bob", "refund"), ("ann", "card")]
    newest = found.newest()
    assert newest is not None
    assert (newest.label, newest.source, newest.seconds) == ("card", "person", 2.0)
    other = found.newest(without={"ann"})
    assert other is not None
    assert other.label == "refund"
    assert found.newest(without={"ann", "bob"}) is None
    assert found.text == "money back"
    assert found.decided is not None
    assert (found.decided.action, found.decided.customer) == ("refund", "c")


def test_what_lacks_its_text_or_its_decision_is_told_and_not_dropped(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        journal.append([ENTRY, replace(ENTRY, request_id="r-2")], texts={"r-2": "hello"})
        take(journal, [told(key, "card", "", 1) for key in ("r-1", "r-2", "r-3")])
        (block,) = labelled_requests(journal)
    assert [(one.text, one.decided is not None) for one in block] == [
        (None, True),
        ("hello", True),
        (None, False),
    ]
    assert block[0].votes[0].teller == "(person)"


def test_many_come_in_blocks_up_to_a_row(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        take(journal, [told(f"r-{n:05d}", "card", "ann", 1) for n in range(1100)])
        until = newest_feedback(journal)
        take(journal, [told("r-00000", "refund", "ann", 2), told("r-x", "card", "ann", 2)])
        blocks = list(labelled_requests(journal, until=until))
        everything = [one for block in labelled_requests(journal) for one in block]
    assert [len(block) for block in blocks] == [500, 500, 100]
    assert {one.votes[-1].label for block in blocks for one in block} == {"card"}
    assert len(everything) == 1101
    assert next(one for one in everything if one.request_id == "r-00000").votes[-1].label == (
        "refund"
    )


def test_an_empty_journal(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        assert list(labelled_requests(journal)) == []
        assert newest_feedback(journal) == 0
        assert waiting_requests(journal) == []


def test_who_answers_for_a_label() -> None:
    assert Vote("x", "customer").teller == "(customer)"
    assert Vote("x", "person", "ann").teller == "ann"
    assert Vote("x", "person", "ann", sent_by="crm").teller == "(crm)"


def test_the_unsure_wait_first(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        rows = [("sure", "card", 0.9), ("unsure", "card", 0.5), ("handed", "handoff", 0.7)]
        rows += [("told", "handoff", 0.1), ("textless", "handoff", 0.1)]
        entries = [
            replace(ENTRY, request_id=key, action=action, probability=p) for key, action, p in rows
        ]
        journal.append(entries, texts={key: key for key, _, _ in rows if key != "textless"})
        take(journal, [told("told", "card", "ann", 1), Feedback("sure", correct=True)])
        assert [one.request_id for one in waiting_requests(journal)] == ["handed", "unsure", "sure"]
        assert len(waiting_requests(journal, most=1)) == 1
