"""What the README shows is run on the sample data, with a shorter budget."""

from __future__ import annotations

import csv
import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from payoff.adapt.backbones.find import find
from payoff.adapt.backbones.installation import installed
from payoff.learn.journal import Journal

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")
BACKBONES = ("minilm-l6", "wordllama-256")
PAYOFF = str(Path(sys.executable).with_name("payoff"))
PROJECT = """
name = "support"
[data]
path = "tickets.csv"
text = "message"
label = "intent"
[value]
currency = "USD"
correct = 3.2
wrong = -7.5
handoff = -4.1
[traffic]
per_month = 40000
"""


def block(language: str, containing: str) -> str:
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.S | re.M)
    return next(text for text in blocks if containing in text)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    missing = [name for name in BACKBONES if not installed(find(name))]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)} (payoff backbones install …)")
    folder = tmp_path_factory.mktemp("readme")
    with (ROOT / "examples/support/messages.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["message"].isascii()]
    common = {"card_stolen", "card_lost", "fee_question", "refund_missing", "limits"}
    rows = [row for row in rows if row["intent"] in common]
    for name, part in (("tickets.csv", rows[::2]), ("test.csv", rows[1::2])):
        with (folder / name).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(part)
    (folder / "payoff.toml").write_text(PROJECT, "utf-8")
    return folder


def test_the_python_example_runs(project: Path) -> None:
    code = block("python", "import payoff").replace("minutes=10", "minutes=0.25")
    assert "minutes=0.25" in code
    code += "\nprint(desk.decide('my card was stolen').action)\n"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "USD" in done.stdout.splitlines()[0]
    assert (project / "support.payoff").is_file()


def test_the_commands_run(project: Path) -> None:
    lines = [line.split("#")[0].strip() for line in block("console", "payoff init").splitlines()]
    ran = []
    for line in lines:
        words = line.replace("NAME", "support").split()[1:]
        if words[0] == "init":
            words += ["--help"]  # it asks questions; tests/cli answers them
        if words[0] in ("run", "compress"):
            words += ["--minutes", "0.25"]
        if words[0] == "serve":
            serve(project, words)
            with Journal.open(project / "support.journal.db") as journal:
                (decided,) = journal.read()
            told = f"request_id,label\n{decided.request_id},card_stolen\n"
            (project / "told.csv").write_text(told, "utf-8")
        else:
            done = subprocess.run(
                [PAYOFF, *words], cwd=project, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, (words, done.stderr)
        ran.append(words[0])
    verbs = (
        "init inspect run plan plan plan segment costs tune evaluate compress export serve"
        " feedback watch doctor"
    )
    assert " ".join(ran) == verbs


def serve(project: Path, words: list[str]) -> None:
    """Start the service, ask it once, and stop it as an operator would."""
    port = "18377"
    server = subprocess.Popen(
        [PAYOFF, *words, "--port", port], cwd=project, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/decide",
        data=json.dumps({"text": "my card was stolen"}).encode(),
        headers={"content-type": "application/json"},
    )
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    assert json.load(answer)["decision"]["action"]
                break
            except OSError:
                assert time.monotonic() < deadline
                assert server.poll() is None
                time.sleep(0.1)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)
