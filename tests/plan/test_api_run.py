"""An API as a tier of what ``payoff run`` finds, over real HTTP: paid, booked, capped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.artifact.chat_server import ChatServer, Reply, serving
from tests.plan.coded_messages import answers_of, unknown_messages, upper_tier, write_project

from payoff.artifact.runtime.endpoint_budget import EndpointBudget
from payoff.core.money import Money
from payoff.economics.costs import Step
from payoff.economics.desk import load
from payoff.learn.journal import Journal

Cli = Callable[..., Any]
RUN = ("--recipe", "bag-of-words", "--recipe", "api", "--json", "--quiet")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ChatServer]:
    with serving(ChatServer(answers_of(upper_tier()))) as running:
        for name, value in environment(running, tmp_path).items():
            monkeypatch.setenv(name, value)
        yield running


def environment(server: ChatServer, folder: Path, cap: str = "1000 USD") -> dict[str, str]:
    return {
        "PAYOFF_ENDPOINT": server.url,
        "PAYOFF_ENDPOINT_MODEL": "upper",
        "PAYOFF_ENDPOINT_PRICE": "10000 20000 USD",  # 1 and 2 cents a token
        "PAYOFF_ENDPOINT_CAP": cap,
        "PAYOFF_ENDPOINT_BOOK": str(folder / "book.db"),
        "OPENAI_API_KEY": "mine",
    }


def charged(server: ChatServer) -> Decimal:
    """What the server has charged, in dollars."""
    return Decimal(sum(read + 2 * written for read, written in server.charged)) / 100


def booked(journal: Path) -> Decimal:
    """What the journal says of the endpoint, in dollars."""
    with Journal.open(journal) as books:
        lines = [one.line for one in books.bookings() if one.line.step is Step.API]
    return sum((line.amount.amount for line in lines), Decimal(0))


def test_a_run_finds_books_and_ships_a_cascade_with_an_api(
    server: ChatServer, cli: Cli, tmp_path: Path
) -> None:
    folder = write_project(tmp_path / "desk")
    ran = cli("run", folder, *RUN)
    assert ran.code == 0, ran.out
    cascade = ran.json["cascade"]
    assert cascade["chosen"]
    first, last = cascade["tiers"]
    assert first["name"].startswith("bag-of-words")
    assert last["name"].startswith("api")
    assert 0.1 < last["reached"] < 0.6
    n_rows = ran.json["split"]["validation"] + ran.json["split"]["test"]
    assert len(server.bodies) == n_rows, "every row is asked about once"
    assert booked(folder / "desk.journal.db") == charged(server) > 0
    # What a month of it costs, by hand: mean tokens, rounded up to whole ones, at the stated price.
    n_validation = ran.json["split"]["validation"]
    read, written = (
        -(-sum(one[kind] for one in server.charged[:n_validation]) // n_validation)
        for kind in (0, 1)
    )
    assert last["cost"] == pytest.approx((read + 2 * written) / 100)
    finding = next(one for one in ran.json["findings"] if one["code"] == "PF622")
    assert finding["status"] == "not checked"
    with load(ran.json["artifact"]) as desk:
        decisions = desk.decide_many(["invoice charge statement", *unknown_messages(5)])
    assert decisions[0].tier == first["name"]
    n_asked = [one.tier for one in decisions].count(last["name"])
    assert n_asked > 0
    assert len(server.bodies) == n_rows + n_asked


def test_a_job_beyond_the_budget_is_refused_before_anything_is_trained(
    server: ChatServer, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_project(tmp_path / "desk", budget=20.0)
    ran = cli("run", folder, *RUN)
    assert (ran.code, ran.json["error"]["code"]) == (2, "PF620")
    told = ran.json["error"]["found"]
    assert "20.0000 USD are left" in told
    most = Decimal(told.rsplit("would cost about ", 1)[1].split()[0])
    assert "expected" in told
    assert most > 20
    assert not list(folder.glob("runs/*/candidates/*"))
    assert cli("tune", folder, "--recipe", "api", "--json", "--quiet").json["error"]["code"] == (
        "PF620"
    )
    dry = cli("tune", folder, "--recipe", "api", "--dry-run", "--json", "--quiet").json
    assert dry["budget"]["within"] is False
    assert dry["budget"]["left"] == pytest.approx(20.0, abs=0.01)
    assert "it would be refused (PF620)" in cli("tune", folder, "--recipe", "api", "--dry-run").out
    monkeypatch.delenv("PAYOFF_ENDPOINT_CAP")
    monkeypatch.delenv("PAYOFF_ENDPOINT_PRICE")
    assert cli("run", folder, *RUN).json["error"]["code"] == "PF629"
    monkeypatch.delenv("PAYOFF_ENDPOINT")
    assert cli("run", folder, *RUN).json["error"]["code"] == "PF405"
    assert not server.bodies


PROGRAM = """
import sys
from functools import partial
from payoff.artifact.runtime.endpoint_budget import EndpointBudget
from payoff.cli.main import run_command_line
from payoff.evidence.latency import measure_latency
from payoff.plan.labels import label_study
from payoff.plan import options
from payoff.plan.report import render

