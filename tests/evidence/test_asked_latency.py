from __future__ import annotations

import pytest

from payoff.core.errors import DataError
from payoff.evidence.asked_latency import asked_latency


def test_percentiles_and_throughput_are_those_of_the_requests() -> None:
    latency = asked_latency([0.1] * 19 + [2.1], parallel=4)
    assert latency.p50_ms == pytest.approx(100.0)
    assert latency.p95_ms == pytest.approx(200.0)  # 5 % of the way from the 19th to the 20th
    assert latency.texts_per_s == pytest.approx(4 / 0.2)
    assert (latency.n_measured, latency.batch_size, latency.threads) == (20, 4, 0)


def test_no_request_no_latency() -> None:
    with pytest.raises(DataError, match="PF106"):
        asked_latency([], parallel=1)
