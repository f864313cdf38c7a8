from __future__ import annotations

import time

import pytest

from payoff.plan.clock import Clock


def test_seconds_of_earlier_processes_and_the_reserve_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    clock = Clock(600, reserve_s=60, before_s=100, _started=time.monotonic())
    assert clock.spent() == 100
    assert clock.left() == 440
    now[0] += 30
    assert clock.spent() == 130
    assert clock.left() == 410
    now[0] += 1000
    assert clock.left() == -590
