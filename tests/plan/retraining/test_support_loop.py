"""The whole loop on examples/support, its time compressed: profit comes back as it was forecast.

`benchmarks/support_desk.py` says who asks what, `benchmarks/support_loop.py` what is done with it.
The market is that of the example's composer, with the example's money. Every request has a text of
its own: those after the promotion took no part in anything before it. At this size chance alone
moves the difference of profit and forecast; `benchmarks/whole_loop.py` tells by how much, over
larger markets and many seeds.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).resolve().parents[3] / "benchmarks"
SEED = 2026


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module that goes through the loop."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    for name in ("support_desk", "support_loop"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return importlib.import_module("support_loop")


def test_profit_comes_back_as_it_was_forecast(loop: Any, tmp_path: Path) -> None:
    desk = sys.modules["support_desk"]
    project = desk.launched(tmp_path / "support")
    rows = set(project.dataset().texts)
    assert desk.NEW not in project.dataset().labels
    found = loop.whole_loop(tmp_path / "support", project, SEED, loop.Sizes())

    # Launch and quiet days; then a drift that costs money, and somebody is told how much.
    assert found.quiet_alerts == 0
    assert found.days_to_alert <= 5
    assert found.drifted < found.quiet - 0.5
    assert found.loss_a_day > 0

    # Labels are bought where they are worth more than they cost, and it pays to learn from them.
    assert found.bought > 0
    assert found.bought_worth > found.bought_for > 0
    assert found.estimate.pays, found.estimate.sentence
    retrained = found.retrained
    assert retrained.outcome.value == "better"
    assert retrained.new_classes == (desk.NEW,)
    lineage = retrained.gathered.lineage()
    assert lineage["by_source"].keys() == {"system", "person"}
    assert lineage["by_label"][desk.NEW] > 100
    (mix,) = (one for one in retrained.findings if one.code == "PF790")
    assert mix.status.value == "passed", mix.detail
    gathered = retrained.gathered
    assert not {row.text for row in gathered.judges} & (
        rows | {row.text for row in gathered.learnt}
    )

    # It proves itself step by step, and decides on everybody from then on.
    assert found.course.over == "promoted"
    assert [stage.share for stage in found.course.stages] == [0.01, 0.05, 0.25, 0.5]
    assert found.after > found.drifted + 0.3

    # And what was forecast on rows that neither trained nor chose it comes about.
    _, low, high = retrained.judged.forecast_each
    assert low - 2 * found.after_error < found.after < high + 2 * found.after_error
    assert found.after_error < 0.015 * found.forecast
    assert abs(found.off_by) <= 0.02, found.as_dict()
