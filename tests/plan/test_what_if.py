"""What-if: the same as a fresh run under those terms, its properties, and wrong keys."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.plan.simulated_run import LABELS, kept_of, write_run

from payoff.core.errors import PayoffError, Problems, ProjectError
from payoff.core.files import to_json
from payoff.data.dataset import Dataset
from payoff.economics.payoff import Payoff
from payoff.economics.person import Person
from payoff.economics.traffic import Traffic
from payoff.evidence.footprint import Footprint
from payoff.evidence.latency import Latency
from payoff.plan import conclusion, options
from payoff.plan.search import search
from payoff.plan.standing import Standing
from payoff.plan.terms import Terms
from payoff.plan.what_if import changed, changes_of, standing, what_if

WORTH = Payoff(3.0, -7.0, currency="USD", person=Person(4, 30, 0.02))
TERMS = Terms(WORTH, Traffic(40_000, 30_000, 60_000), on=date(2026, 11, 22), label_price=0.05)
KEPT = kept_of(TERMS)


def stand(**changes: Any) -> Standing:
    return Standing.of(KEPT, replace(TERMS, **changes))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("run")
    write_run(place, TERMS)
    return place


# --- the same as a fresh run ------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(
    requests: Dataset, backbones: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Terms], Path]:
    """A real search, with speed and size stated, which no two measurements tell alike.

    The choice is kept as trained on the training rows: trained again on all rows, the plan that
    one of two searches chooses would be another model than it is for the other.
    """
    runs = tmp_path_factory.mktemp("runs")

    def made(terms: Terms) -> Path:
        with pytest.MonkeyPatch.context() as patch:
            latency, footprint = Latency(2, 4, 300, 64, 100, 2), Footprint(10**6, 2 * 10**8, 0.5)
            patch.setattr(options, "measure_latency", lambda *_, **__: latency)
            patch.setattr(options, "measure_footprint", lambda *_: footprint)
            patch.setattr(conclusion, "_SPARE_SECONDS", 1e9)
            plan = search(
                requests, terms.payoff, traffic=terms.traffic, terms=terms, minutes=30,
                only=("bag-of-words", "static-head"), runs=runs, backbones=backbones,
            )  # fmt: skip
        return plan.folder

    return made


MIX = {"billing": 0.4, "card": 0.3, "loan": 0.2, "refund": 0.1}


def test_another_mix_is_near_a_fresh_run(run: Callable[[Terms], Path]) -> None:
    """A fresh run calibrates for its mix; a what-if keeps the probabilities of the run."""
    old, fresh = run(TERMS), run(replace(TERMS, expected_mix=MIX))
    told = what_if(old, ["mix={billing=0.4, card=0.3, loan=0.2, refund=0.1}"])
    before, summary = (
        json.loads((folder / "summary.json").read_text("utf-8")) for folder in (old, fresh)
    )
    unchanged, reported = (
        {one["name"]: one["profit_month"]["mean"] for one in plans if one["profit_month"]}
        for plans in (before["plans"], summary["plans"])
    )
    told_now = {
        one["name"]: one["profit_month"]["mean"]
        for one in told.after.as_dict()["plans"]
        if one["profit_month"]
    }
    assert len(told_now) > 2
    for name, now in told_now.items():
        near = 0.025 if "→" in name else 0.02  # a cascade learns from the probabilities once more
        assert now == pytest.approx(reported[name], rel=near, abs=50.0), name
    name = before["decision"]["plan"]
    assert reported[name] != pytest.approx(unchanged[name], rel=1e-3), "the mix matters here"


def test_it_equals_a_fresh_run_under_these_terms(run: Callable[[Terms], Path]) -> None:
    new = Terms(
        replace(WORTH, wrong=-20.0), Traffic(100_000, 75_000, 150_000), on=TERMS.on,
        label_price=0.05, horizon_months=9, llm={"accuracy": 0.8}, expected_mix=MIX,
    )  # fmt: skip
    words = [
        "traffic.per_month=100000", "value.wrong=-20", "search.horizon_months=9",
        "llm.accuracy=0.8",
    ]  # fmt: skip
    old, fresh = run(replace(TERMS, expected_mix=MIX)), run(new)
    assert old != fresh
    told = what_if(old, words)
    summary = json.loads((fresh / "summary.json").read_text("utf-8"))
    after, decision = told.after.as_dict(), summary["decision"]
    assert after["chosen"] == decision["plan"]
    for key in ("probability_of_loss", "break_even_per_month", "payback_months"):
        assert after[key] == pytest.approx(decision[key]), key
    reported = {plan["name"]: plan["profit_month"] for plan in summary["plans"]}
    for plan in after["plans"]:
        now = pytest.approx(reported[plan["name"]], rel=1e-5)  # each took its own time to train
        assert plan["profit_month"] == now, plan["name"]
    section = {**summary["cascade"]}
    section.pop("points")
    assert after["cascade"]["name"] == section["name"]
    for then, now in zip(after["cascade"]["tiers"], section["tiers"], strict=True):
        assert then == pytest.approx(now)
    now = pytest.approx(section["profit_month"], rel=1e-5)
    assert after["cascade"]["profit_month"] == now
    assert after["accounts"]["e_cloud"] == pytest.approx(summary["accounts"]["e_cloud"])
    before = json.loads((old / "summary.json").read_text("utf-8"))
    assert told.before["profit_month"] == before["decision"]["profit_month"]
    assert (told.notes == ()) == (before["decision"]["plan"] == decision["plan"])
    same = standing(old).as_dict()
    assert same["profit_month"] == pytest.approx(before["decision"]["profit_month"])


# --- properties -------------------------------------------------------------------------------


CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "traffic.per_month": st.floats(10, 3e6),
        "traffic.growth_per_month": st.floats(-0.1, 0.2),
        "traffic.peak_factor": st.floats(1, 20),
        "value.correct": st.floats(-1, 30),
        "value.wrong": st.floats(-300, 1),
        "value.nothing": st.floats(-5, 0),
        "person.wage_per_hour": st.floats(0, 200),
        "person.capacity_per_month": st.integers(1, 20_000),
        "labels.price_each": st.floats(0, 50),
        "hosting.latency_limit_ms": st.floats(100, 3000),
        "llm.accuracy": st.floats(0, 1),
        "search.horizon_months": st.integers(1, 36),
        "search.months_until_retraining": st.integers(1, 24),
        "search.risk_aversion": st.floats(0, 3),
    },
)


@given(changes=CHANGES)
@settings(max_examples=15, deadline=None)
def test_both_readings_agree_to_the_cent_under_every_change(
    folder: Path, changes: dict[str, float]
) -> None:
    told = what_if(folder, [f"{key}={value!r}" for key, value in changes.items()])
    both = told.after.forecast.reconcile()  # raises PF619 where they differ
    e = both.e_model + both.e_cloud
    profit = float(told.after.forecast.profit.mean)
    assert abs(float(e - both.reference - both.other_costs) - profit) < 0.005
    assert abs(sum(float(s.amount) for s in told.after.forecast.waterfall[:-1]) - profit) < 0.005
    to_json(told.as_dict())


@given(factor=st.floats(1.0, 20.0))
@settings(max_examples=5, deadline=None)
def test_more_traffic_never_lowers_a_profit_of_positive_margin(factor: float) -> None:
    low, high, likely = (n * factor for n in (30_000, 60_000, 40_000))
    less, more = stand(), stand(traffic=Traffic(likely, low, high))
    for plan in less.contenders:
        if plan.kind != "model" or "→" in plan.name:  # a cascade is solved anew
            continue
        bigger = more.contender(plan.name).profit
        if plan.profit is not None and bigger is not None:
            assert float(bigger.mean) >= float(plan.profit.mean)


@given(factor=st.floats(1.0, 20.0))
@settings(max_examples=4, deadline=None)
def test_dearer_labels_and_people_never_raise_profit(factor: float) -> None:
    """Wages change what is handed over too: whoever hands all over can only lose by them."""
    now, dear = stand(), stand(label_price=0.05 * factor)
    paid = stand(payoff=replace(WORTH, person=Person(4, 30 * factor, 0.02)))
    pairs = [(now.best_profit, dear.best_profit)]
    for plan in now.contenders:
        if "→" in plan.name:  # it is solved anew
            continue
        other = (paid if plan.kind == "baseline" else dear).contender(plan.name).profit
        if plan.profit is not None and other is not None:
            pairs.append((plan.profit, other))
    assert len(pairs) == 6
    for before, after in pairs:
        assert float(after.mean) <= float(before.mean) + 1e-6


def test_relabelling_the_classes_changes_no_plan() -> None:
    """The rows keep their places among the worlds' weights; only the names change."""
    other = replace(KEPT, labels=("x", "y", "z"))
    one, two = Standing.of(KEPT, TERMS), Standing.of(other, TERMS)
    for plan in one.contenders:
        if plan.profit is not None:
            same = two.contender(plan.name).profit
            assert same is not None
            np.testing.assert_array_equal(same.samples, plan.profit.samples)


