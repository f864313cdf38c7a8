from __future__ import annotations

import json
from typing import Any

import pytest

from payoff.artifact.runtime.prompt import AnswerPrompt, Prompt, parse_prompt, read_prompts
from payoff.core.errors import ArtifactError

PROMPT: dict[str, Any] = {
    "before": "Message: ",
    "after": " Topic:",
    "labels": [" card", " refund"],
    "prior": [0, -1.5],
    "max_tokens": 64,
    "by_token": True,
}
ANSWERS: dict[str, Any] = {
    "before": "Q: ",
    "after": " A:",
    "stop": [7, "<|im_end|>"],
    "max_tokens": 64,
    "max_new_tokens": 8,
}
MISSING = object()


def changed(content: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in (content | changes).items() if value is not MISSING}


def test_what_was_written_is_read_again() -> None:
    one = Prompt.from_dict(PROMPT)
    assert one == Prompt("Message: ", " Topic:", (" card", " refund"), 64, True, (0.0, -1.5))
    assert read_prompts(json.loads(json.dumps(one.as_dict()))) == (one,)
    other = Prompt("", "?", ("a", "b"), 1)
    assert Prompt.from_dict(other.as_dict()).prior == (0.0, 0.0)
    both = {"prompts": [one.as_dict(), other.as_dict()]}
    assert [prompt.before for prompt in read_prompts(both)] == ["Message: ", ""]
    answers = AnswerPrompt.from_dict(ANSWERS)
    assert AnswerPrompt.from_dict(answers.as_dict()) == answers
    assert answers.stop == (7, "<|im_end|>")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"before": MISSING, "prior": MISSING}, "it lacks before, prior"),
        ({"more": 1}, "unknown keys 'more'"),
        ({"before": None}, r"'before' is None \(expected str"),
        ({"after": 3}, "'after' is 3"),
        ({"labels": []}, "'labels' is empty"),
        ({"labels": " card"}, "'labels' is ' card'"),
        ({"labels": [" card", ""]}, "'labels' holds ''"),
        ({"labels": [" card", 1]}, "'labels' holds 1"),
        ({"labels": ["a", "b", "c"]}, r"2 numbers in 'prior' \(expected 3"),
        ({"prior": []}, "'prior' is empty"),
        ({"prior": [0, float("nan")]}, r"'prior' holds nan \(expected finite numbers"),
        ({"prior": [0, float("inf")]}, "'prior' holds inf"),
        ({"prior": [0, 10**400]}, "'prior' holds 1000"),
        ({"prior": [0, True]}, "'prior' holds True"),
        ({"prior": [0, "1"]}, "'prior' holds '1'"),
        ({"prior": {"card": 1}}, "'prior' is"),
        ({"max_tokens": 0}, "'max_tokens' is 0"),
        ({"max_tokens": 1 << 40}, "'max_tokens' is 1099511627776"),
        ({"max_tokens": 64.0}, r"'max_tokens' is 64.0 \(expected int"),
        ({"max_tokens": True}, "'max_tokens' is True"),
        ({"by_token": 1}, "'by_token' is 1"),
    ],
)
def test_a_wrong_prompt_is_told(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ArtifactError, match=rf"PF504 prompt.json: .*{told}"):
        read_prompts(changed(PROMPT, changes))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"stop": MISSING}, "it lacks stop"),
        ({"stop": []}, "'stop' is empty"),
        ({"stop": [""]}, "'stop' holds ''"),
        ({"stop": [-1]}, "'stop' holds -1"),
        ({"stop": [True]}, "'stop' holds True"),
        ({"stop": [None]}, "'stop' holds None"),
        ({"max_new_tokens": 0}, "'max_new_tokens' is 0"),
        ({"labels": ["a"]}, "unknown keys 'labels'"),
    ],
)
def test_a_wrong_prompt_for_answers_is_told(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ArtifactError, match=rf"PF504 prompt.json: .*{told}"):
        AnswerPrompt.from_dict(changed(ANSWERS, changes))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"prompts": []}, "'prompts' is empty"),
        ({"prompts": [1]}, "'prompts' holds 1"),
        ({"prompts": [PROMPT], "before": ""}, "unknown keys 'before'"),
        ({"prompts": [PROMPT, {}]}, "it lacks before"),
        (
            {"prompts": [PROMPT, PROMPT | {"labels": ["a"], "prior": [0]}]},
            r"its prompts have \[1, 2\] labels",
        ),
    ],
)
def test_several_prompts_are_all_checked(content: dict[str, Any], told: str) -> None:
    with pytest.raises(ArtifactError, match=rf"PF504 prompt.json: .*{told}"):
        read_prompts(content)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"1", b"\xff", b"[" * 100_000])
def test_what_is_no_object_is_told(content: bytes) -> None:
    with pytest.raises(ArtifactError, match=r"PF504 prompt.json"):
        parse_prompt(content)
