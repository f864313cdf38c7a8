from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.adapt.tiny_backbones import messages

from payoff.adapt.backbones.tokenizer import load_tokenizer
from payoff.adapt.engine.architectures import load
from payoff.adapt.engine.encoder import Encoder
from payoff.adapt.engine.tokens import Tokens, tokenise
from payoff.adapt.engine.trunk import Trunk
from payoff.core.progress import Silent


@pytest.fixture(scope="session")
def encoder(mpnet_folder: Path) -> Encoder:
    """MPNet, since it has all that BERT has, and relative positions."""
    return load(mpnet_folder)


@pytest.fixture(scope="session")
def some_targets() -> np.ndarray:
    return messages([20, 20, 20])[1]


@pytest.fixture(scope="session")
def some_tokens(mpnet_folder: Path) -> Tokens:
    texts = [text * (1 + i % 3) for i, text in enumerate(messages([20, 20, 20])[0])]
    return tokenise(texts, load_tokenizer(mpnet_folder), max_tokens=40)


@pytest.fixture
def make_trunk(encoder: Encoder, some_tokens: Tokens, tmp_path: Path) -> Callable[[], Trunk]:
    """A trunk in the test's own folder, as each process makes it anew."""
    return lambda: Trunk(encoder, some_tokens, Silent(), folder=tmp_path / "trunk")
