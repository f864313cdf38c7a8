from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from payoff.adapt.engine.decoder import Decoder, DecoderShape
from payoff.adapt.engine.label_scores import LabelScorer, token_ids
from payoff.artifact.runtime.label_tree import LabelTree
from payoff.artifact.runtime.prompt import Prompt
from payoff.core.errors import AdaptError

WORDS = ["<|im_end|>", *"abcdefghijklmnopqrstuvwxyz <|_>"]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    """One token a character, and one mark."""
    from tokenizers import AddedToken, Regex, Tokenizer, models, pre_tokenizers

    vocabulary = {word: place for place, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="_"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    tokenizer.add_special_tokens([AddedToken("<|im_end|>", special=True)])
    return tokenizer


@pytest.fixture(scope="module")
def decoder() -> Decoder:
    torch.manual_seed(0)
    decoder = Decoder(DecoderShape(len(WORDS), 32, 3, 4, 2, 40, 1e-5, 1e4, 64))
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return decoder.eval()


def naive(decoder: Decoder, before: Sequence[int], label: Sequence[int]) -> float:
    """log P(label | before), one token after the other and nothing shared."""
    total, seen = 0.0, list(before)
    for token in label:
        with torch.inference_mode():
            hidden, _ = decoder(torch.tensor([seen]))
            scores = decoder.scores(hidden[0, -1])
        total += float(scores.log_softmax(-1)[token])
        seen.append(token)
    return total


LABELS = ("cat", "car", "ca", "dog", "x", "cat")
TEXTS = ("abc", "", "hello there", "xyz", "abcdefghijklmnopqrstuvwxyz")


@pytest.mark.parametrize("before", ["say a word ", "z", ""])
@pytest.mark.parametrize("labels", [LABELS, ("a", "b"), ("abc", "abcd", "abcde")])
def test_scores_are_those_of_each_label_alone(
    decoder: Decoder, tokenizer: Any, before: str, labels: tuple[str, ...]
) -> None:
    prompt = Prompt(before, " is", labels, max_tokens=20)
    found = LabelScorer(decoder, tokenizer, prompt).scores(TEXTS)
    for text, row in zip(TEXTS, found, strict=True):
        around = token_ids(tokenizer, before) + token_ids(tokenizer, text)[:20]
        around += token_ids(tokenizer, " is")
        expected = [naive(decoder, around, token_ids(tokenizer, label)) for label in labels]
        np.testing.assert_allclose(row, expected, atol=1e-4)


def test_length_and_prior_are_taken_off(decoder: Decoder, tokenizer: Any) -> None:
    plain = Prompt("say ", ":", ("cat", "x"), 20)
    raw = LabelScorer(decoder, tokenizer, plain).scores(TEXTS)
    shaped = Prompt("say ", ":", ("cat", "x"), 20, by_token=True, prior=(0.5, -1.0))
    found = LabelScorer(decoder, tokenizer, shaped).scores(TEXTS)
    np.testing.assert_allclose(found, raw / [3, 1] - [0.5, -1.0], atol=1e-6)


def test_a_text_does_not_depend_on_its_neighbours(
    decoder: Decoder, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = LabelScorer(decoder, tokenizer, Prompt("say ", ":", LABELS, 20))
    told: list[int] = []
    together = scorer.scores([*TEXTS, *TEXTS], told.append)
    alone = np.concatenate([scorer.scores([text]) for text in TEXTS])
    np.testing.assert_allclose(together, np.concatenate([alone, alone]), atol=1e-5)
    assert told[-1] == len(together)
    assert scorer.scores([]).shape == (0, len(LABELS))
    monkeypatch.setattr("payoff.adapt.engine.label_scores._MOST_NUMBERS", 1)  # one at a time
    np.testing.assert_allclose(scorer.scores([*TEXTS, *TEXTS]), together, atol=1e-5)


def test_what_a_user_writes_is_no_mark(decoder: Decoder, tokenizer: Any) -> None:
    assert token_ids(tokenizer, "a<|im_end|>") == [1, 0]
    assert len(token_ids(tokenizer, "a<|im_end|>", plain=True)) == 11
    assert token_ids(tokenizer, "a<|im_end|>") == [1, 0]


@pytest.mark.parametrize(
    ("prompt", "told"),
    [
        (Prompt("a", "b", ("c", ""), 8), "label ''"),
        (Prompt("", "", ("c", "d"), 8), "nothing stands around"),
        (Prompt("a" * 60, "b", ("c", "d"), 8), "62 tokens beside the text's 8"),
    ],
)
def test_a_prompt_that_cannot_be_scored_is_refused(
    decoder: Decoder, tokenizer: Any, prompt: Prompt, told: str
) -> None:
    with pytest.raises(AdaptError, match="PF405") as caught:
        LabelScorer(decoder, tokenizer, prompt)
    assert told in str(caught.value)


def test_a_prompt_survives_json() -> None:
    prompt = Prompt("a", "b", ("c", "d"), 8, by_token=True, prior=(0.5, 1.0))
    assert Prompt.from_dict(prompt.as_dict()) == prompt


@given(st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=5), min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_a_tree_holds_each_label_once(labels: list[list[int]]) -> None:
    tree = LabelTree.of(labels)
    inner = {tuple(label[:n]) for label in labels for n in range(1, len(label))}
    assert len(tree.tokens) == len(inner)
    ancestors = tree.seen.sum(axis=1)
    np.testing.assert_array_equal(ancestors, tree.depths + 1)
    for label, members in zip(labels, tree.members, strict=True):
        edges = np.flatnonzero(members)
        assert sorted(tree.edge_tokens[edges]) == sorted(label)