def test_scaling_what_decisions_are_worth_scales_what_they_earn() -> None:
    def earned(factor: float) -> dict[str, float]:
        worth = Payoff(3.0 * factor, -7.0 * factor, -2.0 * factor, currency="USD")
        reading = stand(payoff=worth).forecast.reconciliation
        return {"earned": float(reading.e_model), "hosting": float(reading.hosting)}

    one, ten = earned(1.0), earned(10.0)
    assert ten["earned"] == pytest.approx(10 * one["earned"], rel=1e-6)
    assert ten["hosting"] == pytest.approx(one["hosting"]), "prices do not follow one's own worth"


# --- what it says -----------------------------------------------------------------------------


def test_the_choice_changes_where_the_money_does(folder: Path) -> None:
    told = what_if(folder, ["value.wrong=-400", "person.error_rate=0.0", "person.wage_per_hour=2"])
    assert (told.before["recommended"], told.choice_changes) == ("model 2", True)
    assert told.after.recommended == "people only"
    assert told.sentence.startswith("It would be people only in place of model 2, and earn ")
    same = what_if(folder, ["traffic.per_month=50000"])
    assert not same.choice_changes
    assert same.sentence.startswith("It stays model 2, which would earn ")
    assert same.notes == ()


def test_the_stated_range_of_traffic_moves_with_its_middle(folder: Path) -> None:
    assert what_if(folder, ["traffic.per_month=80000"]).after.terms.traffic == Traffic(
        80_000, 60_000, 120_000
    )
    own = what_if(folder, ["traffic.per_month=80000", "traffic.high=90000"])
    assert own.after.terms.traffic == Traffic(80_000, 60_000, 90_000)


