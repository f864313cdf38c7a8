from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.adapt.recipes.test_contract import check, files, learn_from
from tests.adapt.tiny_backbones import decoder_folder
from tests.artifact.chat_server import ChatServer, Fault, Reply, said, sampled, serving

from payoff.adapt.recipes.api import Api
from payoff.adapt.recipes.prompt_template import spoken
from payoff.adapt.workbench import Workbench
from payoff.artifact.runtime.paid_answers import FILE, PaidAnswers
from payoff.core.errors import AdaptError, MachineError

Make = Callable[..., Any]


@pytest.fixture(scope="module")
def answers(
    tmp_path_factory: pytest.TempPathFactory, corpus: list[str]
) -> Callable[[tuple[str, ...]], Callable[[list[dict[str, str]]], Reply]]:
    """Answers of a real, tiny decoder: the most probable of some labels after the whole chat."""
    from payoff.adapt.backbones.tokenizer import load_tokenizer
    from payoff.adapt.engine.decoder_file import load_decoder
    from payoff.adapt.engine.label_scores import LabelScorer
    from payoff.artifact.runtime.prompt import Prompt

    folder = decoder_folder(tmp_path_factory.mktemp("llama") / "tiny-llama", corpus)
    decoder, tokenizer = load_decoder(folder), load_tokenizer(folder)

    def of(labels: tuple[str, ...]) -> Callable[[list[dict[str, str]]], Reply]:
        def choose(messages: list[dict[str, str]]) -> Reply:
            before = " ".join(message["content"] for message in messages[:-1])[-300:]
            prompt = Prompt(before, "\nLabel:", labels, 64, by_token=True)
            scores = LabelScorer(decoder, tokenizer, prompt).scores([messages[-1]["content"]])[0]
            odds = np.exp(scores.astype(np.float64) - scores.max())
            return sampled(labels, (odds / odds.sum()).tolist())

        return choose

    return of


@pytest.fixture(scope="module")
def running() -> Iterator[ChatServer]:
    with serving(ChatServer(lambda messages: said("nothing"))) as server:
        yield server


@pytest.fixture
def server(running: ChatServer, monkeypatch: pytest.MonkeyPatch) -> ChatServer:
    running.reset(lambda messages: said("nothing"))
    running.key = "mine"
    monkeypatch.setenv("OPENAI_API_KEY", "mine")
    monkeypatch.setenv("PAYOFF_ENDPOINT", running.url)
    monkeypatch.setenv("PAYOFF_ENDPOINT_MODEL", "tiny")
    return running


class Listener:
    def __init__(self) -> None:
        self.said: list[str] = []

    def step(self, what: str, done: float, total: float) -> None: ...

    def measured(self, what: str, value: float, step: int) -> None: ...

    def say(self, message: str) -> None:
        self.said.append(message)


@pytest.fixture
def make(make_bench: Make) -> Callable[..., Workbench]:
    def bench(name: str, **options: Any) -> Workbench:
        texts, targets, n_train = learn_from(name)
        made: Workbench = make_bench(texts, targets, [], n_train=n_train, **options)
        return replace(made, progress=Listener())

    return bench


def said_by(bench: Workbench) -> str:
    assert isinstance(bench.progress, Listener)
    return "\n".join(bench.progress.said)


def started(bench: Workbench, **settings: Any) -> Any:
    (candidate,) = Api().standard(bench)
    values = {**dict(candidate.settings), **settings}
    return Api().start(replace(candidate, settings=tuple(values.items())), bench)


@pytest.mark.parametrize(("name", "shots"), [("two classes", 0), ("twelve classes", 3)])
def test_the_recipe_keeps_its_promises(
    name: str,
    shots: int,
    make: Callable[..., Workbench],
    server: ChatServer,
    answers: Any,
    tmp_path: Path,
) -> None:
    bench, again = make(name), make(name, folder="elsewhere")
    server.choose = answers(spoken(bench.labels))
    candidate, logits = check(Api(), bench, tmp_path, shots=shots)
    assert len(server.bodies) == 2 * len(bench.validation)  # once by the recipe, once served
    second = Api().start(candidate, again)
    second.advance(1.0)
    np.testing.assert_array_equal(second.logits(again.validation), logits)
    (tmp_path / "saved again").mkdir()
    second.save(tmp_path / "saved again")
    Api().export(candidate, again, tmp_path / "saved again", tmp_path / "tier again")
    assert files(tmp_path / "tier again") == files(tmp_path / "tier")
    everything = b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
    assert b"mine" not in everything
    assert all(len(body["messages"]) == 2 + 2 * shots for body in server.bodies)


