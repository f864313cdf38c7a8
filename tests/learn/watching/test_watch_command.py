"""``payoff watch``: what is printed, whom it tells, and every code that it can end with."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.learn.watching.notify.receivers import http_receiver, smtp_receiver

from payoff.artifact.artifact import Artifact
from payoff.cli.main import run_command_line
from payoff.core.codes import catalogue
from payoff.learn.entry import Entry, now_utc, packed_probabilities
from payoff.learn.journal import Journal
from payoff.learn.watching.alert_book import AlertBook
from payoff.learn.watching.watched_model import WatchedModel, watched_model

N = 1600


@pytest.fixture
def artifact(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The frozen artifact, alone in the folder that we are in."""
    path = tmp_path / "desk.payoff"
    shutil.copy(repository / "tests/artifact/frozen/format-1.zip", path)
    monkeypatch.chdir(tmp_path)
    return path


def serve(artifact: Path, *, worse_from: int = N) -> WatchedModel:
    """A journal of decisions, the last of which are unsure."""
    model = watched_model(artifact)
    k = len(model.labels)
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(N, k))
    logits[np.arange(N), rng.integers(0, k, N)] += 5 + rng.random(N)
    logits[worse_from:] *= 0.05
    p = np.exp(logits)
    p /= p.sum(axis=1, keepdims=True)
    done = model.policy.decide(p)
    names = (*model.labels, "handoff")
    times = [now_utc(-86_400 * 8 * (1 - i / N)) for i in range(N)]
    entries = [
        Entry(
            f"r-{i}",
            model.sha256,
            "t",
            names[done.actions[i]],
            model.labels[p[i].argmax()],
            float(p[i].max()),
            float(done.values[i]),
            model.currency,
            1.0,
            times[i],
            probabilities=packed_probabilities(p[i]),
        )
        for i in range(N)
    ]
    with Journal.open(artifact.with_suffix(".journal.db")) as journal:
        journal.append(entries)
    return model


def asked(*words: str, capsys: pytest.CaptureFixture[str]) -> Any:
    assert run_command_line(["watch", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def code(*words: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert run_command_line(["watch", *words, "--json"]) != 0
    found = json.loads(capsys.readouterr().out)
    return str((found.get("error") or found)["code"])


def test_a_quiet_service(artifact: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = serve(artifact)
    found = asked(str(artifact), "--once", capsys=capsys)
    assert found["model"] == model.name
    assert found["raised"] == []
    assert found["loss"]["n_requests"] == N - 1000
    assert run_command_line(["watch", str(artifact)]) == 0
    shown = capsys.readouterr().out
    assert "PF754 Probabilities still mean what they say" in shown
    assert "Do nothing" in shown


def test_a_loss_is_told_once_and_can_be_silenced(
    artifact: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(artifact, worse_from=1100)
    monkeypatch.setenv("PAYOFF_WEBHOOK_SECRET", "shared")
    with http_receiver() as posts, smtp_receiver() as mail:
        channels = [
            "--webhook",
            f"http://127.0.0.1:{posts.server_port}/hook",
            "--mail",
            "ops@example.com",
            "--smtp",
            f"127.0.0.1:{mail.server_address[1]}",
        ]
        found = asked(str(artifact), *channels, capsys=capsys)
        again = asked(str(artifact), *channels, capsys=capsys)
    assert len(found["raised"]) == 1
    assert again["raised"] == []
    assert len(posts.got) == len(mail.letters) == 1
    assert "X-Payoff-Signature" in posts.got[0][1]
    assert [one["failure"] for one in found["deliveries"]] == ["", "", ""]
    alert = found["raised"][0]
    told = asked("silence", alert, "--for", "2d", capsys=capsys)
    assert told["silent_until_utc"] > now_utc(86_400 * 1.9)
    assert run_command_line(["watch", str(artifact)]) == 0
    assert "(silenced)" in capsys.readouterr().out


def test_a_channel_that_fails_does_not_end_the_look(
    artifact: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    serve(artifact, worse_from=1100)
    with http_receiver(404) as posts:
        url = f"http://127.0.0.1:{posts.server_port}/hook"
        found = asked(str(artifact), "--webhook", url, capsys=capsys)
        statuses = {one["code"]: one["status"] for one in found["findings"]}
        assert statuses["PF759"] == "failed"
        found = asked(str(artifact), "--webhook", url, capsys=capsys)
    statuses = {one["code"]: one["status"] for one in found["findings"]}
    assert statuses["PF759"] == "passed"
    assert len(posts.got) == 2


def test_looks_again_and_again_whatever_happens(
    artifact: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(artifact)
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 1:
            with Journal.open(artifact.with_suffix(".journal.db")) as journal:
                from sqlalchemy import text

                with journal.writing() as connection:
                    connection.execute(
                        text("UPDATE settings SET value = '{}' WHERE name LIKE 'reference%'")
                    )
        if len(waits) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", wait)
    assert run_command_line(["watch", str(artifact), "--every", "1h"]) == 130
    told = capsys.readouterr()
    assert waits == [3600.0, 3600.0]
    assert "PF750" in told.err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["desk.payoff", "--every", "2 moons"], "PF746"),
        (["desk.payoff", "--every", "1h", "--once"], "PF290"),
        (["desk.payoff", "--webhook", "ftp://x"], "PF749"),
        (["desk.payoff", "--mail", "ops@example.com"], "PF290"),
        (["desk.payoff", "--mail", "ops", "--smtp", "mail:25"], "PF749"),
        (["desk.payoff", "--journal", "nowhere.db"], "PF293"),
        (["nothing.payoff"], "PF501"),
        (["silence", "loss desk", "--for", "9y"], "PF746"),
        (["silence", "loss desk"], "PF745"),
        (["silence", "loss desk", "--journal", "nowhere.db"], "PF293"),
    ],
)
def test_what_is_wrong_is_told(
    artifact: Path, words: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    serve(artifact)
    assert code(*words, capsys=capsys) == expected


def test_every_code_of_watching_is_provoked_somewhere(repository: Path) -> None:
    text = "".join(
        path.read_text("utf-8") for path in (repository / "tests/learn/watching").rglob("test_*.py")
    )
    mine = [name for name in catalogue() if "PF745" <= name <= "PF759"]
    assert len(mine) == 15
    assert [name for name in mine if text.count(name) == 0] == []


def test_the_artifact_is_read_without_its_models(artifact: Path) -> None:
    model = watched_model(artifact)
    with Artifact.open(artifact) as opened:
        assert (model.name, model.sha256, model.labels) == (
            opened.name,
            opened.sha256,
            opened.labels,
        )
    with Journal.open("sqlite://") as journal:
        assert AlertBook(journal).states() == {}


def test_watching_needs_no_training_library(payoff_python: Callable[..., Any]) -> None:
    payoff_python(
        "import sys\n"
        "import payoff.learn.watching.watch\n"
        "import payoff.learn.watching.notify.mail, payoff.learn.watching.notify.webhook\n"
        "assert not {'torch', 'scipy', 'sklearn', 'polars'} & set(sys.modules)\n"
    )


@pytest.fixture
def payoff_python() -> Callable[[str], None]:
    import subprocess
    import sys

    def run(program: str) -> None:
        subprocess.run([sys.executable, "-c", program], check=True)

    return run
