from __future__ import annotations

import email.utils
import json
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.artifact.chat_server import ChatServer, Fault, said, sampled, serving

from payoff.artifact.runtime import open_tier
from payoff.artifact.runtime.answered_label import Answer
from payoff.artifact.runtime.endpoint import EndpointRuntime, Question
from payoff.artifact.runtime.endpoint_budget import EndpointBudget
from payoff.artifact.runtime.endpoint_client import EndpointClient
from payoff.artifact.runtime.paid_answers import FILE, PaidAnswers
from payoff.artifact.tier import TierSpec
from payoff.core.errors import ArtifactError, DataError, MachineError

LABELS = ("card arrival", "card lost", "refund")
QUESTION = Question((("system", "Sort it."),), "", "", LABELS, 100, 24)
TEXTS = ["where is my card", "i want money", "my card is lost", "money back", "new card"]


def choose(messages: list[dict[str, str]]) -> dict[str, Any]:
    """Reads the last message as a person would."""
    text = messages[-1]["content"]
    if "money" in text:
        return sampled(LABELS, [0.1, 0.2, 0.7])
    return sampled(LABELS, [0.3, 0.6, 0.1] if "lost" in text else [0.5, 0.2, 0.3])


EXPECTED = {"money": [0.1, 0.2, 0.7], "lost": [0.3, 0.6, 0.1], "": [0.5, 0.2, 0.3]}


def expected(text: str) -> list[float]:
    return next(found for word, found in EXPECTED.items() if word in text)


@pytest.fixture(scope="module")
def running() -> Iterator[ChatServer]:
    with serving(ChatServer(choose)) as server:
        yield server


@pytest.fixture
def server(running: ChatServer, monkeypatch: pytest.MonkeyPatch) -> ChatServer:
    running.reset(choose)
    monkeypatch.setenv("PAYOFF_ENDPOINT", running.url)
    return running


def client(server: ChatServer, **options: Any) -> EndpointClient:
    settings = {"key_variable": "none", "first_wait_s": 0.001, **options}
    return EndpointClient(server.url, "small", **settings)


def runtime(server: ChatServer, **options: Any) -> EndpointRuntime:
    return EndpointRuntime(client(server, **options), QUESTION)


def spec(server: ChatServer, **settings: Any) -> TierSpec:
    named = {"base_url": server.url, "model": "small", "key_variable": "none"}
    return TierSpec("small", "endpoint", settings={**named, **settings})


def content(**changes: Any) -> bytes:
    return json.dumps({**QUESTION.as_dict(), **changes}).encode()


def test_probabilities_of_words_become_those_of_labels(server: ChatServer) -> None:
    opened = open_tier(spec(server), lambda name: content(), n_labels=3)
    scores = opened.logits(TEXTS)
    np.testing.assert_allclose(np.exp(scores), [expected(t) for t in TEXTS], atol=0.15)
    # Where no two labels begin alike, or the answer settles which, the parts are exact.
    np.testing.assert_allclose(np.exp(scores[1]), [0.15, 0.15, 0.7], atol=1e-5)
    np.testing.assert_allclose(np.exp(scores[2]), [0.3, 0.6, 0.1], atol=1e-5)
    assert server.bodies[0]["model"] == "small"
    assert server.bodies[0]["temperature"] == 0
    assert opened.logits([]).shape == (0, 3)


def test_a_question_is_asked_once_and_a_few_at_a_time(server: ChatServer) -> None:
    server.delay_s = 0.05
    one = runtime(server, max_parallel=3)
    told: list[int] = []
    scores = one.logits([*TEXTS, *TEXTS], told.append)
    np.testing.assert_array_equal(scores[:5], scores[5:])
    assert len(server.bodies) == one.client.n_requests == 5
    assert told == [1, 2, 3, 4, 5]
    assert 1 < server.most_at_once <= 3


