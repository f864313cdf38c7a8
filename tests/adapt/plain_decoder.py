"""A random decoder, a byte-level tokenizer, and what they say, computed plainly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from payoff.adapt.engine.decoder import Decoder, DecoderShape

MARKS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def byte_tokenizer() -> Tokenizer:
    """Every byte a token, some pairs merged; marks of a chat are special."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("Ġ", "c"), ("a", "r"), ("Ġc", "ar"), ("r", "e"), ("o", "u")]
    words = letters + ["".join(pair) for pair in merges]
    tokenizer = Tokenizer(models.BPE({word: i for i, word in enumerate(words)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(MARKS)
    return tokenizer


def random_decoder(*, vocabulary: int = 264, key_heads: int = 2, seed: int = 0) -> Decoder:
    """Of three layers, as if trained: no norm is 1, and no two tokens are alike."""
    torch.manual_seed(seed)
    decoder = Decoder(DecoderShape(vocabulary, 24, 3, 6, key_heads, 40, 1e-5, 1e4, 256))
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return decoder.eval().requires_grad_(False)


def ids_of(tokenizer: Tokenizer, text: str) -> list[int]:
    return list(tokenizer.encode(text, add_special_tokens=False).ids)


def plain_scores(
    decoder: Decoder, tokenizer: Tokenizer, prompt: dict[str, Any], texts: Sequence[str]
) -> np.ndarray:
    """Scores of labels, one label and one text at a time, nothing shared."""
    rows = []
    for text in texts:
        cut = ids_of(tokenizer, text)[: prompt["max_tokens"]]
        stem = ids_of(tokenizer, prompt["before"]) + cut + ids_of(tokenizer, prompt["after"])
        row = []
        for label, prior in zip(prompt["labels"], prompt["prior"], strict=True):
            own = ids_of(tokenizer, label)
            hidden, _ = decoder(torch.tensor([stem + own]))
            chances = decoder.scores(hidden)[0].log_softmax(-1)
            total = sum(float(chances[len(stem) - 1 + i, token]) for i, token in enumerate(own))
            row.append(total / (len(own) if prompt["by_token"] else 1) - prior)
        rows.append(row)
    return np.array(rows)


def plain_answer(
    decoder: Decoder, tokenizer: Tokenizer, prompt: dict[str, Any], text: str
) -> list[int]:
    """Tokens of the greedy answer, everything computed anew at each step."""
    cut = ids_of(tokenizer, text)[: prompt["max_tokens"]]
    stem = ids_of(tokenizer, prompt["before"]) + cut + ids_of(tokenizer, prompt["after"])
    said: list[int] = []
    while len(said) < prompt["max_new_tokens"]:
        hidden, _ = decoder(torch.tensor([stem + said]))
        token = int(decoder.scores(hidden)[0, -1].argmax())
        if token in prompt["stop"]:
            break
        said.append(token)
    return said