def test_limits_that_only_some_models_hold(folder: Path) -> None:
    told = what_if(folder, ["hosting.latency_limit_ms=7"])
    refused = {plan.name: plan.why_not for plan in told.after.contenders if plan.why_not}
    assert "model 2" in refused
    assert told.after.chosen != "model 2"
    assert len(told.notes) == 1
    assert "would train the new choice on all of them" in told.notes[0]
    with pytest.raises(PayoffError, match="PF616"):
        what_if(folder, ["hosting.latency_limit_ms=0.5"])


def test_another_price_book_is_said(folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    summary = json.loads((tmp_path / "summary.json").read_text("utf-8"))
    summary["reproduce"]["prices"] = "other"
    (tmp_path / "summary.json").write_text(json.dumps(summary), "utf-8")
    assert "another price book" in what_if(tmp_path, ["value.wrong=-8"]).notes[0]


def test_a_run_without_its_summary_is_not_finished(tmp_path: Path) -> None:
    KEPT.write(tmp_path)
    with pytest.raises(ProjectError, match="PF291"):
        what_if(tmp_path, ["value.wrong=-8"])
    assert standing(tmp_path).chosen == "model 2"


# --- keys and values --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("assignment", "told"),
    [
        ("traffic.per_mnth=5", "PF202 --set traffic.per_mnth: there is no such key. Did you mean"),
        ("wrong=-20", "Did you mean 'value.wrong'?"),
        ("trafic.per_month=5", "Did you mean 'traffic.per_month'?"),
        ("traffic=5", "PF202 --set traffic"),
        ("nonsense.of.some=1", "PF202"),
        ("", "PF290"),
        ("traffic.per_month", "PF290"),
        ("=5", "PF290"),
        ("a b=5", "PF290"),
        ("traffic.per_month=many", "PF203 payoff.toml [traffic.per_month]: 'many' is wrong"),
        ("traffic.per_month=true", "PF203"),
        ("search.horizon_months=2.5", "PF203"),
        ("search.prices_on=yesterday", "PF203"),
        ("data.path=x.csv", "PF203 --set data.path: it is no term by which"),
        ("budget.per_month=5", "PF203 --set budget.per_month"),
        ("search.seed=3", "PF203 --set search.seed"),
        ("value.currency=EUR", "PF203 --set value.currency"),
        ("mix.refund=half", "PF203"),
    ],
)
def test_what_cannot_be_set_is_refused(assignment: str, told: str) -> None:
    with pytest.raises(ProjectError) as refused:
        changes_of([assignment])
    assert told in str(refused.value)