def test_what_was_paid_is_not_paid_again(server: ChatServer, tmp_path: Path) -> None:
    first = runtime(server, paid=PaidAnswers(tmp_path)).logits(TEXTS)
    assert len(server.bodies) == 5
    again = runtime(server)
    again.client.paid = PaidAnswers(tmp_path)
    np.testing.assert_array_equal(again.logits(TEXTS[::-1]), first[::-1])
    assert len(server.bodies) == 5
    assert "card" not in (tmp_path / FILE).read_text("utf-8").replace("card arrival", "").replace(
        "card lost", ""
    ).replace('"card"', "")  # the answers are kept, the questions are not
    another = EndpointRuntime(client(server, paid=PaidAnswers(tmp_path)), QUESTION)
    another.client.model = "large"
    another.logits(TEXTS[:1])
    assert len(server.bodies) == 6


def test_a_torn_line_loses_one_answer_only(server: ChatServer, tmp_path: Path) -> None:
    runtime(server, paid=PaidAnswers(tmp_path), max_parallel=1).logits(TEXTS)
    whole = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(whole[:-20])
    assert len(PaidAnswers(tmp_path)) == 4
    runtime(server, paid=PaidAnswers(tmp_path)).logits(TEXTS)
    assert len(server.bodies) == 6
    assert len(PaidAnswers(tmp_path)) == 5


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 529])
def test_what_passes_is_tried_again(server: ChatServer, status: int) -> None:
    server.faults = deque([Fault(status), Fault(status)])
    scores = runtime(server).logits(TEXTS[:1])
    assert scores.argmax() == 0
    assert len(server.bodies) == 3


def test_retry_after_is_honoured(server: ChatServer) -> None:
    server.faults = deque([Fault(429, headers={"Retry-After": "0.4"})])
    begun = time.perf_counter()
    runtime(server).logits(TEXTS[:1])
    assert time.perf_counter() - begun > 0.4
    past = email.utils.formatdate(time.time() - 60, usegmt=True)
    server.faults = deque([Fault(503, headers={"Retry-After": past}), Fault(503)])
    runtime(server).logits(TEXTS[:1])
    assert len(server.bodies) == 5


def test_a_slow_endpoint_is_asked_again(server: ChatServer) -> None:
    server.faults = deque([Fault(200, delay_s=0.6)])
    assert runtime(server, timeout_s=0.2).logits(TEXTS[:1]).argmax() == 0
    assert len(server.bodies) == 2


def test_an_endpoint_that_stays_busy_is_told_and_what_came_is_kept(
    server: ChatServer, tmp_path: Path
) -> None:
    paid = PaidAnswers(tmp_path)
    runtime(server, paid=paid).logits(TEXTS[:2])
    server.faults = deque([Fault(500)] * 100)
    with pytest.raises(MachineError, match="PF813") as caught:
        runtime(server, paid=paid, max_parallel=1).logits(TEXTS)
    assert "asked 6 times, and at last: 500: not now" in str(caught.value)
    server.faults.clear()
    asked = len(server.bodies)
    assert asked <= 2 + 6 + 6
    runtime(server, paid=PaidAnswers(tmp_path)).logits(TEXTS)
    assert len(server.bodies) == asked + 3


def test_an_endpoint_that_is_not_there_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    nowhere = EndpointClient(
        f"http://127.0.0.1:{port}/v1", "small", key_variable="none", first_wait_s=0.001
    )
    with pytest.raises(MachineError, match=r"PF813.*ConnectError"):
        EndpointRuntime(nowhere, QUESTION).logits(TEXTS)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>welcome</html>",
        b"",
        b"[]",
        b"null",
        b'{"choices": []}',
        b'{"choices": [{"message": "hi"}]}',
        b'{"choices": {"0": 1}}',
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_garbage_is_told(server: ChatServer, body: bytes) -> None:
    server.faults = deque([Fault(200, body)])
    with pytest.raises(MachineError, match="PF814"):
        runtime(server).logits(TEXTS[:1])


