from __future__ import annotations

import ast
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from payoff.cli import main
from payoff.cli.main import SECTIONS, group, run_command_line
from payoff.core.errors import DataError, MachineError, Problems

Cli = Callable[..., Any]
VERBS = [verb for verbs in SECTIONS.values() for verb in verbs]


def test_every_file_with_a_command_is_a_verb_and_the_other_way_round() -> None:
    folder = Path(main.__file__).parent
    files = {
        path.stem
        for path in folder.glob("*.py")
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name == "command"
    }
    assert sorted(VERBS) == sorted(files)


def commands(command: click.Command, name: str) -> list[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        return [(name, command)]
    context = click.Context(command)
    found = []
    for child in command.list_commands(context):
        below = command.get_command(context, child)
        assert below is not None
        found += commands(below, f"{name} {child}".strip())
    return found


@pytest.mark.parametrize(("name", "command"), commands(group, ""))
def test_every_verb_takes_json_quiet_and_debug_and_explains_itself(
    name: str, command: click.Command
) -> None:
    options = {option for parameter in command.params for option in parameter.opts}
    assert {"--json", "--quiet", "--debug"} <= options
    assert command.help
    for parameter in command.params:
        assert (
            isinstance(parameter, click.Argument)
            or parameter.help
            or parameter.metavar
            or (parameter.name == "port")
        ), f"{name} {parameter.name}"


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["prices", "--help"], []])
def test_help_is_printed(cli: Cli, arguments: list[str]) -> None:
    ran = cli(*arguments)
    told = ran.out + ran.err
    assert "Usage: payoff" in told
    if arguments == ["--help"]:
        assert ran.code == 0
        assert all(f"  {verb} " in told for verb in VERBS)


def test_the_package_is_the_command_too() -> None:
    command = [sys.executable, "-m", "payoff", "frobnicate"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "PF290" in done.stderr
    assert "payoff.__main__" not in done.stderr


def test_version(cli: Cli) -> None:
    assert re.fullmatch(r"payoff \d+\.\d+\.\d+\n", cli("--version").out)


def test_a_mistyped_verb_is_told_with_the_near_one(cli: Cli) -> None:
    ran = cli("predct")
    assert ran.code == 2
    assert ran.err == "PF290 payoff: there is no verb 'predct'. Did you mean 'predict'?\n"
    assert ran.out == ""


def test_a_mistyped_option_is_told_as_json_where_json_was_asked_for(cli: Cli) -> None:
    ran = cli("prices", "list", "--json", "--regin", "eu")
    assert ran.code == 2
    assert ran.json["error"]["code"] == "PF290"
    assert "--region" in ran.json["error"]["found"]
    assert ran.err == ""


def raising(error: BaseException) -> Callable[..., None]:
    def main(**_: object) -> None:
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (DataError("PF101", "x.csv", "no such file"), 2, "PF101 x.csv: no such file.\n"),
        (MachineError("PF801", "x", "the disk is full"), 3, "PF801 x: the disk is full.\n"),
        (
            Problems([DataError("PF101", "a", "b"), MachineError("PF801", "c", "d")]),
            2,
            "2 problems:\n  PF101 a: b.\n  PF801 c: d.\n",
        ),
        (
            Problems([MachineError("PF801", "a", "b"), MachineError("PF801", "c", "d")]),
            3,
            "2 problems:\n  PF801 a: b.\n  PF801 c: d.\n",
        ),
    ],
)
def test_errors_give_exit_code_and_message(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, error: Exception, code: int, told: str
) -> None:
    monkeypatch.setattr(group, "main", raising(error))
    ran = cli("doctor")
    assert (ran.code, ran.err, ran.out) == (code, told, "")
    as_json = cli("doctor", "--json")
    assert as_json.code == code
    assert as_json.json["exit_code"] == code
    assert as_json.json["error"]["code"] == getattr(error, "code", "")


def test_a_defect_is_told_without_traceback_and_logged(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(group, "main", raising(ZeroDivisionError("secret of the inside")))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "logs"))
    ran = cli("doctor")
    assert ran.code == 70
    assert ran.err.startswith("PF899 payoff doctor: a defect in payoff (ZeroDivisionError).")
    assert "Traceback" not in ran.err
    (log,) = (tmp_path / "logs").iterdir()
    assert str(log) in ran.err
    assert "secret of the inside" in log.read_text("utf-8")
    assert log.stat().st_mode & 0o077 == 0
    assert "Traceback" in cli("doctor", "--debug").err


def test_ctrl_c_is_told_and_gives_130(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def command() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(group, "get_command", lambda *_: command)
    ran = cli("doctor")
    assert ran.code == 130
    assert ran.err.splitlines()[-1].startswith("PF806 payoff doctor: stopped;")


def test_an_exit_code_of_a_verb_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group, "main", lambda **_: 1)
    assert run_command_line([]) == 1
    monkeypatch.setattr(group, "main", lambda **_: None)
    assert run_command_line([]) == 0


def test_a_termination_signal_ends_the_work_as_ctrl_c_does() -> None:
    code = (
        "import time, click, payoff.cli.main as m\n"
        "@click.command()\n"
        "def command():\n    print('ready', flush=True)\n    time.sleep(60)\n"
        "m.group.get_command = lambda *_: command\n"
        "raise SystemExit(m.run_command_line(['doctor']))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 143
    assert "PF806 payoff doctor: stopped;" in told


def test_a_broken_pipe_is_quiet() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "wb") as broken:
        result = subprocess.run(
            [sys.executable, "-m", "payoff.cli.main", "prices", "--all-commitments"],
            stdout=broken,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert result.stderr == b""
    assert result.returncode == 1


def test_an_encoding_that_lacks_a_sign_does_not_end_the_run() -> None:
    start = time.monotonic()
    result = subprocess.run(
        [sys.executable, "-m", "payoff.cli.main", "prices", "check"],
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, b"")
    assert b"passed" in result.stdout
    assert time.monotonic() - start < 60


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["prices", "list"], 3, "PF801"),
        (["prices", "list", "--json"], 3, "PF801"),
        (["--help"], 3, "PF801"),
        (["nosuch", "--json"], 2, "PF290"),
    ],
)
def test_an_output_that_takes_nothing_more_is_told(
    arguments: list[str], code: int, told: str
) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "payoff.cli.main", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == code, done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
    with Path("/dev/full").open("wb") as full:
        silent = subprocess.run(
            [sys.executable, "-m", "payoff.cli.main", *arguments],
            stdout=full,
            stderr=full,
            check=False,
        )
    assert silent.returncode == code