def test_nothing_is_sent_twice(
    make: Callable[..., Workbench], server: ChatServer, answers: Any, tmp_path: Path
) -> None:
    bench = make("two classes")
    server.choose = answers(spoken(bench.labels))
    first = started(bench)
    first.advance(1.0)
    logits = first.logits(bench.validation)
    asked = len(server.bodies)
    np.testing.assert_array_equal(started(bench).logits(bench.validation), logits)
    first.save(tmp_path)
    elsewhere = make("two classes", folder="elsewhere")  # the run's folder was tidied up
    restored = started(elsewhere)
    restored.restore(tmp_path)
    np.testing.assert_array_equal(restored.logits(elsewhere.validation), logits)
    assert len(server.bodies) == asked == len(bench.validation)
    assert restored.usage() == first.usage()


def test_usage_is_counted_and_told(
    make: Callable[..., Workbench], server: ChatServer, tmp_path: Path
) -> None:
    bench = make("two classes")
    server.schema = False
    replies = deque(["label 00", "who knows", *["label 01"] * 18])
    server.choose = lambda messages: said(replies.popleft())
    attempt = started(bench, max_parallel=1)
    scores = attempt.logits(bench.validation)
    assert scores.argmax(axis=1).tolist()[2:] == [1] * 18
    usage = attempt.usage()
    assert usage["n_answers"] == 20
    assert usage["output_tokens"] == 40
    assert usage["input_tokens"] == sum(
        len(m["content"].split()) + 3 for body in server.bodies for m in body["messages"]
    )
    told = said_by(bench)
    assert "1 of 20 answers (5.0%) name no label" in told
    assert "20 of 20 answers come without probabilities" in told
    assert "40 written for 20 answers" in told
    attempt.save(tmp_path)
    spec = Api().export(attempt.candidate, bench, tmp_path, tmp_path / "tier")
    assert spec.settings["output_tokens_a_text"] == 2.0


def test_what_the_model_is_told(
    make: Callable[..., Workbench], server: ChatServer, answers: Any
) -> None:
    bench = make("two classes")
    server.choose = answers(spoken(bench.labels))
    described = replace(bench, descriptions={"label 01": "the late ones"})
    attempt = started(described, shots=2)
    attempt.logits(bench.validation[:1])
    system, *shots, user = server.bodies[0]["messages"]
    assert "- label 00\n- label 01 (the late ones)" in system["content"]
    assert [m["role"] for m in shots] == ["user", "assistant"] * 2
    assert {m["content"] for m in shots[1::2]} == {"label 00", "label 01"}
    assert {m["content"] for m in shots[::2]} <= {bench.texts[row] for row in bench.train}
    assert user == {"role": "user", "content": bench.texts[bench.validation[0]]}
    chinese = make("Chinese", folder="chinese")
    assert "类别" in started(chinese).question.messages[0][1]


def test_no_endpoint_no_candidate(
    make: Callable[..., Workbench], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make("two classes")
    for name in ("PAYOFF_ENDPOINT", "PAYOFF_ENDPOINT_MODEL"):
        monkeypatch.delenv(name, raising=False)
    assert Api().standard(bench) == []
    monkeypatch.setenv("PAYOFF_ENDPOINT", "http://127.0.0.1:9/v1")
    assert Api().standard(bench) == []
    monkeypatch.setenv("PAYOFF_ENDPOINT_MODEL", "tiny")
    (candidate,) = Api().standard(bench)
    assert candidate["model"] == "tiny"
    assert Api().candidates(bench) == []
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(MachineError, match="PF811"):
        Api().start(candidate, bench)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"base_url": "example.com/v1"}, "https://host/v1"),
        ({"base_url": "ftp://example.com"}, "https://host/v1"),
        ({"base_url": "https://me:secret@example.com/v1"}, "no secret in it"),
        ({"base_url": "https://example.com/v1?key=secret"}, "no secret in it"),
        ({"model": ""}, "PAYOFF_ENDPOINT_MODEL"),
        ({"template": "french"}, "auto, english, chinese"),
        ({"shots": -1}, "0 or more"),
        ({"max_parallel": 0}, "1 or more"),
        ({"max_tokens_total": -5}, "0 or more"),
        ({"max_money": -5.0}, "0 or more"),
        ({"input_price": 1.0}, "both prices"),
        ({"currency": "dollars"}, "three capital letters"),
    ],
)
def test_wrong_settings_are_told(
    make: Callable[..., Workbench], server: ChatServer, settings: dict[str, Any], told: str
) -> None:
    with pytest.raises(AdaptError, match="PF406") as caught:
        started(make("two classes"), **settings)
    assert told in str(caught.value)
    assert "secret@" not in str(caught.value)
    assert "key=" not in str(caught.value)


def test_a_cap_holds_over_several_processes(
    make: Callable[..., Workbench], server: ChatServer, answers: Any
) -> None:
    bench = make("two classes")
    server.choose = answers(spoken(bench.labels))
    attempt = started(bench, max_tokens_total=900)
    with pytest.raises(MachineError, match="PF815"):
        attempt.logits(bench.validation)
    paid = len(server.bodies)
    assert 0 < paid < 20
    assert sum(map(sum, server.charged)) <= 900
    with pytest.raises(MachineError, match="PF815"):
        started(bench, max_tokens_total=900).logits(bench.validation)
    more = started(bench, max_tokens_total=20_000)
    more.logits(bench.validation)
    assert len(server.bodies) == 20


