"""Backbones small enough to make in a test, and the real ones where they are installed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from payoff.adapt.backbones.find import find
from payoff.adapt.backbones.installation import installed
from payoff.data.wheels import cache_folder

_REAL_CACHE = cache_folder()  # before a test names another


@pytest.fixture
def real_backbone(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """The folder of an installed backbone; the test is skipped where it is not installed."""
    monkeypatch.setenv("PAYOFF_CACHE", str(_REAL_CACHE))

    def folder(name: str) -> Path:
        backbone = find(name)
        if not installed(backbone):
            pytest.skip(f"{name} is not installed: payoff backbones install {name}")
        return backbone.path

    return folder


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, and a pip that this machine's settings do not reach."""
    monkeypatch.setenv("PAYOFF_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    for name in ("PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PAYOFF_WHEELS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a BERT of two layers, 16 wide, and a tokenizer of single words."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    folder = tmp_path_factory.mktemp("encoder")
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=40,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=24,
    )
    transformers.BertModel(config).save_pretrained(folder)
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    words = [*marks, *(f"w{number}" for number in range(36))]
    tokenizer = Tokenizer(
        models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.enable_truncation(5)
    tokenizer.enable_padding(length=5)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder
