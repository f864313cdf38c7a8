"""The outlook of a run: the same as asking for each change by hand, and one rule of choosing."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.plan.simulated_run import kept_apart, kept_of, write_run

from payoff.core.files import to_json
from payoff.economics.payoff import Payoff
from payoff.economics.person import Person
from payoff.economics.traffic import Traffic
from payoff.plan.kept import Kept
from payoff.plan.outlook import Outlook
from payoff.plan.standing import Standing
from payoff.plan.terms import Terms
from payoff.plan.what_if import standing

WORTH = Payoff(3.0, -7.0, currency="USD", person=Person(4, 30, 0.02))
TERMS = Terms(WORTH, Traffic(40_000, 30_000, 60_000), on=date(2026, 11, 22))
RISKY = replace(TERMS, payoff=Payoff(1.0, -10.0, -0.05, currency="USD"))
KEPT = kept_of(TERMS)


def rows_of(kept: Kept, terms: Terms) -> dict[str, dict[str, Any]]:
    told = Outlook.of(kept, terms).as_dict()
    to_json(told)
    return {row["change"]: row for row in told["what_ifs"]["rows"]}


def test_each_change_equals_the_same_assignment(tmp_path: Path) -> None:
    write_run(tmp_path, TERMS)
    rows = rows_of(KEPT, TERMS)
    by_hand = {
        "as stated": [],
        "half the traffic": ["traffic.per_month=20000"],
        "twice the traffic": ["traffic.per_month=80000"],
        "wrong answers cost twice as much": ["value.wrong=-14"],
        "people cost a quarter more": ["person.wage_per_hour=37.5"],
    }
    for name, assignments in by_hand.items():
        then = standing(tmp_path, assignments)
        assert rows[name]["recommended"] == then.recommended
        mean = float(then.best_profit.mean)
        assert rows[name]["profit_month"]["mean"] == pytest.approx(mean)
    assert list(rows) == [*by_hand, "clouds cost twice as much"]
    dear = rows["clouds cost twice as much"]["profit_month"]["mean"]
    assert dear < rows["as stated"]["profit_month"]["mean"]


def test_the_sentence_names_the_changes_that_matter() -> None:
    calm = Outlook.of(KEPT, TERMS)
    assert calm.sentence.startswith("Keep to “model 2”: none of these changes")
    told = Outlook.of(KEPT, RISKY)
    rows = told.as_dict()["what_ifs"]["rows"]
    other = {row["change"] for row in rows if row["choice_changes"]}
    assert "wrong answers cost twice as much" in other
    assert {row["change"] for row in rows if f"“{row['change']}”" in told.sentence} == other
    assert "would make it “do nothing”" in told.sentence


def test_a_change_that_no_host_holds_is_told_not_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    hasty = {"faster": replace(TERMS, latency_limit_ms=0.5)}
    monkeypatch.setattr("payoff.plan.outlook.changed_terms", lambda _: hasty)
    told = Outlook.of(KEPT, TERMS)
    row = told.as_dict()["what_ifs"]["rows"][1]
    assert (row["recommended"], row["profit_month"], row["choice_changes"]) == (None, None, True)
    assert row["why"].startswith("PF616")
    assert told.sentence.endswith("“faster” would leave no plan.")


def test_payback_capacity_and_traffic_are_looked_at() -> None:
    few = replace(WORTH, person=Person(4, 30, 0.02, capacity_per_month=10))
    found = {f.code: f for f in Standing.of(KEPT, replace(TERMS, payoff=few)).findings}
    assert set(found) == {"PF654", "PF655", "PF656"}
    assert not found["PF654"].failed


def test_a_cascade_is_looked_for_only_where_one_was_chosen() -> None:
    kept = kept_apart(TERMS)
    alone, together = Outlook.of(kept, TERMS), Outlook.of(kept, TERMS, cascades=True)
    assert "→" not in alone.stands.chosen
    assert together.stands.chosen == Standing.of(kept, TERMS).chosen


# --- one rule where loss is feared ------------------------------------------------------------


def test_who_fears_loss_enough_does_nothing() -> None:
    """A mean above nothing, with a worst twentieth below it: λ decides, by mean + λ · tail."""
    profit = Standing.of(KEPT, RISKY).forecast.profit
    mean, worst = profit.samples.mean(), np.sort(profit.samples)[: len(profit) // 20].mean()
    assert mean > 0 > worst
    for aversion, best in ((0.0, "model 2"), (0.5, "model 2"), (1.0, "do nothing")):
        assert (mean + aversion * worst > 0) == (best == "model 2")
        told = Outlook.of(KEPT, replace(RISKY, risk_aversion=aversion))
        assert told.stands.chosen == "model 2"
        assert told.stands.recommended == best
        named = {"model 2": "build model 2", "do nothing": "do nothing"}[best]
        assert told.scenarios.best.name == named
        assert told.as_dict()["what_ifs"]["rows"][0]["recommended"] == best


def test_the_runner_up_is_found_by_the_same_rule() -> None:
    stands = Standing.of(KEPT, replace(RISKY, risk_aversion=1.0))
    rivals = {
        one.name: float(one.chosen_by.risk_adjusted(1.0))
        for one in stands.contenders
        if one.chosen_by is not None and one.name != stands.chosen
    }
    assert stands.runner_up is not None
    assert stands.runner_up[0] == max(rivals, key=lambda name: rivals[name])
