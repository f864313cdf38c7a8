"""A model is made smaller as far as that pays, and a killed walk goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import payoff
from payoff.adapt.compress import JOINT, compressors
from payoff.adapt.compress.stages import STAGES
from payoff.core.errors import AdaptError
from payoff.data.dataset import Dataset
from payoff.economics.payoff import Payoff
from payoff.economics.traffic import Traffic
from payoff.plan import options
from payoff.plan.clock import Clock
from payoff.plan.compressing import walk
from payoff.plan.compressing.compress import Compressed, compress
from payoff.plan.compressing.last_choice import last_choice
from payoff.plan.compressing.limits import Limits
from payoff.plan.compressing.walk import Walk
from payoff.plan.job import Job
from payoff.plan.terms import Terms


@pytest.fixture(scope="module", autouse=True)
def few_compressors() -> Iterator[None]:
    """One a stage, and one that only the second pass has: each form takes half a second."""
    few = [one for one in compressors() if one.name in ("trim", "int8", "fp16", "zstd")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(walk, "compressors", lambda: few)
        yield


@pytest.fixture(scope="module")
def job(
    requests: Dataset,
    worth: Payoff,
    backbones: tuple[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Job:
    return Job(
        dataset=requests,
        terms=Terms(worth, Traffic(40_000)),
        minutes=5,
        name="desk",
        runs=tmp_path_factory.mktemp("compress") / "runs",
        backbones=backbones[:1],
    )


@pytest.fixture(scope="module")
def found(job: Job) -> Compressed:
    """A frozen head, walked as it is."""
    return compress(job, "frozen-head", students=False)


def forms_of(found: Compressed) -> list[dict[str, Any]]:
    forms: list[dict[str, Any]] = found.plan.summary["compression"]["forms"]
    return forms


def test_every_form_is_measured_on_validation_rows_and_one_is_chosen(found: Compressed) -> None:
    forms = forms_of(found)
    assert forms[0]["way"] == "fp32"
    assert forms[0]["lost"] == 0
    ways = [form["way"] for form in forms]
    assert "trim" in ways, "the first stage of the first form"
    assert any("int8" in way for way in ways)
    assert any(way.endswith("zstd") for way in ways), "the last stage"
    assert len(set(ways)) == len(ways)
    assert [form["status"] for form in forms].count("chosen") == 1
    for form in forms:
        assert form["size_bytes"] > 0
        assert form["p50_ms"] > 0
        assert form["lost"] == pytest.approx(100 * (forms[0]["accuracy"] - form["accuracy"]))
    chosen = next(form for form in forms if form["status"] == "chosen")
    assert chosen["profit"]["mean"] == max(form["profit"]["mean"] for form in forms)


def test_a_chain_has_each_stage_at_most_once_and_in_order(found: Compressed) -> None:
    stages = {one.name: STAGES.index(one.stage) for one in compressors()}
    for form in forms_of(found):
        if form["way"] != "fp32":
            steps = [stages[name] for name in form["way"].split(JOINT)]
            assert steps == sorted(set(steps))


def test_all_chains_are_walked_where_all_forms_are_on_the_frontier(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = replace(job, runs=tmp_path / "runs")
    monkeypatch.setattr(walk, "frontier", list)
    monkeypatch.setattr(walk, "BREADTH", 100)
    found = compress(own, "frozen-head", students=False)
    chains = [
        JOINT.join(step for step in (trim, bits, zstd) if step) or "fp32"
        for trim in ("", "trim")
        for bits in ("", "int8", "fp16")
        for zstd in ("", "zstd")
    ]
    assert sorted(form["way"] for form in forms_of(found)) == sorted(chains)


def test_what_was_chosen_is_the_artifact_and_stands_in_the_report(found: Compressed) -> None:
    chosen = next(form for form in forms_of(found) if form["status"] == "chosen")
    with payoff.load(found.plan.artifact) as desk:
        assert desk.decide("where is my card?").label in desk.labels
    page = found.plan.report.read_text("utf-8")
    assert "Smaller forms of the model" in page
    assert "Points lost against size of every form" in page
    assert chosen["model"] in page
    told = json.loads((found.plan.folder / "summary.json").read_text("utf-8"))
    assert told["compression"]["chosen"] == found.plan.name


def test_the_walk_of_a_killed_process_goes_on_behind_what_was_measured(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = replace(job, runs=tmp_path / "runs")
    measured: list[str] = []
    latency = options.measure_latency

    def counted(*args: Any, **more: Any) -> Any:
        measured.append("one")
        if len(measured) == 3:
            raise KeyboardInterrupt
        return latency(*args, **more)

    monkeypatch.setattr(options, "measure_latency", counted)
    with pytest.raises(KeyboardInterrupt):
        compress(own, "frozen-head", students=False)
    again = compress(own, "frozen-head", students=False)
    assert len(measured) == 1 + len(again.walked.options), "two were kept, one was broken off"
    assert not list(own.runs.glob("*/measured")), "and let go at the end"


def test_limits_that_nothing_holds_are_told_with_the_nearest(found: Compressed, job: Job) -> None:
    walked = found.walked
    with pytest.raises(AdaptError, match=r"PF415.*the nearest.*MB \(0.0001 at most\)"):
        Limits(largest_mb=0.0001).within(walked.options, walked.whole)
    held = Limits(largest_mb=1e6, slowest_ms=1e6, most_lost=100).within(
        walked.options, walked.whole
    )
    assert held == list(walked.options)
    floor = Limits(most_lost=0)
    for option in floor.within(walked.options, walked.whole):
        assert option.evidence.quality.accuracy >= walked.whole.evidence.quality.accuracy


def test_what_loses_too_much_is_not_built_on(job: Job, tmp_path: Path) -> None:
    own = replace(job, runs=tmp_path / "runs")
    walked = compress(own, "frozen-head", students=False, limits=Limits(most_lost=0)).walked
    limits = Limits(most_lost=0)
    lossy = {one.precision for one in walked.options if limits.loses_too_much(one, walked.whole)}
    for option in walked.options:
        assert not any(option.precision.startswith(f"{way}+") for way in lossy)


def test_a_model_without_smaller_forms_is_kept_and_said_to_be(job: Job, tmp_path: Path) -> None:
    own = replace(job, runs=tmp_path / "runs")
    found = compress(own, "bag-of-words", students=False)
    assert [form["way"] for form in forms_of(found)] == ["fp32"]
    assert found.sentence == "The model is kept as it is: no compressor serves one of its kind."


def test_time_that_is_over_is_told_and_what_is_there_decides(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = replace(job, runs=tmp_path / "runs")
    through = Walk.through

    def late(started: Walk, models: Any) -> Any:
        started.clock = Clock(0.0)
        return through(started, models)

    monkeypatch.setattr(Walk, "through", late)
    found = compress(own, "frozen-head", students=False)
    assert {one.why for one in found.walked.refused} == {"the time is over"}
    assert [one.precision for one in found.walked.options] == ["fp32", "zstd"]


def test_students_learn_from_the_model(job: Job, tmp_path: Path) -> None:
    own = replace(job, runs=tmp_path / "runs")
    found = compress(own, "frozen-head")
    models = {form["model"] for form in forms_of(found)}
    assert {name for name in models if name.startswith("student of")} == {
        "student of 2 of 2 layers in 4 bits",
        "student of 1 of 2 layers in 8 bits",
        "student of 1 of 2 layers in 4 bits",
    }


def test_the_last_run_says_which_recipe(job: Job, found: Compressed) -> None:
    assert last_choice(job.runs, "desk") == "", "a compression is no run"
    folder = job.runs / "desk-0000"
    folder.mkdir()
    plans = {"plans": [{"recipe": "lora", "status": "chosen"}]}
    (folder / "summary.json").write_text(json.dumps(plans), "utf-8")
    assert last_choice(job.runs, "desk") == "lora"
