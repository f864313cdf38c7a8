"""Answers held to a schema: what fits is the label, what does not is no answer."""

from __future__ import annotations

import json
from collections import deque

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.artifact.chat_server import ChatServer, in_schema, said, sampled, serving

from payoff.artifact.runtime.answered_label import Answer, AnswerToken, label_logits
from payoff.artifact.runtime.endpoint import EndpointRuntime, Question
from payoff.artifact.runtime.endpoint_client import EndpointClient
from payoff.artifact.runtime.label_schema import strict_label, value_tokens
from payoff.artifact.runtime.request_options import RequestOptions
from payoff.core.findings import Status

LABELS = ("card arrival", "card lost", "refund")
QUESTION = Question((("system", "Sort it."),), "", "", LABELS, 100, 24)


@pytest.mark.parametrize(
    "text",
    [
        "refund",
        '{"label": "Refund"}',
        '{"label": "refund", "why": "money"}',
        '{"label": "refund", "label": "refund"}',
        '{"label": ["refund"]}',
        '{"label": {"label": "refund"}}',
        '[["label", "refund"]]',
        '{"label": "refund"',
        '{"label": "refund"} or not',
        '{"Label": "refund"}',
        "{}",
        "",
        "[" * 100_000,
    ],
)
def test_what_does_not_fit_is_no_answer(text: str) -> None:
    assert strict_label(text, LABELS) is None
    tokens = (AnswerToken("refund", 0.0, (("refund", 0.0),)),)
    logits, named = label_logits(Answer(text, tokens, strict=True), LABELS)
    assert not named
    np.testing.assert_allclose(np.exp(logits), 1 / 3, atol=1e-6)


@given(st.lists(st.text(min_size=1), min_size=1, max_size=5, unique=True), st.booleans())
def test_every_label_that_fits_is_read(labels: list[str], ascii_only: bool) -> None:
    for place, label in enumerate(labels):
        text = json.dumps({"label": label}, ensure_ascii=ascii_only)
        assert strict_label(f" {text}\n", labels) == place


@given(st.lists(st.integers(1, 6), min_size=1), st.sampled_from(LABELS))
def test_the_tokens_of_the_label_are_found_however_the_object_is_cut(
    sizes: list[int], label: str
) -> None:
    text, parts = json.dumps({"label": label}), []
    for size in sizes * len(text):
        parts.append(text[:size])
        text = text[size:]
    found = value_tokens([AnswerToken(part, -0.1) for part in parts if part])
    assert "".join(token.token for token in found) in (label, f'{label}"', f'{label}"}}')


def test_alternatives_are_cut_like_their_token() -> None:
    cut = AnswerToken('": "re', -0.2, (('": "re', -0.2), ('": "car', -1.0), ('":', -3.0)))
    (first,) = value_tokens([AnswerToken('{"label', 0.0), cut])
    assert first == AnswerToken("re", -0.2, (("re", -0.2), ("car", -1.0)))


def test_probabilities_are_those_of_the_plain_answer() -> None:
    chances = [0.3, 0.1, 0.6]
    for choice, strict in ((sampled(LABELS, chances), False), (None, True)):
        choice = choice or in_schema(sampled(LABELS, chances))
        tokens = tuple(
            AnswerToken(
                one["token"],
                one["logprob"],
                tuple((other["token"], other["logprob"]) for other in one["top_logprobs"]),
            )
            for one in choice["logprobs"]["content"]
        )
        answer = Answer(choice["message"]["content"], tokens, strict=strict)
        logits, named = label_logits(answer, LABELS)
        assert named
        np.testing.assert_allclose(np.exp(logits), [0.2, 0.2, 0.6], atol=1e-5)


def test_an_endpoint_is_held_to_it_and_what_does_not_fit_is_counted() -> None:
    replies = deque(["refund", "Refund", "card lost", "cannot say"])
    with serving(ChatServer(lambda messages: said(replies.popleft()))) as server:
        client = EndpointClient(server.url, "small", key_variable="none", max_parallel=1)
        runtime = EndpointRuntime(client, QUESTION)
        assert [one.status for one in runtime.findings()] == [Status.NOT_CHECKED] * 2
        scores = runtime.logits(["a", "b", "c", "d"])
        asked = server.bodies[0]["response_format"]["json_schema"]
        assert asked["strict"] is True
        assert asked["schema"]["properties"]["label"]["enum"] == list(LABELS)
        assert all("response_format" in body for body in server.bodies)
    assert scores.argmax(axis=1)[[0, 2]].tolist() == [2, 1]
    np.testing.assert_allclose(scores[[1, 3]], -np.log(3), atol=1e-6)
    beyond, unnamed = runtime.findings()
    assert beyond.status is Status.PASSED
    assert (unnamed.code, unnamed.n_affected) == ("PF819", 2)
    assert "2 of 4 answers (50.0%) name no label" in unnamed.detail


def test_an_endpoint_that_does_not_mind_it_is_read_as_before_and_asked_without() -> None:
    with serving(ChatServer(lambda messages: said("Refund!"), schema=False)) as server:
        client = EndpointClient(server.url, "small", key_variable="none", max_parallel=1)
        runtime = EndpointRuntime(client, QUESTION)
        assert runtime.logits(["a", "b"]).argmax(axis=1).tolist() == [2, 2]
        assert ["response_format" in body for body in server.bodies] == [True, False]
        assert [body["max_tokens"] for body in server.bodies] == [24 + 16, 24]


def test_one_that_refuses_it_is_asked_without() -> None:
    server = ChatServer(lambda messages: said("refund"), unknown={"response_format"})
    with serving(server):
        client = EndpointClient(server.url, "small", key_variable="none", max_parallel=1)
        EndpointRuntime(client, QUESTION).logits(["a", "b"])
        taken = ["response_format" in body for body in server.bodies]
    assert taken == [True] * 4 + [False] * 2


def test_the_most_that_is_read_covers_the_schema_and_longer_normal_forms() -> None:
    chat = [{"role": "user", "content": "\ufdfa"}]  # one sign, 18 after NFKC, 33 bytes
    plain = RequestOptions(False).most_read(chat, LABELS)
    assert plain == 33 + 16
    schema = json.dumps(list(LABELS))
    assert RequestOptions(True).most_read(chat, LABELS) > plain + len(schema)


def test_another_schema_is_another_question() -> None:
    client = EndpointClient("http://127.0.0.1:9/v1", "small", key_variable="none")
    chat = [{"role": "user", "content": "a"}]
    keys = {client.key_of(chat, 8, labels) for labels in ((), LABELS, LABELS[:2])}
    assert len(keys) == 3
