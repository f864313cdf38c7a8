"""``payoff plan`` on the folder of a finished run: what-if and scenarios, without torch."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from tests.plan.label_run import write_label_run
from tests.plan.simulated_run import write_run

from payoff.cli.plans import show_plans
from payoff.cli.terminal import Terminal
from payoff.economics.payoff import Payoff
from payoff.economics.traffic import Traffic
from payoff.plan.terms import Terms

TERMS = Terms(
    Payoff(3, -7, -2, currency="USD"), Traffic(40_000, 30_000, 60_000), on=date(2026, 11, 22)
)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "runs" / "desk-1"
    folder.mkdir(parents=True)
    write_run(folder, TERMS)
    return folder


def test_what_if_for_people_and_for_machines(cli: Callable[..., Any], run: Path) -> None:
    words = ("--set", "traffic.per_month=100000", "--set", "value.wrong=-20")
    shown = cli("plan", run.parents[1], *words)
    assert shown.code == 0
    for part in ("if traffic.per_month=100000, value.wrong=-20", "now a month", "to be done"):
        assert part in shown.out
    told = cli("plan", run, *words, "--json").json
    assert told["changes"] == ["traffic.per_month=100000", "value.wrong=-20"]
    before, after = (
        {plan["name"]: plan["profit_month"]["mean"] for plan in told[side]["plans"] if
         plan["profit_month"]}
        for side in ("before", "after")
    )  # fmt: skip
    assert set(before) == set(after)
    assert after["people only"] == pytest.approx(2.5 * before["people only"])
    assert told["sentence"] in " ".join(shown.out.split())


def test_scenarios_for_people_and_for_machines(cli: Callable[..., Any], run: Path) -> None:
    shown = cli("plan", run, "--scenarios")
    assert shown.code == 0
    for part in ("build model 2", "wait 3 months", "people only", "do nothing", "Best: build"):
        assert part in shown.out
    told = cli(
        "plan", run, "--scenarios", "--wait", "1", "--wait", "6", "--set",
        "labels.price_each=5000", "--json",
    ).json  # fmt: skip
    names = [one["name"] for one in told["scenarios"]]
    assert {"wait 1 month, then build", "wait 6 months, then build"} <= set(names)
    assert [one["code"] for one in told["findings"] if one["status"] == "failed"] == ["PF654"]
    late = cli("plan", run, "--scenarios", "--set", "labels.price_each=5000")
    assert "PF654" in late.out
    assert "do nothing" in late.out.splitlines()[-1]


def test_wrong_words_are_told_with_their_code(cli: Callable[..., Any], run: Path) -> None:
    wrong = cli("plan", run, "--set", "traffic.per_mnth=1", "--set", "value.wrong=much")
    assert (wrong.code, wrong.out) == (2, "")
    assert "Did you mean 'traffic.per_month'?" in wrong.err
    assert "PF203" in wrong.err
    assert cli("plan", run, "--wait", "3").code == 2
    assert "PF618" in cli("plan", run, "--scenarios", "--wait", "12").err
    (run / "kept.json").unlink()
    assert "PF292" in cli("plan", run, "--set", "value.wrong=-9").err


def test_it_needs_neither_torch_nor_what_is_slow_to_import(
    payoff_command: Callable[..., Any], run: Path
) -> None:
    for name in ("torch", "transformers", "sklearn", "polars", "genai_prices"):
        (run.parent / f"{name}.py").write_text(f"raise SystemExit('{name} was imported')\n")
    done = payoff_command(
        "plan", run, "--set", "value.wrong=-9", "--json", PYTHONPATH=str(run.parent)
    )
    assert done.code == 0, done.err
    assert json.loads(done.out)["after"]["chosen"] == "model 2"


@pytest.fixture
def labelled(tmp_path: Path, artifact: Path) -> Path:
    """A run with its label curve and an artifact for the same labels."""
    folder = tmp_path / "runs" / "desk-2"
    folder.mkdir(parents=True)
    write_label_run(folder, TERMS)
    (folder / "desk.payoff").write_bytes(artifact.read_bytes())
    return folder


def test_labels_for_people_and_for_machines(cli: Callable[..., Any], labelled: Path) -> None:
    words = ("--labels", "--set", "labels.price_each=5")
    shown = cli("plan", labelled, *words)
    assert shown.code == 0
    told = cli("plan", labelled, *words, "--json").json
    assert told["sentence"] in " ".join(shown.out.split())
    assert told["changes"] == ["labels.price_each=5"]
    assert told["first"] is None
    assert "bring over the horizon" in shown.out


def test_which_texts_to_label_first(
    cli: Callable[..., Any], labelled: Path, tmp_path: Path
) -> None:
    lines = ["where is my money", "where is my money", "", "my card is lost", "zebra", "a fee"]
    more = tmp_path / "more.csv"
    more.write_text("message\n" + "\n".join(f'"{line}"' for line in lines) + "\n", "utf-8")
    words = ("--labels", "--texts", more, "--text", "message", "--count", "3")
    chosen = tmp_path / "chosen.csv"
    shown = cli("plan", labelled, *words, "--write", chosen)
    assert shown.code == 0, shown.err
    told = cli("plan", labelled, *words, "--json").json
    first = told["first"]
    assert first["n_given"] == 4, "repetitions and empty texts are left out"
    assert len(first["texts"]) == 3
    with chosen.open(newline="", encoding="utf-8") as file:
        written = list(csv.DictReader(file))
    assert [row["text"] for row in written] == [one["text"] for one in first["texts"]]
    assert {row["label"] for row in written} == {""}
    for one in first["texts"]:
        assert lines[one["row"]] == one["text"]
        assert one["value_of_truth"] >= 0
        assert one["worth"] == pytest.approx(told["next_label"]["mean"] * one["reach"], rel=1e-3)


def test_wrong_words_for_labels(cli: Callable[..., Any], labelled: Path, run: Path) -> None:
    texts = cli("plan", run, "--texts", "more.csv")
    assert "PF290 --texts: it goes with --labels" in texts.err
    column = cli("plan", labelled, "--labels", "--texts", labelled / "more.csv")
    assert "Add: --text COLUMN" in column.err
    (labelled / "label_curve.json").unlink()
    assert "PF292" in cli("plan", labelled, "--labels").err


def test_the_project_file_stands_for_its_folder(cli: Callable[..., Any], run: Path) -> None:
    (run.parents[1] / "payoff.toml").write_text("", "utf-8")
    told = cli("plan", run.parents[1] / "payoff.toml", "--json")
    assert told.code == 0, told.out
    assert told.json == cli("plan", run, "--json").json


def test_a_summary_that_cannot_be_read_is_told(cli: Callable[..., Any], run: Path) -> None:
    (run / "summary.json").write_text('{"plans": ', "utf-8")
    told = cli("plan", run)
    assert (told.code, told.out) == (2, "")
    assert "PF291" in told.err


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (("--labels", "--write", "x.csv"), "--write"),
        (("--labels", "--count", "3"), "--count"),
        (("--labels", "--text", "message"), "--text"),
        (("--text", "message"), "--text"),
        (("--labels", "--scenarios"), "--scenarios"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(
    cli: Callable[..., Any], labelled: Path, words: tuple[str, ...], option: str
) -> None:
    told = cli("plan", labelled, *words, "--json")
    assert told.code == 2, told.out
    assert told.json["error"]["code"] == "PF290"
    assert option in told.json["error"]["where"] + told.json["error"]["found"]


def test_a_cost_of_nothing_is_told_as_money(capsys: pytest.CaptureFixture[str]) -> None:
    plan = dict.fromkeys(
        ("accuracy", "automated_share", "latency_p95_ms", "size_bytes", "profit_month")
    )
    told = {"name": "do nothing", "status": "lost", "split": "test", "why": ""}
    rows = [{**plan, **told, "cost_month": cost} for cost in (0.0, None)]
    show_plans(Terminal(), {"currency": "EUR", "plans": rows, "findings": []})
    first, second = [line for line in capsys.readouterr().out.splitlines() if "nothing" in line]
    assert "0.00 EUR" in first
    assert "EUR" not in second
