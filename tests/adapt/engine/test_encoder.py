"""The encoder gives what `transformers` gives, for every architecture that it claims to know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.adapt.tiny_backbones import change_config, tiny_model
from transformers.models.mpnet.modeling_mpnet import MPNetEncoder

from payoff.adapt.engine.architectures import ARCHITECTURES, load
from payoff.adapt.engine.batches import pack
from payoff.adapt.engine.encoder import mean_of_tokens, relative_bucket
from payoff.adapt.engine.tokens import Tokens
from payoff.core.errors import BackboneError

LENGTHS = [3, 17, 3, 1, 40, 17, 9]


def random_tokens(lengths: list[int], vocabulary: int) -> Tokens:
    rng = np.random.default_rng(0)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Tokens(rng.integers(4, vocabulary, int(offsets[-1])), offsets)


def theirs(model: Any, tokens: Tokens) -> list[torch.Tensor]:
    """Hidden states of `transformers`, padded and masked as it wants, then cut to each text."""
    longest = int(tokens.lengths.max())
    pad = model.config.pad_token_id or 0
    ids = torch.full((len(tokens), longest), pad)
    mask = torch.zeros_like(ids)
    for row in range(len(tokens)):
        ids[row, : tokens.lengths[row]] = torch.from_numpy(tokens.of(row))
        mask[row, : tokens.lengths[row]] = 1
    with torch.inference_mode():
        hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state
    return [hidden[row, : tokens.lengths[row]] for row in range(len(tokens))]


@pytest.mark.parametrize("kind", sorted(ARCHITECTURES))
def test_hidden_states_equal_those_of_transformers(kind: str, tmp_path: Path) -> None:
    model = tiny_model(kind, vocabulary=60)
    model.save_pretrained(tmp_path)
    encoder = load(tmp_path)
    tokens = random_tokens(LENGTHS, 60)
    batch = pack(tokens, np.array([4, 0, 6, 5, 3, 2, 1]))
    with torch.inference_mode():
        ours = encoder.run(encoder.embed(batch), batch)
        pooled = mean_of_tokens(ours, batch.groups)
    expected = theirs(model, tokens)
    start = 0
    for place, row in enumerate(batch.rows):
        part = ours[start : start + len(expected[row])]
        torch.testing.assert_close(part, expected[row], atol=1e-5, rtol=0)
        torch.testing.assert_close(pooled[place], expected[row].mean(0), atol=1e-5, rtol=0)
        start += len(expected[row])
    assert not encoder.training
    assert not any(p.requires_grad for p in encoder.parameters())


def test_long_texts_of_mpnet_use_the_far_buckets(tmp_path: Path) -> None:
    model = tiny_model("mpnet", vocabulary=60, max_position_embeddings=260)
    model.save_pretrained(tmp_path)
    encoder = load(tmp_path)
    tokens = random_tokens([250], 60)
    batch = pack(tokens, np.array([0]))
    with torch.inference_mode():
        ours = encoder.run(encoder.embed(batch), batch)
    torch.testing.assert_close(ours, theirs(model, tokens)[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("buckets", [8, 32])
def test_relative_buckets_equal_those_of_mpnet(buckets: int) -> None:
    distance = torch.arange(-600, 601)
    expected = MPNetEncoder.relative_position_bucket(distance, num_buckets=buckets)
    assert torch.equal(relative_bucket(distance, buckets), expected)


def test_layers_in_two_parts_equal_the_whole(bert_folder: Path) -> None:
    encoder = load(bert_folder)
    tokens = random_tokens(LENGTHS, 60)
    batch = pack(tokens, np.arange(len(tokens)))
    with torch.inference_mode():
        embedded = encoder.embed(batch)
        upper = encoder.run(encoder.run(embedded, batch, last=1), batch, first=1)
        assert torch.equal(upper, encoder.run(embedded, batch))


def test_weights_under_a_task_heads_prefix_are_found(tmp_path: Path) -> None:
    import transformers

    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=60,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=64,
    )
    model = transformers.BertForSequenceClassification(config).eval()
    model.save_pretrained(tmp_path)
    tokens = random_tokens([7], 60)
    batch = pack(tokens, np.array([0]))
    encoder = load(tmp_path)
    with torch.inference_mode():
        ours = encoder.run(encoder.embed(batch), batch)
    torch.testing.assert_close(ours, theirs(model.bert, tokens)[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model_type": "gpt2"}, "gpt2"),
        ({"hidden_act": "relu"}, "hidden_act 'relu'"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type"),
        ({"num_hidden_layers": 3}, "a weight does not fit"),
        ({"hidden_size": 16}, "a weight does not fit"),
    ],
)
def test_what_would_be_computed_wrongly_is_refused(
    changes: dict[str, Any], told: str, tmp_path: Path
) -> None:
    tiny_model("bert", vocabulary=60).save_pretrained(tmp_path)
    change_config(tmp_path, **changes)
    with pytest.raises(BackboneError, match="PF304") as refused:
        load(tmp_path)
    assert told in str(refused.value)


def test_weights_of_something_else_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    tiny_model("bert", vocabulary=60).save_pretrained(tmp_path)
    save_file({"other": torch.zeros(2)}, tmp_path / "model.safetensors")
    with pytest.raises(BackboneError, match="PF304"):
        load(tmp_path)
