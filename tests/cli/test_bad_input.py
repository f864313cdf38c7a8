"""What a founder may state wrongly: each told with a code and with what to do about it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from payoff.cli.main import group
from payoff.cli.plans import show_doubts
from payoff.cli.terminal import Terminal

Cli = Callable[..., Any]
VALUE = 'currency = "USD"\ncorrect = 3\nwrong = -7\n'
HANDOFF = "handoff = -2\n"
PERSON = "[person]\nminutes = 4\nwage_per_hour = 30\n"
RATES = '[currency]\nas_of = 2026-01-01\nsource = "a bank"\n'


def write(folder: Path, value: str, traffic: str = "per_month = 1000", more: str = "") -> None:
    (folder / "payoff.toml").write_text(
        '[data]\npath = "tickets.csv"\ntext = "message"\nlabel = "intent"\n'
        f"[value]\n{value}\n[traffic]\n{traffic}\n{more}\n",
        "utf-8",
    )


WRONG = {
    "an amount that is missing": (VALUE.replace("wrong = -7\n", "") + HANDOFF, "", "PF203"),
    "an amount without end": (VALUE.replace("3", "inf") + HANDOFF, "", "PF203"),
    "a wage below nothing": (VALUE, PERSON.replace("30", "-30"), "PF203"),
    "people of no capacity": (VALUE, PERSON + "capacity_per_month = 0", "PF203"),
    "a currency in small letters": (VALUE.replace("USD", "usd") + HANDOFF, "", "PF610"),
    "a currency of nobody": (VALUE.replace("USD", "XYZ") + HANDOFF, "", "PF610"),
    "a floor of a label that is not there": (
        VALUE + HANDOFF, '[[floors]]\nlabel = "refnd"\nat_most = 0.2', "PF203",
    ),
    "a payoff of a label that is not there": (
        VALUE + HANDOFF + "[value.classes.refnd]\nwrong = -9", "", "PF203",
    ),
    "shares that do not sum to one": (
        VALUE + HANDOFF, "[mix]\nbilling = 0.5\ncard = 0.2\nrefund = 0.1", "PF612",
    ),
    "a share of nothing": (
        VALUE + HANDOFF, "[mix]\nbilling = 0.5\ncard = 0.5\nrefund = 0", "PF203",
    ),
    "a mix without a label": (VALUE + HANDOFF, "[mix]\nbilling = 0.5\ncard = 0.5", "PF612"),
    "a rate without a day": (
        VALUE + HANDOFF, RATES.replace("as_of = 2026-01-01\n", "") + "rates = {EUR = 1.1}", "PF203",
    ),
    "a rate below nothing": (VALUE + HANDOFF, RATES + "rates = {EUR = -1.1}", "PF602"),
    "currencies without a rate": (
        VALUE.replace("USD", "CNY") + HANDOFF, '[hosting]\nproviders = ["hetzner"]', "PF605",
    ),
    "a rate of a later day": (
        VALUE.replace("USD", "CNY") + HANDOFF,
        RATES.replace("2026", "2126") + 'rates = {EUR = 7.8}\n[hosting]\nproviders = ["hetzner"]',
        "PF605",
    ),
    "a day before all prices": (VALUE + HANDOFF, "[search]\nprices_on = 2001-01-01", "PF601"),
    "a provider without a price": (
        VALUE + HANDOFF, '[hosting]\nproviders = ["nobody"]', "PF203",
    ),
    "prices without a date": (VALUE + HANDOFF, '[hosting]\nprices = "dateless.csv"', "PF603"),
    "prices below nothing": (VALUE + HANDOFF, '[hosting]\nprices = "negative.csv"', "PF604"),
    "prices that are not there": (VALUE + HANDOFF, '[hosting]\nprices = "none.csv"', "PF602"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_run_tells_it_before_anything_is_trained(cli: Cli, tickets: Path, name: str) -> None:
    value, more, code = WRONG[name]
    header = "provider,service,kind,item,unit,currency,price,as_of,source\n"
    for file, row in (("dateless", "0.1,,me"), ("negative", "-0.1,2026-01-01,me")):
        (tickets.parent / f"{file}.csv").write_text(
            f"{header}cellar,rack,instance,a,hour,USD,{row}\n", "utf-8"
        )
    write(tickets.parent, value, more=more)
    ran = cli("run", ".", "--recipe", "bag-of-words", "--json")
    assert ran.code == 2
    told = ran.json["error"]
    assert told["code"] == code
    assert told["mend"] or told["expected"]
    assert not list(tickets.parent.glob("runs/*/candidates"))


@pytest.mark.parametrize("traffic", ["per_month = 0", "per_month = -5", "per_month = 9\nlow = 0"])
def test_traffic_of_nothing_is_told(cli: Cli, tickets: Path, traffic: str) -> None:
    write(tickets.parent, VALUE + HANDOFF, traffic)
    told = cli("run", ".", "--json").json["error"]
    assert told["code"] == "PF203"
    assert "above 0" in told["expected"]


def test_doubts_about_the_terms_are_printed_with_their_mend(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def finding(code: str, title: str, status: str = "failed") -> dict[str, str]:
        return {"code": code, "title": title, "status": status, "detail": "so.", "mend": "Mend it."}

    show_doubts(
        Terminal(),
        [
            finding("PF651", "Acting rightly is worth more than acting wrongly"),
            finding("PF654", "The plan pays back within the horizon", "passed"),
            finding("PF608", "No exchange rate in force is older than 90 days"),
            finding("PF608", "No price in force is older than 180 days"),
        ],
    )
    shown = capsys.readouterr().out
    assert "PF651 Acting rightly is worth more than acting wrongly: no, so.\n    Mend it." in shown
    assert "No exchange rate" in shown
    assert "No price in force" not in shown
    assert "1 check of data and prices failed" in shown
    assert "PF654" not in shown


ADD = ("prices", "add", "tencent", "S5.MEDIUM4", "0.35", "CNY", "--source", "a test")


def test_a_price_is_added_and_a_project_reckons_with_it(cli: Cli, tickets: Path) -> None:
    assert "PF603" in cli(*ADD).err
    ran = cli(*ADD, "--as-of", "2026-11-20", "--vcpu", "2")
    assert "1 appended to prices.csv" in ran.out
    assert '[hosting] prices = "prices.csv"' in " ".join(ran.out.split())
    again = cli(*ADD, "--as-of", "2026-11-20", "--vcpu", "2", "--json")
    assert again.json["added"] == []
    dearer = [*ADD, "--as-of", "2026-11-20"]
    dearer[4] = "0.36"
    assert "PF606" in cli(*dearer).err
    dearer[4] = "-0.36"
    assert "PF604" in cli(*dearer).err
    own = '[hosting]\nproviders = ["tencent"]\nprices = "prices.csv"'
    write(tickets.parent, VALUE.replace("USD", "CNY") + HANDOFF, more=own)
    from payoff.plan.project import Project

    terms = Project.read(tickets.parent).terms
    own = terms.prices.get(kind="instance", provider="tencent", service="cloud")
    assert own.source == "a test"


def test_a_refresh_that_reaches_nobody_changes_nothing(cli: Cli, tickets: Path) -> None:
    cli(*ADD, "--as-of", "2026-11-20")
    before = (tickets.parent / "prices.csv").read_bytes()
    ran = cli("prices", "refresh", "--from", "no-such-file.csv", "--json")
    assert ran.code == 2
    assert ran.json["error"]["code"] == "PF628"
    assert "Nothing was changed" in ran.json["error"]["mend"]
    assert (tickets.parent / "prices.csv").read_bytes() == before
    header = "provider,service,kind,item,unit,currency,price,as_of,source\n"
    row = "cellar,rack,instance,a,hour,USD,0.2,2026-01-01,me\n"
    (tickets.parent / "friend.csv").write_text(header + row, "utf-8")
    told = cli("prices", "refresh", "--from", "friend.csv", "--json")
    assert [price["provider"] for price in told.json["added"]] == ["cellar"]


def test_what_is_missing_is_told_by_the_check(cli: Cli) -> None:
    told = {one["title"]: one for one in cli("prices", "check", "--json").json["findings"]}
    assert "no price known for tencent" in told["Every kind of price of tencent is known"]["detail"]


COLUMNS = ("--text", "message", "--label", "intent")
STATED = ("--correct", "3", "--wrong", "-7", "--handoff", "-2", "--currency", "USD")
WORTH = (*STATED, "--per-month", "1000")


@pytest.mark.parametrize(
    "words",
    [
        ("run", "tickets.csv", *COLUMNS, *WORTH, "--minutes", "nan"),
        ("run", "tickets.csv", *COLUMNS, *WORTH, "--minutes", "inf"),
        ("run", "tickets.csv", *COLUMNS, *WORTH, "--seed", "-1"),
        ("run", "tickets.csv", *COLUMNS, *WORTH, "--seed", "4294967296"),
        ("tune", "tickets.csv", *COLUMNS, "--recipe", "bag-of-words", "--seed", "-1"),
        ("tune", "tickets.csv", *COLUMNS, "--recipe", "bag-of-words", "--minutes", "nan"),
        ("compress", "tickets.csv", *COLUMNS, *WORTH, "--most-lost", "nan"),
        ("compress", "tickets.csv", *COLUMNS, *WORTH, "--largest", "nan"),
        ("segment", "tickets.csv", "--text", "message", "--clusters", "2", "--seed", "-1"),
        ("prices", "check", "--max-age-days", "-1"),
        ("evaluate", "a.payoff", "tickets.csv", *COLUMNS, "--seconds", "inf"),
        ("evaluate", "a.payoff", "tickets.csv", *COLUMNS, "--seconds", "-1"),
    ],
)
def test_a_number_that_is_none_is_told(cli: Cli, tickets: Path, words: tuple[str, ...]) -> None:
    ran = cli(*words, "--json")
    assert (ran.code, ran.json["error"]["code"]) == (2, "PF290"), ran.json
    assert not (tickets.parent / "runs").exists()


def test_a_project_is_not_begun_in_a_file(cli: Cli, tickets: Path) -> None:
    ran = cli("init", "tickets.csv", "--json", *WORTH)
    assert (ran.code, ran.json["error"]["code"]) == (2, "PF290")
    assert "folder" in ran.json["error"]["expected"]


def test_a_price_for_a_file_that_is_no_utf8_is_told(cli: Cli, tickets: Path) -> None:
    (tickets.parent / "prices.csv").write_bytes("\u673a\u623f".encode("gb18030"))
    ran = cli(*ADD, "--as-of", "2026-11-20", "--json")
    assert (ran.code, ran.json["error"]["code"]) == (2, "PF602")


@pytest.mark.parametrize("verb", ["run", "compress"])
def test_a_place_for_the_artifact_that_is_a_folder_is_told_before_the_work(
    cli: Cli, tickets: Path, verb: str
) -> None:
    words = (verb, "tickets.csv", *COLUMNS, *WORTH, "--recipe", "bag-of-words", "--out", ".")
    ran = cli(*words, "--json")
    assert (ran.code, ran.json["error"]["code"]) == (3, "PF802")
    assert not (tickets.parent / "runs").exists()


LONG = "x" * 300
"""More letters than a file's name may have."""


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("inspect", f"{LONG}.csv", *COLUMNS), "PF290"),
        (("predict", LONG, "--text", "hi"), "PF290"),
        (("predict", "a.payoff", f"{LONG}.csv", "--text", "message"), "PF101"),
        (("evaluate", LONG, "tickets.csv", *COLUMNS), "PF501"),
        (("run", LONG, "--recipe", "bag-of-words"), "PF290"),
        (("plan", LONG), "PF290"),
        (("costs", LONG), "PF290"),
        (("prices", "list", "--file", LONG), "PF602"),
        (("prices", "refresh", "--file", LONG), "PF290"),
        (("init", LONG, *WORTH), "PF290"),
        (("export", LONG, "--target", "onnx"), "PF290"),
    ],
)
def test_a_name_that_no_file_has_is_no_defect(
    cli: Cli, tickets: Path, words: tuple[str, ...], code: str
) -> None:
    ran = cli(*words, "--json")
    assert (ran.code, ran.json["error"]["code"]) == (2, code)


