"""``payoff tune --trials`` and ``--track``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]
COLUMNS = ("--text", "message", "--label", "intent")
NOTES = """
class Notes:
    def __init__(self, folder):
        self.file = folder / "notes.txt"
        folder.mkdir(exist_ok=True)

    def note(self, line):
        with self.file.open("a") as file:
            file.write(line + "\\n")

    def start(self, name, params):
        self.note(f"start {name} {params['data']}")

    def metric(self, name, value, step):
        self.note(f"metric {name} {step}")

    def artifact(self, path):
        self.note(f"artifact {path.name}")

    def end(self, status):
        self.note(f"end {status}")
"""


@pytest.fixture
def plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "site"
    info = place / "payoff_lines-1.0.dist-info"
    info.mkdir(parents=True)
    (place / "payoff_lines.py").write_text(NOTES, "utf-8")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: payoff-lines\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[payoff.trackers]\nlines = payoff_lines:Notes\n")
    monkeypatch.syspath_prepend(str(place))


def test_tune_looks_for_better_settings(cli: Cli, tickets: Path) -> None:
    pytest.importorskip("optuna", reason="the extra 'sweep' is not installed")
    how = ("tune", tickets, *COLUMNS, "--recipe", "bag-of-words", "--trials", "3")
    ran = cli(*how, "--quiet")
    assert ran.code == 0, ran.err
    assert "the usual ones" in ran.out
    assert "chosen" in ran.out
    assert "usual" in ran.out.split("chosen")[1]
    facts = cli(*how, "--json", "--quiet").json
    assert [trial["number"] for trial in facts["trials"]] == [0, 1, 2]
    assert facts["trials"][0]["settings"] == {"C": 1.0}
    assert facts["best"]["test"] is None
    assert facts["space"] == {"C": {"low": 0.05, "high": 5.0, "log": True, "whole": False}}
    reported = cli(*how, "--minutes", "2", "--report", "--json", "--quiet").json
    assert reported["best"]["test"]["split"] == "test"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--recipe", "bag-of-words", "--trials", "2", "--processes", "2"), "PF290"),
        (("--recipe", "bag-of-words", "--trials", "2", "--task", "ordinal"), "PF290"),
        (("--recipe", "bag-of-words", "--track", "lines", "--task", "ordinal"), "PF290"),
        (("--recipe", "zero-shot", "--trials", "2", "--backbone", "wordllama-256"), "PF406"),
        (("--recipe", "bag-of-words", "--track", "lime"), "PF401"),
    ],
)
@pytest.mark.usefixtures("plug_in")
def test_what_cannot_be_done_is_told(
    cli: Cli, tickets: Path, arguments: tuple[str, ...], code: str
) -> None:
    if "--trials" in arguments:
        pytest.importorskip("optuna", reason="the extra 'sweep' is not installed")
    if "zero-shot" in arguments:
        from tests.adapt.tiny_backbones import encoder_folder

        backbone = str(encoder_folder(tickets.with_name("tiny"), ["my card is gone"] * 3))
        arguments = (*arguments[:-1], backbone)
    ran = cli("tune", tickets, *COLUMNS, *arguments, "--json", "--quiet")
    assert (ran.code, ran.json["error"]["code"]) == (2, code)


def test_no_trials_and_no_minutes_are_wrong_options(cli: Cli, tickets: Path) -> None:
    how = ("tune", tickets, *COLUMNS, "--recipe", "bag-of-words")
    assert cli(*how, "--trials", "0").code == 2
    assert cli(*how, "--minutes", "0").code == 2


@pytest.mark.usefixtures("plug_in")
def test_tune_and_run_are_written_down(cli: Cli, tickets: Path) -> None:
    how = (tickets, *COLUMNS, "--track", "lines", "--json", "--quiet")
    tuned = cli("tune", *how, "--recipe", "bag-of-words").json
    assert tuned["tracking"]["status"] == "passed"
    file = tickets.with_name("runs") / "notes.txt"
    lines = file.read_text("utf-8").splitlines()
    assert lines[0].startswith("start bag-of-words C=1.0 ")
    assert "metric validation/log_loss 100" in lines
    assert lines[-2:] == ["artifact bag-of-words_C=1.0.json", "end finished"]
    file.unlink()
    terms = ("--correct", "3", "--wrong", "-6", "--handoff", "-2", "--currency", "USD")
    ran = cli(
        "run", *how, "--recipe", "bag-of-words", *terms, "--per-month", "9000", "--minutes", "1"
    )
    assert ran.code == 0, ran.out
    assert ran.json["tracking"]["status"] == "passed"
    lines = file.read_text("utf-8").splitlines()
    assert sum(line.startswith("start ") for line in lines) == 2
    assert sum(line.startswith("end ") for line in lines) == 2
    assert any(line.startswith("artifact bag-of-words") for line in lines)