EndpointBudget.__init__.__kwdefaults__["wait_s"] = 0.2
options.measure_latency = partial(measure_latency, seconds=0.05)
label_study.SHARE = 0.0
render.render = lambda summary: ""
sys.exit(run_command_line(sys.argv[1:]))
"""


def test_a_cap_that_is_reached_leaves_the_other_models(
    server: ChatServer, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAYOFF_ENDPOINT_CAP", "10 USD")
    folder = write_project(tmp_path / "desk")
    ran = cli("run", folder, *RUN)
    assert ran.code == 0, ran.out
    api = next(one for one in ran.json["plans"] if one["name"].startswith("api"))
    assert "PF815" in api["why"]
    assert ran.json["decision"]["plan"].startswith("bag-of-words")
    assert 0 < charged(server) <= 10
    assert booked(folder / "desk.journal.db") == charged(server), "what was answered is booked"


def begun(folder: Path, repository: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "run", str(folder), *RUN[2:]],
        cwd=repository,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_cap_holds_over_a_kill_and_two_runs_at_the_same_time(
    server: ChatServer, tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each run needs about 50 dollars: what the killed one spent and both need is beyond 75."""
    monkeypatch.setenv("PAYOFF_ENDPOINT_CAP", "75 USD")
    first, second = (write_project(tmp_path / name, seed=n) for n, name in enumerate("ab"))
    answer = server.choose
    running = begun(first, repository)

    def kill_at_20(messages: list[dict[str, str]]) -> Reply:
        if len(server.bodies) >= 20:
            os.kill(running.pid, signal.SIGKILL)
        return answer(messages)

    server.choose = kill_at_20
    running.communicate(timeout=120)
    assert running.returncode == -signal.SIGKILL
    server.choose = answer
    n_killed, before = len(server.bodies), charged(server)
    assert 20 <= n_killed < 30
    both = [begun(folder, repository) for folder in (first, second)]
    told = [process.communicate(timeout=120) for process in both]
    spent = EndpointBudget(tmp_path / "book.db", money=Money.of(75, "USD")).money_used
    assert spent is not None
    assert before < charged(server) <= spent.amount <= 75
    # The cap is reached in the search, or at the report: both end with its code.
    limited = [out for process, (out, _) in zip(both, told, strict=True) if process.returncode]
    assert limited, told
    assert all("PF815" in out for out in limited), told
    # All that came back is booked once, also what the killed process had paid for; what was under
    # way when it was killed came back to nobody.
    books = sum(booked(folder / "desk.journal.db") for folder in (first, second))
    each = charged(server) / len(server.charged)
    assert charged(server) - 9 * each < books <= charged(server)
    asked = [body["messages"][-1]["content"] for body in server.bodies]
    assert len(asked) - len(set(asked)) <= 8, "no answer is paid for twice"