@pytest.mark.parametrize(
    ("number", "code", "exit_code"),
    [(errno.EACCES, "PF290", 2), (errno.ENOSPC, "PF801", 3), (errno.EROFS, "PF802", 3)],
)
def test_what_the_system_refuses_is_no_defect(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, number: int, code: str, exit_code: int
) -> None:
    def refused(**_: object) -> None:
        raise OSError(number, os.strerror(number), "closed/tickets.csv")

    monkeypatch.setattr(group, "main", refused)
    ran = cli("inspect", "--json")
    assert (ran.code, ran.json["error"]["code"]) == (exit_code, code)
    assert ran.json["error"]["where"] == "closed/tickets.csv"


@pytest.mark.parametrize(
    "words",
    [
        ("costs", "empty.db"),
        ("journal", "export", "empty.db", "out"),
        ("versions", "list", "--journal", "empty.db"),
    ],
)
def test_a_file_that_is_no_journal_is_told_and_left(
    cli: Cli, tickets: Path, words: tuple[str, ...]
) -> None:
    for content in (b"", b"message,intent\nhi,card\n"):
        (tickets.parent / "empty.db").write_bytes(content)
        ran = cli(*words, "--json")
        assert (ran.code, ran.json["error"]["code"]) == (2, "PF293"), ran.json
        assert (tickets.parent / "empty.db").read_bytes() == content