def test_a_cap_in_money_holds_over_several_processes_and_a_tidied_folder(
    make: Callable[..., Workbench], server: ChatServer, answers: Any
) -> None:
    bench = make("two classes")
    server.choose = answers(spoken(bench.labels))
    money = {"max_money": 1.0, "input_price": 1000.0, "output_price": 2000.0}  # for a million
    for _ in range(2):
        with pytest.raises(MachineError, match=r"PF815.*of 1.00 USD are spent or reserved"):
            started(bench, **money).logits(bench.validation)
        shutil.rmtree(bench.folder, ignore_errors=True)  # answers gone, money too
        assert 0 < sum(read + 2 * written for read, written in server.charged) <= 1000
    with pytest.raises(MachineError, match=r"PF817.*cap of 1.00 USD.*PAYOFF_ENDPOINT_PRICE"):
        started(bench, max_money=1.0).logits(bench.validation)


def test_the_environment_caps_every_run_and_states_price_and_rate(
    make: Callable[..., Workbench],
    server: ChatServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    server.choose = lambda messages: sampled(("label 00", "label 01"), [0.3, 0.7])
    monkeypatch.setenv("PAYOFF_ENDPOINT_CAP", "1 USD")
    monkeypatch.setenv("PAYOFF_ENDPOINT_BOOK", str(tmp_path / "book.db"))
    monkeypatch.setenv("PAYOFF_ENDPOINT_PRICE", "1000 2000 USD")
    monkeypatch.setenv("PAYOFF_ENDPOINT_REQUESTS_A_MINUTE", "100000")
    bench, other = make("two classes"), make("two classes", folder="elsewhere")
    client = started(bench, tokens_a_minute=10_000_000).client
    assert (client.rate.requests, client.rate.tokens) == (100_000, 10_000_000)
    for one in (bench, other):
        with pytest.raises(MachineError, match=r"PF815.*of 1.00 USD"):
            started(one, shots=4).logits(one.validation)
    assert 0 < sum(read + 2 * written for read, written in server.charged) <= 1000


def test_answers_beyond_their_allowance_are_told(
    make: Callable[..., Workbench], server: ChatServer
) -> None:
    bench = make("two classes")
    server.choose = lambda messages: said("label 00")
    server.thoughts = 500
    attempt = started(bench)
    attempt.logits(bench.validation)
    assert "PF818 tiny: 20 answers took more tokens than they were allowed" in said_by(bench)
    (budget,) = attempt.client.budgets
    assert budget.tokens_used == sum(map(sum, server.charged)), "counted as charged"


def test_failures_in_between_cost_nothing_that_was_paid(
    make: Callable[..., Workbench], server: ChatServer, answers: Any
) -> None:
    bench = make("two classes")
    server.choose = answers(spoken(bench.labels))
    server.faults = deque([Fault(401)])
    with pytest.raises(MachineError, match="PF812"):
        started(bench, max_parallel=1).logits(bench.validation)
    kept = len(PaidAnswers(bench.folder.with_name(f"{bench.folder.name}.endpoint")))
    started(bench).logits(bench.validation)
    assert len(server.bodies) == 1 + kept + (20 - kept)


PROGRAM = """
import sys
from pathlib import Path
import numpy as np
from payoff.adapt.recipes.api import Api
from payoff.adapt.workbench import Workbench

texts = tuple(f"text number {n}" for n in range(40))
targets = np.arange(40) % 2
rows = np.arange(40)
labels = ("label 00", "label 01")
bench = Workbench(texts, targets, labels, rows[:10], rows[10:], (), Path(sys.argv[1]))
(candidate,) = Api().standard(bench)
attempt = Api().start(candidate, bench)
attempt.advance(1.0)
print(attempt.logits(bench.validation).argmax(axis=1).tolist())
"""


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_killed_process_loses_nothing_that_was_paid(server: ChatServer, tmp_path: Path) -> None:
    server.choose = lambda messages: sampled(("label 00", "label 01"), [0.3, 0.7])
    server.delay_s = 0.1
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "activations")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    kept = tmp_path / "activations.endpoint" / FILE
    begun = time.perf_counter()
    while not (kept.exists() and kept.read_bytes().count(b"\n") >= 5):
        assert process.poll() is None, process.communicate()
        assert time.perf_counter() - begun < 60
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    n_kept = len(PaidAnswers(tmp_path / "activations.endpoint"))
    asked = len(server.bodies)
    assert 5 <= n_kept <= asked <= n_kept + 4  # as many as were under way
    server.delay_s = 0.0
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.stdout.strip() == str([1] * 30), result.stderr
    assert len(server.bodies) == asked + 30 - n_kept