@pytest.mark.parametrize(
    "logprobs",
    [
        {"content": [{"token": "refund"}]},
        {"content": [{"token": "refund", "logprob": "no"}]},
        {"content": [{"token": 3, "logprob": -1.0}]},
        {"content": [{"token": "refund", "logprob": 7.0}]},
        {"content": [{"token": "refund", "logprob": float("nan")}]},
        {"content": 5},
        [1],
        None,
    ],
)
def test_probabilities_that_cannot_be_read_are_left_out(server: ChatServer, logprobs: Any) -> None:
    server.schema = False
    server.choose = lambda messages: {**said("Refund!"), "logprobs": logprobs}
    one = runtime(server)
    scores = one.logits(TEXTS[:1])
    assert scores.argmax() == 2
    assert np.exp(scores).sum() == pytest.approx(1.0, abs=1e-5)
    assert one.n_unscored == 1


def test_options_that_an_endpoint_does_not_know_are_left_out(server: ChatServer) -> None:
    server.unknown = {"logprobs"}
    one = runtime(server, max_parallel=1)
    assert one.logits(TEXTS).argmax(axis=1).tolist() == [0, 2, 1, 2, 0]
    assert one.n_unscored == 5
    assert len(server.bodies) == 2 + 5  # found out once
    server.unknown = {"max_tokens", "temperature"}
    assert runtime(server).logits(TEXTS[:1]).argmax() == 0
    assert server.bodies[-1]["max_completion_tokens"] == 24 + 16
    server.unknown = {"max_tokens", "temperature", "response_format"}
    assert runtime(server).logits(TEXTS[:1]).argmax() == 0
    assert server.bodies[-1]["max_completion_tokens"] == 24


def test_a_request_that_is_refused_is_told(server: ChatServer) -> None:
    server.faults = deque([Fault(404, b'{"error": "no model small"}')])
    with pytest.raises(MachineError, match=r"PF816.*'small'.*no model small"):
        runtime(server).logits(TEXTS[:1])
    server.unknown = {"model"}
    one = runtime(server)
    with pytest.raises(MachineError, match=r"PF816.*unknown model"):
        one.logits(TEXTS[:1])
    server.unknown = set()
    one.logits(TEXTS[:1])
    assert server.bodies[-1]["logprobs"]  # one bad request does not cost the others anything


