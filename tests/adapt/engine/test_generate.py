"""Greedy writing against transformers' own, one prompt and many."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.adapt.tiny_decoder import tiny_llama

from payoff.adapt.backbones.find import find
from payoff.adapt.backbones.installation import installed
from payoff.adapt.backbones.tokenizer import load_tokenizer
from payoff.adapt.engine import generate as module
from payoff.adapt.engine.decoder import Decoder
from payoff.adapt.engine.decoder_file import load_decoder
from payoff.adapt.engine.generate import generate
from payoff.core.errors import AdaptError


@pytest.fixture(scope="module")
def llama() -> Any:
    return tiny_llama(seed=3)


@pytest.fixture(scope="module")
def decoder(llama: Any, tmp_path_factory: pytest.TempPathFactory) -> Decoder:
    folder = tmp_path_factory.mktemp("llama")
    llama.save_pretrained(folder)
    return load_decoder(folder)


def prompts(count: int) -> list[list[int]]:
    rng = np.random.default_rng(0)
    return [rng.integers(3, 60, 1 + number % 4).tolist() for number in range(count)]


def greedy(llama: Any, prompt: list[int], stop: set[int], most: int) -> list[int]:
    """The same one token at a time, without any cache."""
    ids = list(prompt)
    for _ in range(most):
        with torch.inference_mode():
            chosen = int(llama(torch.tensor([ids])).logits[0, -1].argmax())
        if chosen in stop:
            break
        ids.append(chosen)
    return ids[len(prompt) :]


@pytest.mark.parametrize("at_once", [1, 32])
def test_what_is_written_is_what_transformers_writes(
    llama: Any, decoder: Decoder, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_PROMPTS", at_once)
    asked = prompts(12)
    free = [greedy(llama, prompt, set(), 10) for prompt in asked]
    stop = {free[0][4], free[1][2], free[5][0]}
    told: list[int] = []
    found = generate(decoder, asked, stop=stop, max_new_tokens=10, tell=told.append)
    assert found == [greedy(llama, prompt, stop, 10) for prompt in asked]
    assert min(map(len, found)) == 0
    assert told[-1] == 12
    assert told == sorted(told)


def test_nothing_is_written_where_nothing_is_asked(decoder: Decoder) -> None:
    assert generate(decoder, [], stop=[2], max_new_tokens=5) == []
    assert generate(decoder, [[4], [5, 6]], stop=[2], max_new_tokens=0) == [[], []]


@pytest.mark.parametrize(
    ("prompt", "told"), [([], "it has no token"), ([4] * 250, "250 tokens, and 7 more")]
)
def test_prompts_that_cannot_be_run_are_refused(
    decoder: Decoder, prompt: list[int], told: str
) -> None:
    with pytest.raises(AdaptError, match=told):
        generate(decoder, [[3], prompt], stop=[2], max_new_tokens=7)


@pytest.fixture
def smollm() -> Callable[[], Path]:
    def folder() -> Path:
        backbone = find("smollm2-135m")
        if not installed(backbone):
            pytest.skip("smollm2-135m is not installed: payoff backbones install smollm2-135m")
        return backbone.path

    return folder


def test_the_packaged_decoder_answers_a_question(smollm: Callable[[], Path]) -> None:
    folder = smollm()
    tokenizer = load_tokenizer(folder)
    prompt = "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"
    ids = tokenizer.encode(prompt).ids
    assert ids[0] == 1
    found = generate(load_decoder(folder), [ids], stop=[2], max_new_tokens=12)
    assert tokenizer.decode(found[0]) == "The capital of France is Paris."