def test_init_finds_the_data_from_a_folder_that_is_not_there_yet(cli: Cli, tickets: Path) -> None:
    ran = cli("init", "new", "--data", "tickets.csv", *STATED, "--per-month", "900", "--json")
    assert (ran.code, ran.json["error"]["code"]) == (2, "PF101")
    assert "--data ../tickets.csv" in ran.json["error"]["mend"]
    made = cli("init", "new", "--data", "../tickets.csv", *STATED, "--per-month", "900")
    assert made.code == 0, made.err
    assert cli("inspect", "new", "--json").json["n_rows"] == 90


def test_test_rows_of_other_labels_are_told_before_anything_is_trained(
    cli: Cli, tickets: Path
) -> None:
    text = tickets.read_text("utf-8").replace("number", "no")
    for label in ("billing", "card", "refund"):
        text = text.replace(f",{label}", f",other {label}")
    (tickets.parent / "test.csv").write_text(text, "utf-8")
    words = ("--recipe", "bag-of-words", "--minutes", "1", "--test", "test.csv")
    ran = cli("run", "tickets.csv", *COLUMNS, *WORTH, *words, "--json")
    assert (ran.code, ran.json["error"]["code"]) == (2, "PF106")
    assert "none of its 90 test rows has a label" in ran.json["error"]["found"]
    assert not list(tickets.parent.glob("runs/*/candidates"))
