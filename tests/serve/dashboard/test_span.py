"""The days that a page is about."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from payoff.serve.dashboard.span import span_of

NOW = datetime(2026, 3, 1, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "since"),
    [("today", "2026-03-01"), ("7", "2026-02-23"), ("30", "2026-01-31"), ("all", "")],
)
def test_the_days_of_each_choice(name: str, since: str) -> None:
    span = span_of(name, NOW)
    assert (span.name, span.since, span.today) == (name, since, "2026-03-01")


@pytest.mark.parametrize("name", ["", "31", "<script>", "8"])
def test_another_choice_is_the_usual_one(name: str) -> None:
    assert span_of(name, NOW) == span_of("30", NOW)
