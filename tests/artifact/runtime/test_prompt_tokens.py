from __future__ import annotations

from pathlib import Path

import pytest

from payoff.artifact.runtime.prompt_tokens import PromptTokens
from payoff.artifact.tier import TierSpec
from payoff.core.errors import ArtifactError

SPEC = TierSpec("tiny", "prompted")


@pytest.fixture
def tokens(prompted_folder: Path) -> PromptTokens:
    return PromptTokens.open(SPEC, lambda m: (prompted_folder / m).read_bytes())


def test_marks_are_marks_in_the_prompt_alone(tokens: PromptTokens) -> None:
    end = tokens.tokenizer.token_to_id("<|im_end|>")
    assert tokens.of_prompt("a<|im_end|>")[-1] == end
    assert tokens.of_prompt("") == []
    as_text, plain = tokens.of_texts(["a<|im_end|>", "<|im_end"])
    assert end not in as_text
    assert as_text[1:-2] == plain
    assert tokens.of_prompt("a<|im_end|>")[-1] == end  # still


def test_what_is_no_unicode_is_told(tokens: PromptTokens) -> None:
    with pytest.raises(ArtifactError, match=r"PF504 prompt.json: '\\udc00' has no tokens"):
        tokens.of_prompt("\udc00")


def test_ids_beyond_the_vocabulary_are_told(tokens: PromptTokens) -> None:
    tokens.check(264)
    with pytest.raises(ArtifactError, match=r"up to 263 \(expected less than 263"):
        tokens.check(263)
