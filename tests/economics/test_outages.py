"""What cannot be asked is told once, from however many threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from payoff.economics.outages import Outages


def test_each_change_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    outages = Outages()
    with caplog.at_level("WARNING", "payoff.desk"):
        outages.tell("large")
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: outages.tell("large", "PF820", "no money"), range(100)))
        outages.tell("large", "PF821", "its breaker tells that")
        outages.tell("other", "PF813", "no answer")
        outages.tell("large", "PF813", "no answer")
        outages.tell("large")
        outages.tell("large")
    assert [one.message for one in caplog.records] == [
        "large is not asked, the model before it answers: no money",
        "other is not asked, the model before it answers: no answer",
        "large is not asked, the model before it answers: no answer",
        "large is asked again",
    ]
