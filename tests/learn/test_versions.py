"""Versions are made, released and withdrawn; going back releases the earlier one again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from payoff.core.errors import ServiceError
from payoff.learn.experiments import book
from payoff.learn.experiments.book import start
from payoff.learn.experiments.course import EXAMPLE
from payoff.learn.journal import Journal
from payoff.learn.version_rows import version_rows
from payoff.learn.versions import (
    begun_with,
    history,
    models_with_versions,
    note_made,
    note_place,
    release,
    released,
    roll_back,
    withdraw,
)

A, B, C = "a" * 64, "b" * 64, "c" * 64


def now(journal: Journal) -> str | None:
    found = released(journal, "desk")
    return None if found is None else found.artifact_sha256


def test_a_version_is_made_once(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        first = note_made(journal, "desk", A, {"artifact": "desk.2.payoff", "läuft": True})
        again = note_made(journal, "desk", A, {"artifact": "elsewhere"})
        assert again == first
        assert history(journal, "desk") == [first]
        assert history(journal, "other") == []
        assert now(journal) is None


def test_going_back_releases_what_came_before(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        release(journal, "desk", A, {"artifact": "desk.payoff"})
        release(journal, "desk", B)
        release(journal, "desk", C)
        release(journal, "other", A)
        assert roll_back(journal, "desk", {"why": "it loses money"}).artifact_sha256 == B
        assert now(journal) == B
        assert roll_back(journal, "desk").facts == {"artifact": "desk.payoff"}
        assert now(journal) == A
        with pytest.raises(ServiceError, match="PF772"):
            roll_back(journal, "desk")
        told = [one.event for one in history(journal, "desk")]
        assert told == ["released"] * 3 + ["withdrawn", "released"] * 2
        release(journal, "desk", C)
        assert now(journal) == C


def test_withdrawing_leaves_the_earlier_one(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        release(journal, "desk", A)
        release(journal, "desk", B)
        withdraw(journal, "desk", A)
        assert now(journal) == B
        withdraw(journal, "desk", B)
        assert now(journal) is None
        with pytest.raises(ServiceError, match="PF772"):
            withdraw(journal, "desk", B)


def test_a_release_that_stands_is_noted_once(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        note_made(journal, "desk", B, {"artifact": "desk.2.payoff"})
        first = release(journal, "desk", B, {"why": "better"})
        assert first.facts == {"artifact": "desk.2.payoff", "why": "better"}
        assert release(journal, "desk", B) == first
        moved = release(journal, "desk", B, {"artifact": "elsewhere.payoff"})
        assert moved != first
        assert len(history(journal, "desk")) == 3
        note_place(journal, "desk", B, "nowhere")
        note_place(journal, "desk", C, "desk.3.payoff")
        assert release(journal, "desk", C).facts["artifact"] == "desk.3.payoff"
        assert models_with_versions(journal) == ["desk"]


def test_going_back_twice_goes_back_once(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        for sha256 in (A, B, C):
            release(journal, "desk", sha256)
        with pytest.raises(ServiceError, match=f"PF788.*{C[:12]} is released.*{B[:12]}"):
            roll_back(journal, "desk", withdrawing=B)
        for _ in range(2):
            assert roll_back(journal, "desk", withdrawing=C).artifact_sha256 == B
        assert [one.event for one in history(journal, "desk")].count("withdrawn") == 1


def test_what_a_service_is_started_with_is_released_unless_it_was_before(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        assert begun_with(journal, "desk", A, {"why": "first"}).facts == {"why": "first"}
        assert begun_with(journal, "desk", B, {}).artifact_sha256 == B
        release(journal, "desk", C)
        for sha256 in (A, B, C):
            assert begun_with(journal, "desk", sha256, {}).artifact_sha256 == C
        assert len(history(journal, "desk")) == 3
        for sha256 in (C, B, A):
            withdraw(journal, "desk", sha256)
        assert begun_with(journal, "desk", B, {}).artifact_sha256 == B


def test_a_row_tells_what_became_of_a_version(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        release(journal, "desk", A, {"why": "first"})
        gain = {"gain_month": {"mean": 7.0, "low": 1.0, "high": 9.0, "currency": "EUR"}}
        note_made(journal, "desk", B, {"version": 2, "accuracy": 0.9} | gain)
        release(journal, "desk", B, {"why": "better", "by": "ann"})
        release(journal, "desk", C)
        roll_back(journal, "desk", {"why": "worse", "by": "bob"})
        rows = {one.artifact_sha256: one for one in version_rows(history(journal, "desk"))}
    assert {key: one.state for key, one in rows.items()} == {
        A: "before",
        B: "released",
        C: "withdrawn",
    }
    assert (rows[C].why, rows[C].by, rows[C].withdrawn_utc > rows[C].released_utc) == (
        "worse",
        "bob",
        True,
    )
    second = rows[B]
    assert (second.number, second.accuracy, second.gain_month, second.currency) == (
        2,
        0.9,
        7.0,
        "EUR",
    )
    assert (second.why, second.by) == ("better", "ann")


def test_promoting_releases_the_treatment_in_one_transaction(
    books_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = replace(EXAMPLE.experiment, model="desk", control=A, treatment=B)
    with Journal.open(books_url) as journal:
        start(journal, experiment, EXAMPLE.policy)

        def fails(*_: object) -> None:
            raise RuntimeError("the power went")

        with monkeypatch.context() as patch:
            patch.setattr(book, "put_in_place", fails)
            with pytest.raises(RuntimeError):
                book.promote(journal)
        assert book.course_of(journal).running
        assert now(journal) is None
        book.promote(journal, why="it earns more")
        found = history(journal, "desk")
        assert [(one.event, one.artifact_sha256) for one in found] == [
            ("released", A),
            ("released", B),
        ]
        assert found[1].facts == {"experiment": experiment.name, "why": "it earns more"}
        roll_back(journal, "desk")
        assert now(journal) == A
