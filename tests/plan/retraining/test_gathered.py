"""What is learnt from feedback, what judges, and what is left out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
from tests.plan.retraining.market import Market

from payoff.core.files import write_json
from payoff.core.findings import Status
from payoff.data.dataset import Dataset
from payoff.data.later import came_later
from payoff.learn.entry import Entry
from payoff.learn.feedback import Feedback, take
from payoff.learn.journal import Journal
from payoff.learn.labellers import LabellerLimits
from payoff.learn.versions import release
from payoff.plan.project import Project
from payoff.plan.retraining.feedback_dataset import with_feedback
from payoff.plan.retraining.gathered import Gathered, GatheringRules, LabelledRow
from payoff.plan.retraining.retrain import Wish
from payoff.plan.retraining.whether_it_pays import whether_it_pays

ROW = LabelledRow(
    "r-1", "a text", "card", "ann", "person", "2026-01-02", "c-1", "", False, "a" * 64, 1.0, "card",
    0.9,
)  # fmt: skip


def gathered(project: Project, journal: Journal, market: Market, **how: object) -> Gathered:
    rules = replace(GatheringRules(), **how)  # type: ignore[arg-type]
    return Gathered.of(journal, project.dataset(), known=market.desk.labels, rules=rules)


def codes(found: Gathered) -> dict[str, Status]:
    return {one.code: one.status for one in found.findings}


def test_judges_stay_judges_and_are_never_learnt(
    project: Project, journal: Journal, market: Market
) -> None:
    market.label(market.ask({"card": 100, "refund": 100}), "ann")
    first = gathered(project, journal, market)
    assert 0.2 < len(first.judges) / 200 < 0.4
    apart = {row.text for row in first.judges}
    assert not apart & {row.text for row in first.learnt}
    market.label(market.ask({"card": 100}), "ann")
    later = gathered(project, journal, market)
    assert apart <= {row.text for row in later.judges}
    assert later.fingerprint != first.fingerprint
    assert gathered(project, journal, market).fingerprint == later.fingerprint


def test_a_text_of_the_project_is_no_judge(
    project: Project, journal: Journal, market: Market
) -> None:
    market.label(market.ask({"card": 60}), "ann")
    found = gathered(project, journal, market)
    judge = found.judges[0].text
    told = Gathered.of(
        journal, project.dataset(), known=market.desk.labels, seen=[judge.upper() + "!"]
    )
    assert judge not in {row.text for row in told.judges}


def test_what_is_left_out_is_told(project: Project, journal: Journal, market: Market) -> None:
    market.label(market.ask({"card": 100, "loan": 3}), "ann")
    market.label(market.ask({"card": 10}, keep=False), "ann")
    take(journal, [Feedback("unknown", label="card")])
    limits = LabellerLimits(most_share=0.3)
    found = gathered(project, journal, market, limits=limits)
    assert found.n_labelled == 114
    assert codes(found) | {"PF784": Status.FAILED, "PF777": Status.FAILED} == codes(found)
    assert len(found.learnt) <= 0.3 * (120 + len(found.learnt))
    assert codes(found)["PF775"] in (Status.FAILED, Status.NOT_APPLICABLE)
    assert {row.label for row in found.learnt} == {"card"}


def test_a_label_is_written_as_the_project_writes_it(
    project: Project, journal: Journal, market: Market
) -> None:
    ids = market.ask({"card": 10})
    take(journal, [Feedback(one, label=" CARD ") for one in ids])
    found = gathered(project, journal, market)
    assert {row.label for row in (*found.learnt, *found.judges)} == {"card"}


def test_feedback_takes_the_columns_of_the_project() -> None:
    frame = pl.DataFrame(
        {"t": ["x", "y"], "l": ["a", "b"], "who": ["1", "2"], "at": ["2026-01-01"] * 2}
        | {"plan": ["free", "paid"], "other": [1, 2]}
    )
    roles = {"text": "t", "label": "l", "group": "who", "time": "at", "segment": "plan"}
    joined, note = with_feedback(Dataset.from_frame(frame, **roles), [ROW])
    assert note == ""
    assert joined.targets == ["a", "b", "card"]
    assert joined.column("group") == ["1", "2", "c-1"]
    assert joined.column("time")[-1] == "2026-01-02"
    assert joined.column("segment")[-1] == ""
    assert came_later(joined).tolist() == [2]


def test_times_that_are_no_dates_are_given_up_and_told() -> None:
    frame = pl.DataFrame({"t": ["x", "y"], "l": ["a", "b"], "at": ["1", "2"]})
    joined, note = with_feedback(Dataset.from_frame(frame, text="t", label="l", time="at"), [ROW])
    assert joined.time is None
    assert "'at' holds no dates" in note
    assert len(joined) == 3


def test_pairs_come_apart_again() -> None:
    frame = pl.DataFrame({"t": ["x", "y"], "u": ["v", "w"], "l": ["a", "b"]})
    pairs = Dataset.from_frame(frame, text="t", label="l", pair="u")
    joined, _ = with_feedback(pairs, [replace(ROW, text="one\x1ftwo")])
    assert joined.texts[-1] == "one\x1ftwo"


def test_the_learning_curve_tells_what_more_labels_bring(
    folder: Path, project: Project, journal: Journal, market: Market
) -> None:
    market.label(market.ask({"card": 100, "refund": 50}), "ann")
    told = whether_it_pays(project, journal, Wish())
    assert told.curve_gain_month is None
    assert told.n_new == 150
    points = [{"labels": 100, "gain": {"mean": 1200.0}}, {"labels": 400, "gain": {"mean": 2400.0}}]
    summary = {"horizon_months": 12, "labels": {"more": points}}
    write_json(folder / "runs" / "desk-zzz" / "summary.json", summary)
    told = whether_it_pays(project, journal, Wish())
    assert told.curve_gain_month is not None
    assert 99 < told.curve_gain_month < 130
    assert told.gain_month >= told.curve_gain_month
    assert told.pays
    assert "learning curve" in told.sentence or "earned less" in told.sentence


def test_labels_of_another_model_are_none_of_its(
    project: Project, journal: Journal, market: Market
) -> None:
    market.label(market.ask({"card": 100, "refund": 100}), "ann")
    alone = whether_it_pays(project, journal).as_dict()
    ids = [f"mood-{number:03d}" for number in range(60)]
    entry = Entry("", "f" * 64, "hash", "glad", "glad", 0.9, 1.0, "USD", 1.0)
    journal.append(
        [replace(entry, request_id=key) for key in ids],
        texts={key: f"how nice of you, {key}" for key in ids},
    )
    take(journal, [Feedback(key, label="glad", source="person", person="bob") for key in ids])
    assert whether_it_pays(project, journal).new_classes == {"glad": 60}  # nobody's, so its own
    release(journal, "mood", "f" * 64)
    assert whether_it_pays(project, journal).as_dict() == alone
