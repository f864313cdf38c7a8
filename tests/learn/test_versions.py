"""Versions are made, released and withdrawn; going back releases the earlier one again."""

from __future__ import annotations

import pytest

from payoff.core.errors import ServiceError
from payoff.learn.journal import Journal
from payoff.learn.versions import (
    history,
    note_made,
    release,
    released,
    released_before,
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
        before = released_before(journal, "desk")
        assert before is not None
        assert before.artifact_sha256 == B
        assert roll_back(journal, "desk", {"why": "it loses money"}).artifact_sha256 == B
        assert now(journal) == B
        assert roll_back(journal, "desk").facts == {"artifact": "desk.payoff"}
        assert now(journal) == A
        assert released_before(journal, "desk") is None
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