@pytest.mark.parametrize(
    "assignment",
    [
        "traffic.per_month=0",
        "traffic.per_month=-5",
        "traffic.per_month=nan",
        "traffic.per_month=inf",
        "traffic.low=50000",
        "person.capacity_per_month=-1",
        "person.error_rate=2",
        "search.horizon_months=0",
        "search.risk_aversion=-1",
        "hosting.region=moon",
        'hosting.providers=["nobody"]',
        "llm.model=gpt-0-none",
        "value.handoff=-2",
        "value.classes.unheard.wrong=-9",
        "value.matrix=missing.csv",
        "mix.refund=1",
    ],
)
def test_values_out_of_range_are_coded_errors(folder: Path, assignment: str) -> None:
    with pytest.raises(PayoffError) as refused:
        what_if(folder, [assignment])
    assert refused.value.code.startswith("PF")


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(Problems) as refused:
        changes_of(["trafic.per_month=5", "value.wrong=abc", "oops"])
    assert [problem.code for problem in refused.value.problems] == ["PF202", "PF203", "PF290"]


def test_assignments_are_read_as_toml_reads_them() -> None:
    assert changes_of(
        ['value.classes."stolen card".wrong = -20', "traffic.low=1_000", "hosting.region=eu-1",
         "search.prices_on=2026-11-01", 'hosting.providers=["aws"]']
    ) == {
        "value": {"classes": {"stolen card": {"wrong": -20}}}, "traffic": {"low": 1000},
        "hosting": {"region": "eu-1", "providers": ["aws"]},
        "search": {"prices_on": date(2026, 11, 1)},
    }  # fmt: skip
    assert changes_of([]) == {}
    assert changes_of(["build.hours=80", "own_machine.watts=30"]) == {
        "build": {"hours": 80},
        "own_machine": {"watts": 30},
    }


def test_a_matrix_takes_the_place_of_numbers(tmp_path: Path) -> None:
    file = tmp_path / "worth.csv"
    rows = [f"{t}," + ",".join("2" if t == a else "-9" for a in LABELS) for t in LABELS]
    file.write_text("\n".join([f"truth,{','.join(LABELS)}", *rows]), "utf-8")
    write_run(tmp_path, TERMS)
    told = what_if(tmp_path, [f"value.matrix={file}"])
    assert told.after.terms.payoff.of(truth="card", action="refund").amount == -9
    sections = changed(KEPT.sections, {"value": {"matrix": "x"}})
    assert set(sections["value"]) == {"currency", "nothing", "matrix"}
    assert KEPT.sections["value"]["wrong"] == -7.0, "the original is left as it is"


@pytest.mark.parametrize(("stated", "asked"), [(49, 1), (40_000, 7), (1_000, 333)])
def test_a_range_that_is_one_number_stays_one(tmp_path: Path, stated: int, asked: int) -> None:
    write_run(tmp_path, replace(TERMS, traffic=Traffic(stated, stated, stated)))
    told = what_if(tmp_path, [f"traffic.per_month={asked}"])
    assert told.after.terms.traffic == Traffic(asked, asked, asked)


def test_other_hours_bring_their_own_peak(tmp_path: Path) -> None:
    flat, steep = (1.0,) * 24, (12.0,) + (1.0,) * 23
    write_run(tmp_path, replace(TERMS, traffic=Traffic(40_000, by_hour=steep)))
    told = what_if(tmp_path, [f"traffic.by_hour={list(flat)}"])
    assert told.after.terms.traffic.peak_factor == pytest.approx(1.0)
    gone = what_if(tmp_path, ["traffic.by_hour=[]"])
    assert gone.after.terms.traffic == Traffic(40_000)
    with pytest.raises(ProjectError, match="Remove one of the two"):
        what_if(tmp_path, [f"traffic.by_hour={list(flat)}", "traffic.peak_factor=7"])


def test_names_in_other_letters_need_no_quotes() -> None:
    assert changes_of(["value.classes.\u9000\u6b3e.wrong = -20", "mix.\u8d26\u5355=0.5"]) == {
        "value": {"classes": {"\u9000\u6b3e": {"wrong": -20}}},
        "mix": {"\u8d26\u5355": 0.5},
    }
    assert changes_of(['value.segments."r\u00e9gion.sud".wrong=-9']) == {
        "value": {"segments": {"r\u00e9gion.sud": {"wrong": -9}}}
    }
