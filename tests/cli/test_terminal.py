from __future__ import annotations

import io
import json

import pytest
from rich.cells import cell_len

from payoff.cli import terminal as module
from payoff.cli.terminal import Terminal


def test_show_prints_json_or_calls_people(capsys: pytest.CaptureFixture[str]) -> None:
    called: list[int] = []
    Terminal(as_json=True).show({"b": 1, "a": "退款"}, lambda: called.append(1))
    assert json.loads(capsys.readouterr().out) == {"a": "退款", "b": 1}
    assert not called
    Terminal().show({}, lambda: called.append(1))
    assert called == [1]
    assert capsys.readouterr().out == ""


def test_progress_is_a_line_now_and_then_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 0.0, 3.0, 6.0, 7.0, 20.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    terminal = Terminal()
    for done in (0, 30, 60, 70, 100):  # at 0, 3, 6, 7 and 20 seconds
        terminal.step("train", done, 100)
    assert capsys.readouterr().err.splitlines() == ["train: 60%, about 4 s left", "train: 100%"]


def test_work_of_unknown_size_is_no_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 60.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    Terminal().step("search", 1, 0)
    assert capsys.readouterr().err == ""


def test_quiet_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal(quiet=True)
    terminal.step("train", 1, 2)
    terminal.say("hello")
    assert capsys.readouterr().err == ""


class FakeTerminal(io.StringIO):
    """Text that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


def test_bars_on_a_terminal_are_gone_when_done(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = FakeTerminal()
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    terminal.step("train", 1, 4)
    terminal.step("export [x]", 1, 0)
    terminal.say("half-way [done]")
    terminal.step("train", 4, 4)
    terminal.close()
    told = stream.getvalue()
    assert "train" in told
    assert "export [x]" in told
    assert "half-way [done]" in told
    assert "\x1b[2K" in told  # erased
    terminal.close()  # once more does nothing


def test_a_table_prints_cells_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()
    terminal.table(("name", "n"), [("[bold]a[/bold]", "1"), ("卡", "22")], right=("n",))
    out = capsys.readouterr().out
    assert "[bold]a[/bold]" in out
    assert "卡" in out


COLUMNS = (
    "plan",
    "accuracy",
    "alone",
    "p95 ms",
    "MB",
    "cost a month",
    "profit a month",
    "5 to 95 %",
)
ROWS = [
    ("bag-of-words C=0.2 fp32", "96.8%", "100%", "0.1", "0.0", "0.0238 USD", "107,618 USD",
     "80,855 USD to 136,998 USD"),
    ("人工处理所有请求", "–", "–", "–", "–", "80,349 USD", "40,108 USD",
     "24,245 USD to 56,964 USD"),
]  # fmt: skip


@pytest.mark.parametrize("width", [20, 40, 60, 70, 80, 100, 120, 140])
def test_no_number_of_a_table_is_cut(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    Terminal().table(COLUMNS, ROWS, right=COLUMNS[1:], title="2026-11")
    shown = capsys.readouterr().out
    assert "\u2026" not in shown
    assert "2026-11" in shown
    words = set(shown.split())
    for row in ROWS:
        assert set(" ".join(row[1:]).split()) <= words
    assert max(cell_len(line) for line in shown.splitlines()) <= width


def test_a_table_that_fits_is_as_wide_as_it_wants(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal().table(("a", "b"), [("one two", "1,000"), ("", "")], right=("b",))
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "", " a             b", " " + "\u2500" * 15, " one two   1,000", "", "",
    ]  # fmt: skip
    Terminal().table(("a", "b"), [])
    assert "a" in capsys.readouterr().out
