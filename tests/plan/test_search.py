"""The search from end to end, on small data and tiny models."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.plan.conftest import LABELS, dataset_of

import payoff
from payoff.artifact.artifact import Artifact
from payoff.artifact.calibration import Calibration
from payoff.artifact.model_card import split_front
from payoff.artifact.runtime import open_tier
from payoff.artifact.runtime.tokens import TokenRuntime
from payoff.core.errors import AdaptError, BackboneError, EconomicsError
from payoff.core.files import to_json
from payoff.data.dataset import Dataset
from payoff.data.splits import split
from payoff.economics.payoff import Payoff
from payoff.economics.traffic import Traffic
from payoff.evidence.latency import Latency, measure_latency
from payoff.plan import conclusion, options
from payoff.plan.kept import Kept
from payoff.plan.labels import label_study
from payoff.plan.plan import Plan
from payoff.plan.prepared import suited_backbones
from payoff.plan.search import search
from payoff.plan.terms import Terms

TRAFFIC = Traffic(40_000)
KEYS = {
    *("name", "created", "seed", "currency", "horizon_months", "decision", "plans", "waterfall"),
    *("months", "confusion", "calibration", "drivers", "accounts", "cost_lines", "findings"),
    *("energy", "split", "reproduce", "timeline", "scenarios", "what_ifs"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("search")


@pytest.fixture(scope="module")
def plan(requests: Dataset, worth: Payoff, backbones: tuple[str, str], folder: Path) -> Plan:
    """All four recipes."""
    return search(
        requests,
        worth,
        traffic=TRAFFIC,
        minutes=2,
        name="desk",
        runs=folder / "all",
        backbones=backbones,
        project="# the project\n",
    )


@pytest.fixture(scope="module")
def quick(requests: Dataset, worth: Payoff, folder: Path) -> Callable[..., Plan]:
    """The bag of words alone."""

    def run(dataset: Dataset = requests, *, value: Payoff = worth, **changes: Any) -> Plan:
        chosen = {"traffic": TRAFFIC, "minutes": 2, "runs": folder / "quick"}
        return search(dataset, value, only=("bag-of-words",), **(chosen | changes))

    return run


def test_the_summary_is_whole_and_plain(plan: Plan) -> None:
    assert set(plan.summary) >= KEYS
    assert to_json(plan.summary), "JSON without NaN"
    written = json.loads((plan.folder / "summary.json").read_text("utf-8"))
    assert written == json.loads(to_json(plan.summary))
    assert "<html" in plan.report.read_text("utf-8")


def test_every_recipe_precision_and_baseline_is_compared(plan: Plan) -> None:
    rows = plan.table
    measured = {(r["recipe"], r["precision"]) for r in rows if r["precision"]}
    assert measured == {
        ("bag-of-words", "fp32"),
        ("static-head", "fp32"),
        *(
            (recipe, precision)
            # The last two are tried because the labels are few, and the rows of each are many.
            for recipe in ("fine-tune", "frozen-head", "named-head", "stacked")
            for precision in ("fp32", "int8", "trim+int8")
        ),
    }
    assert {r["name"] for r in rows if r["kind"] == "baseline"} >= {"do nothing", "people only"}
    assert [r["status"] for r in rows].count("chosen") == 1
    assert all(r["why"] for r in rows), "each says why it lost"
    profits = [r["profit_month"]["mean"] for r in rows if r["profit_month"]]
    assert profits == sorted(profits, reverse=True)
    assert len({r["name"] for r in rows}) == len(rows)


def test_the_figures_agree_with_each_other(plan: Plan, requests: Dataset) -> None:
    decision = plan.summary["decision"]
    row = next(r for r in plan.table if r["status"] == "chosen")
    assert row["name"] == plan.name == decision["plan"]
    assert decision["profit_month"]["mean"] == pytest.approx(float(plan.forecast.profit.mean))
    assert decision["profit_month"]["low"] < decision["profit_month"]["high"]
    counts = np.array(plan.summary["confusion"]["counts"])
    parts = plan.summary["split"]
    assert counts.shape == (4, 5)
    assert counts.sum() == parts["test"]
    assert parts["train"] + parts["validation"] + parts["test"] == len(requests)
    assert decision["automated_share"] == pytest.approx(counts[:, :4].sum() / counts.sum())
    accounts = plan.summary["accounts"]
    assert accounts["holds"]
    profit = accounts["profit"]
    assert accounts["e_model"] - sum(accounts["costs"].values()) == pytest.approx(profit, abs=0.01)
    assert accounts["e"] == pytest.approx(accounts["e_model"] + accounts["e_cloud"], abs=0.01)
    assert profit == pytest.approx(decision["profit_month"]["mean"], abs=0.01)
    assert plan.summary["waterfall"][-1]["amount"] == pytest.approx(
        decision["profit_month"]["mean"], abs=0.01
    )


def test_a_plan_pays_for_all_that_the_search_trained(plan: Plan) -> None:
    tried = [one["end_s"] - one["start_s"] for one in plan.summary["timeline"]]
    kept = Kept.read(plan.folder).searched
    assert kept is not None
    assert kept.n_runs == len(tried) > 3
    assert kept.seconds == pytest.approx(sum(tried))
    with Artifact.open(plan.artifact) as artifact:
        lines = json.loads(artifact.read("costs.json"))["lines"]
    told = [line["what"] for line in lines if line["step"] == "training"]
    assert len(told) == 1, "of whichever plan, and once"
    assert told[0].startswith(f"{len(tried)} runs of {kept.mean_s:,.0f} s")


def test_the_report_is_of_rows_that_took_no_part(plan: Plan, requests: Dataset) -> None:
    cut = split(requests, validation=0.3, seed=0)
    assert len(cut.test) == plan.summary["split"]["test"]
    found = plan.desk.probabilities(cut.test.texts).argmax(axis=1)
    row = next(r for r in plan.table if r["status"] == "chosen")
    assert row["accuracy"] == pytest.approx((found == cut.test.codes(LABELS)).mean())
    learnt = {text.split()[-1] for part in (cut.train, cut.validation) for text in part.texts}
    numbers = {text.split()[-1] for text in cut.test.texts} - learnt
    with Artifact.open(plan.artifact) as artifact:
        if "ngrams.json" in artifact.documents or artifact.tiers[0].kind == "ngrams":
            words = set(artifact.read_json("ngrams.json")["words"])
            assert not words & numbers
            assert words & learnt


def metrics_of(facts: dict[str, Any]) -> list[dict[str, Any]]:
    """Of the one result in front of a model card."""
    (result,) = facts["model-index"][0]["results"]
    found: list[dict[str, Any]] = result["metrics"]
    return found


def test_the_artifact_decides_as_what_was_measured(
    quick: Callable[..., Plan], requests: Dataset, tmp_path: Path
) -> None:
    plan = quick(runs=tmp_path / "runs", project="# the project\n")
    texts = requests.texts[:20]
    desk = payoff.load(plan.artifact)
    trained = next((plan.folder.parent).glob("trained-*"))
    (tier,) = [p for p in (trained / "tiers").iterdir() if p.name.endswith("-all")]
    with Artifact.open(plan.artifact) as artifact:
        calibration = Calibration.from_json(artifact.read_json("calibration.json")["tiers"][0])
        expected = calibration.apply(
            open_tier(artifact.tiers[0], lambda name: (tier / name).read_bytes()).logits(texts)
        )
        assert artifact.read("payoff.toml") == b"# the project\n"
        assert b"## What is not known" in artifact.read("card.md")
        facts, _ = split_front(artifact.read("card.md").decode())
        measured = {one["type"]: one["value"] for one in metrics_of(facts)}
        assert measured["accuracy"] == artifact.read_json("evidence.json")["quality"]["accuracy"]
        parts = artifact.read_json("sbom.json")["components"]
        assert "onnxruntime" in {one["name"] for one in parts}
    np.testing.assert_array_equal(desk.probabilities(texts), expected)
    decisions = desk.decide_many(texts)
    assert {d.action for d in decisions} <= {*LABELS, "handoff"}
    # 3p − 6(1 − p) against −2: acts from p = 4/9 on.
    for decision in decisions:
        assert (decision.action == "handoff") == (decision.probability < 4 / 9)
    assert plan.decide(texts[0]) == decisions[0]
    desk.close()


def test_a_finished_run_is_repeated_without_training(
    plan: Plan,
    requests: Dataset,
    worth: Payoff,
    backbones: tuple[str, str],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(label_study, "SHARE", 0.0)  # it trains what the first had no time for

    class Listener:
        def __init__(self) -> None:
            self.said: list[str] = []
            self.steps: list[str] = []

        def say(self, message: str) -> None:
            self.said.append(message)

        def step(self, what: str, done: float, total: float) -> None:
            self.steps.append(what)

    listener = Listener()
    before = {p.name for p in (folder / "all").iterdir()}
    # All in half the money: the same decisions, and the same ranks.
    cheaper = Payoff(correct=1.5, wrong=-3.0, handoff=-1.0, currency="USD")
    again = search(
        requests,
        cheaper,
        traffic=TRAFFIC,
        minutes=2,
        name="desk",
        runs=folder / "all",
        backbones=backbones,
        progress=listener,
    )
    assert "fine-tuning" not in listener.steps
    assert not any("a request on validation" in said for said in listener.said)
    assert again.name == plan.name
    new = {p.name for p in (folder / "all").iterdir()} - before
    assert new == {again.folder.name}, "other terms, the same trained folder"
    assert float(again.forecast.profit.mean) < float(plan.forecast.profit.mean)


def test_the_same_seed_gives_the_same_bytes(quick: Callable[..., Plan], tmp_path: Path) -> None:
    members = ("weights.npz", "ngrams.json", "calibration.json", "policy.json")
    plans = [quick(), quick(runs=tmp_path / "elsewhere")]
    opened = [Artifact.open(plan.artifact) for plan in plans]
    for member in members:
        assert opened[0].read(member) == opened[1].read(member)
    for artifact in opened:
        artifact.close()


def test_terms_are_of_the_worth_and_the_traffic_that_are_given(
    quick: Callable[..., Plan], worth: Payoff, folder: Path
) -> None:
    """Contradictory terms would judge by one payoff and report by another."""
    other = Payoff(correct=-9.0, wrong=-9.0, handoff=9.0, currency="USD")
    terms = Terms(
        other,
        Traffic(7),
        label_price=0.5,
        expected_mix=dict(zip(LABELS, (0.1, 0.2, 0.3, 0.4), strict=True)),
        llm={"model": "gpt-5-mini", "accuracy": 0.9},
        risk_aversion=0.3,
    )
    plan = quick(terms=terms)
    assert plan.summary["decision"]["profit_month"]["mean"] > 10_000
    api = next(r for r in plan.table if "gpt-5-mini" in r["name"])
    assert api["profit_month"] is not None
    lines = {line["what"]: line for line in plan.summary["cost_lines"]}
    assert any("label" in what for what in lines)
    energy = plan.summary["energy"]
    assert energy["requests_month"] == 40_000
    assert energy["cpu_s_request"] > 0
    month = energy["month"]
    assert month["cpu_s"] == pytest.approx(40_000 * energy["cpu_s_request"])
    assert month["kwh"] == pytest.approx(month["cpu_s"] * energy["watts_per_cpu"] / 3.6e6)
    assert month["grams_co2e"] is None, "no place of this machine is stated"


def test_rows_kept_apart_are_reported_on(quick: Callable[..., Plan]) -> None:
    kept = dataset_of([10, 10, 10, 10], seed=5)
    plan = quick(test=kept)
    assert plan.summary["split"]["test"] == 40


def test_what_is_hopeless_is_not_recommended(quick: Callable[..., Plan]) -> None:
    awful = Payoff(correct=0.01, wrong=-900.0, handoff=-9.0, currency="USD")
    plan = quick(dataset_of([40, 40, 40, 40], noise=0.6), value=awful)
    assert plan.summary["decision"]["sentence"].startswith("Do not deploy a model: “do nothing”")
    assert plan.summary["decision"]["recommended"] == "do nothing"
    assert plan.table[0]["name"] == "do nothing"


def test_a_stated_mix_and_a_fear_of_loss_reach_every_section(
    quick: Callable[..., Plan], worth: Payoff
) -> None:
    mix = {"billing": 0.7, "card": 0.1, "loan": 0.1, "refund": 0.1}
    terms = Terms(worth, TRAFFIC, expected_mix=mix, risk_aversion=0.5)
    summary = quick(terms=terms).summary
    cells = np.array(summary["confusion"]["money"])
    assert cells.shape == (4, 5)
    # The worlds let each label borrow one row of the others, and draw the mix.
    assert cells.sum() == pytest.approx(summary["accounts"]["e_model"], rel=0.1)
    values = worth.matrix(summary["confusion"]["labels"])
    requests = cells / values
    assert requests.sum(axis=1) / requests.sum() == pytest.approx([0.7, 0.1, 0.1, 0.1])
    assert summary["decision"]["risk_aversion"] == summary["scenarios"]["risk_aversion"] == 0.5
    best = summary["scenarios"]["scenarios"][0]["name"]
    assert best == f"build {summary['decision']['plan']}"
    assert summary["what_ifs"]["rows"][0]["recommended"] == summary["decision"]["plan"]
    lines = summary["cost_lines"]
    assert lines
    for line in lines:
        assert line["amount"] == pytest.approx(line["quantity"] * line["unit_price"])
    codes = [finding["code"] for finding in summary["findings"]]
    assert all(codes.count(code) == 1 for code in ("PF654", "PF655", "PF656"))


def test_a_recipe_that_does_not_exist(
    quick: Callable[..., Plan], requests: Dataset, worth: Payoff, runs: Path
) -> None:
    with pytest.raises(AdaptError, match="PF401") as told:
        search(requests, worth, traffic=TRAFFIC, only=("bag-of-word",), runs=runs)
    assert told.value.mend == "Did you mean 'bag-of-words'?"


def test_a_backbone_that_does_not_exist(requests: Dataset, worth: Payoff, runs: Path) -> None:
    with pytest.raises(BackboneError, match="PF301"):
        search(requests, worth, traffic=TRAFFIC, backbones=("minilm",), runs=runs)


def test_no_time_at_all(quick: Callable[..., Plan], runs: Path) -> None:
    with pytest.raises(AdaptError, match="PF403") as told:
        quick(minutes=1e-4, runs=runs)
    assert "bag-of-words C=1.0: it would take about" in told.value.found


def test_a_limit_that_no_host_holds(quick: Callable[..., Plan], worth: Payoff, runs: Path) -> None:
    with pytest.raises(EconomicsError, match="PF616"):
        quick(terms=Terms(worth, TRAFFIC, latency_limit_ms=1e-6), runs=runs)


def test_an_api_that_nobody_sells_is_told_before_the_work(
    quick: Callable[..., Plan], worth: Payoff, runs: Path
) -> None:
    with pytest.raises(EconomicsError, match="PF607"):
        quick(terms=Terms(worth, TRAFFIC, llm={"model": "gpt-5-minni"}), runs=runs)
    assert not list(runs.glob("trained-*/candidates"))


def test_without_time_to_train_on_all_rows_the_choice_is_kept(
    quick: Callable[..., Plan], runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conclusion, "_SPARE_SECONDS", 1e9)
    plan = quick(runs=runs)
    assert not list(runs.glob("trained-*/candidates/*-all"))
    n_train = plan.summary["split"]["train"]
    with Artifact.open(plan.artifact) as artifact:
        assert f"learnt from {n_train} rows".encode() in artifact.read("card.md")


def test_one_that_is_too_slow_does_not_end_the_search(
    requests: Dataset,
    worth: Payoff,
    backbones: tuple[str, str],
    runs: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def slow(answer: Callable[..., Any], texts: list[str], *, threads: int) -> Latency:
        if isinstance(getattr(answer, "__self__", None), TokenRuntime):
            return Latency(5000.0, 9000.0, 0.2, 1, 1, threads)
        return measure_latency(answer, texts, seconds=0.05, threads=threads)

    monkeypatch.setattr(options, "measure_latency", slow)
    plan = search(
        requests,
        worth,
        traffic=TRAFFIC,
        minutes=2,
        only=("static-head", "bag-of-words"),
        backbones=(*backbones, *backbones),
        terms=Terms(worth, TRAFFIC, latency_limit_ms=500.0),
        runs=runs,
    )
    assert plan.name.startswith("bag-of-words")
    refused = [r for r in plan.table if r["recipe"] == "static-head" or "static" in r["name"]]
    assert refused
    assert any("PF616" in r["why"] for r in refused)
    assert all(r["why"] and r["status"] != "chosen" for r in refused)


def test_weights_that_changed_under_one_name_are_learnt_from_anew(
    requests: Dataset, worth: Payoff, tmp_path: Path, runs: Path
) -> None:
    from tests.adapt.tiny_backbones import static_folder

    place = tmp_path / "table"
    for seed in (0, 1):
        static_folder(place, requests.texts, seed=seed)
        search(
            requests,
            worth,
            traffic=TRAFFIC,
            minutes=2,
            only=("static-head",),
            backbones=(str(place),),
            runs=runs,
        )
    assert len(list(runs.glob("trained-*"))) == 2


@pytest.mark.parametrize(
    ("texts", "first"),
    [
        (["où est ma carte"], "minilm-l6"),
        (["где моя карта"], "e5-small-multi"),
        (["card " * 30 + "卡"], "minilm-l6"),
        (["123 !"], "minilm-l6"),
        ([], "minilm-l6"),
    ],
)
def test_backbones_suit_the_script(texts: list[str], first: str) -> None:
    assert suited_backbones(texts) == (first, "wordllama-256")