def test_the_key_is_sent_and_kept_nowhere(
    server: ChatServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server.key = "secret-of-mine"
    with pytest.raises(MachineError, match=r"PF811.*SOME_KEY.*not set"):
        runtime(server, key_variable="SOME_KEY").logits(TEXTS[:1])
    assert not server.bodies
    monkeypatch.setenv("SOME_KEY", "wrong-secret")
    with pytest.raises(MachineError, match=r"PF812.*SOME_KEY") as caught:
        runtime(server, key_variable="SOME_KEY").logits(TEXTS[:1])
    assert "wrong-secret" not in str(caught.value)
    monkeypatch.setenv("SOME_KEY", "secret-of-mine\n")
    one = runtime(server, key_variable="SOME_KEY", paid=PaidAnswers(tmp_path))
    assert one.logits(TEXTS[:1]).argmax() == 0
    assert "secret" not in repr(one.client)
    assert b"secret" not in (tmp_path / FILE).read_bytes()


def test_an_artifact_cannot_have_a_key_sent_to_its_maker(
    server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BANK_SECRET", "mine")
    monkeypatch.setenv("PAYOFF_ENDPOINT", "https://mine.example/v1")
    with pytest.raises(MachineError, match=r"PF811.*nobody confirmed"):
        open_tier(spec(server, key_variable="BANK_SECRET"), lambda name: content())
    elsewhere = spec(server, key_variable="BANK_SECRET", base_url="http://mine.example/v1")
    with pytest.raises(MachineError, match=r"PF811.*unencrypted"):
        open_tier(elsewhere, lambda name: content())
    assert not server.bodies


def test_the_cap_on_tokens_is_never_passed(server: ChatServer, tmp_path: Path) -> None:
    paid, book = PaidAnswers(tmp_path), tmp_path / "book.db"
    server.delay_s = 0.02
    texts = [f"{text} {number}" for number in range(8) for text in TEXTS]
    one = runtime(server, paid=paid, budgets=(EndpointBudget(book, tokens=900),), max_parallel=4)
    with pytest.raises(MachineError, match="PF815"):
        one.logits(texts)
    assert 0 < sum(map(sum, server.charged)) == one.client.budgets[0].tokens_used <= 900
    assert len(paid) == len(server.bodies) < 40
    # A second process with the same book asks for no more than what is left.
    again = PaidAnswers(tmp_path)
    with pytest.raises(MachineError, match="PF815"):
        runtime(server, paid=again, budgets=(EndpointBudget(book, tokens=900),)).logits(texts)
    assert sum(map(sum, server.charged)) <= 900
    runtime(server, paid=again).logits(texts)
    assert len(again) == 40


def test_tokens_that_are_not_counted_are_taken_from_above(server: ChatServer) -> None:
    server.usage = False
    (answer,) = runtime(server).answers(TEXTS[:1])
    assert not answer.metered
    assert answer.input_tokens >= len("Sort it.where is my card")


def test_answers_without_a_label_are_uniform_and_counted(server: ChatServer) -> None:
    server.schema = False
    replies = deque(["I cannot say.", "", "card", "refund or card lost", "REFUND."])
    server.choose = lambda messages: said(replies.popleft())
    one = runtime(server, max_parallel=1)
    scores = one.logits(TEXTS)
    assert (one.n_answers, one.n_unparsed) == (5, 4)
    np.testing.assert_allclose(scores[:4], -np.log(3), atol=1e-6)
    assert scores[4].argmax() == 2


def test_a_text_is_cut_and_checked(server: ChatServer) -> None:
    runtime(server).logits(["a" * 1000])
    assert server.bodies[0]["messages"][-1] == {"role": "user", "content": "a" * 100}
    with pytest.raises(DataError, match="PF105"):
        runtime(server).logits(["a\0b"])


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"[]",
        b"5",
        b"{}",
        content(labels=[]),
        content(labels=["a", ""]),
        content(labels=[1, 2]),
        content(labels=None),
        content(messages=[["tool", "x"]]),
        content(messages=[[["user"], "x"]]),
        content(messages=[["user"]]),
        content(messages=[["user", 4]]),
        content(opening=None),
        content(max_characters=0),
        content(max_answer_tokens=True),
        content(key="sk-1"),
    ],
)
def test_a_question_that_is_none_is_told(server: ChatServer, broken: bytes) -> None:
    with pytest.raises(ArtifactError, match=r"PF504 endpoint\.json"):
        open_tier(spec(server), lambda name: broken)


def test_settings_that_do_not_fit_are_told(server: ChatServer) -> None:
    for settings in ({"base_url": 5}, {"model": ""}, {"key_variable": None}, {"max_parallel": 0}):
        with pytest.raises(ArtifactError, match="PF504"):
            open_tier(spec(server, **settings), lambda name: content())
    with pytest.raises(ArtifactError, match=r"PF504.*3 labels.*expected 4"):
        open_tier(spec(server), lambda name: content(), n_labels=4)


def test_an_answer_survives_json(server: ChatServer) -> None:
    (answer,) = runtime(server).answers(TEXTS[:1])
    assert answer.tokens
    assert 0 < answer.seconds < 10
    assert Answer.from_dict(json.loads(json.dumps(answer.as_dict()))) == answer


def test_asking_needs_no_torch_and_no_httpx_before_it_asks() -> None:
    code = (
        "import sys, payoff.artifact.runtime.endpoint;"
        "print([m for m in ('torch', 'httpx', 'sklearn') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
