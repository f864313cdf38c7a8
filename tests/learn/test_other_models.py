"""Which artifacts of a journal belong to other models."""

from __future__ import annotations

from payoff.learn.journal import Journal
from payoff.learn.other_models import artifacts_of_others
from payoff.learn.versions import note_made, note_place, release


def test_a_version_that_two_models_share_belongs_to_both(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        assert artifacts_of_others(journal, ["mood"]) == frozenset()
        release(journal, "mood", "a" * 64)
        note_made(journal, "mood", "b" * 64, {"artifact": "mood.2.payoff"})
        note_place(journal, "topic", "c" * 64, "topic.payoff")
        release(journal, "topic", "b" * 64)
        assert artifacts_of_others(journal, ["mood"]) == {"c" * 64}
        assert artifacts_of_others(journal, ["topic"]) == {"a" * 64}
        assert artifacts_of_others(journal, ["mood", "topic"]) == frozenset()
        assert artifacts_of_others(journal, []) == {"a" * 64, "b" * 64, "c" * 64}
