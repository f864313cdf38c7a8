"""A tiny decoder as its two kinds of tiers."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def prompted_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Members of a tier that scores three labels."""
    pytest.importorskip("torch")
    from tests.adapt.plain_decoder import byte_tokenizer, random_decoder

    from payoff.adapt.export.decoder_tier import write_prompted_tier
    from payoff.artifact.runtime.prompt import Prompt

    folder = tmp_path_factory.mktemp("prompted") / "tier"
    prompt = Prompt("Topic of: ", " is", (" card", " refund", "Z"), 32).as_dict()
    write_prompted_tier(random_decoder(), byte_tokenizer(), prompt, folder, name="tiny")
    return folder


@pytest.fixture(scope="session")
def answers_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Members of a tier that answers."""
    pytest.importorskip("torch")
    from tests.adapt.plain_decoder import byte_tokenizer, random_decoder

    from payoff.adapt.export.decoder_tier import write_answers_tier
    from payoff.artifact.runtime.prompt import AnswerPrompt

    folder = tmp_path_factory.mktemp("answers") / "tier"
    prompt = AnswerPrompt("Q: ", " A:", ("<|im_end|>",), 32, 6).as_dict()
    write_answers_tier(random_decoder(), byte_tokenizer(), prompt, folder, name="tiny")
    return folder
