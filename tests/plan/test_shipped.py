"""What is told of a cascade whose models answer from one artifact."""

from __future__ import annotations

from dataclasses import replace

import pytest

from payoff.core.findings import Status
from payoff.evidence.evidence import Evidence
from payoff.evidence.footprint import Footprint
from payoff.evidence.latency import Latency
from payoff.evidence.quality import measure_quality
from payoff.plan.shipped import held_together

RECKONED = Evidence(
    "validation",
    measure_quality([[0.6, 0.4]], [0]),
    latency=Latency(1.0, 2.0, 1000.0, 64, 100, 2),
    footprint=Footprint(100, 200_000_000, 0.5),
)


@pytest.mark.parametrize(
    ("texts_per_s", "p95_ms", "memory", "asks_others", "status"),
    [
        (900.0, 2.0, 150_000_000, False, Status.PASSED),
        (500.0, 2.0, 150_000_000, False, Status.FAILED),  # under six tenths of what was reckoned
        (900.0, 9.0, 150_000_000, False, Status.FAILED),  # over the limit
        (900.0, 2.0, 200_000_001, False, Status.FAILED),  # more than the machine was chosen for
        (900.0, 2.0, None, False, Status.PASSED),  # the system does not tell
        (900.0, 2.0, 150_000_000, True, Status.NOT_CHECKED),
        (900.0, 2.0, 200_000_001, True, Status.FAILED),
    ],
)
def test_whether_the_whole_holds_what_was_reckoned(
    texts_per_s: float, p95_ms: float, memory: int | None, asks_others: bool, status: Status
) -> None:
    measured = replace(
        RECKONED,
        latency=Latency(1.0, p95_ms, texts_per_s, 64, 100, 2),
        footprint=Footprint(100, memory, 0.5),
    )
    found = held_together(RECKONED, measured, 5.0, asks_others=asks_others)
    assert (found.code, found.status) == ("PF622", status)
    assert bool(found.mend) is (status is Status.FAILED)
