"""The decoder against transformers' Llama, and against itself in parts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.adapt.tiny_backbones import change_config
from tests.adapt.tiny_decoder import tiny_llama

from payoff.adapt.backbones.weights_file import read_weights, write_weights
from payoff.adapt.engine.batches import pack
from payoff.adapt.engine.decoder import Decoder, DecoderShape
from payoff.adapt.engine.decoder_file import load_decoder
from payoff.adapt.engine.lessons import Lessons
from payoff.core.errors import BackboneError


@pytest.fixture(scope="module")
def llama() -> Any:
    return tiny_llama()


@pytest.fixture(scope="module")
def folder(llama: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("llama")
    llama.save_pretrained(place)
    return place


@pytest.fixture(scope="module")
def decoder(folder: Path) -> Decoder:
    return load_decoder(folder)


def some_ids(count: int, length: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 60, (count, length)))


@pytest.mark.parametrize(("count", "length"), [(1, 1), (3, 1), (1, 40), (4, 17)])
def test_scores_are_those_of_transformers(
    llama: Any, decoder: Decoder, count: int, length: int
) -> None:
    ids = some_ids(count, length)
    with torch.inference_mode():
        hidden, present = decoder(ids)
        torch.testing.assert_close(decoder.scores(hidden), llama(ids).logits, atol=2e-5, rtol=1e-5)
    assert present.shape == (2, 2, count, 2, length, 8)


@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(1, 6), min_size=1, max_size=5), count=st.integers(1, 3))
def test_parts_of_a_text_give_what_the_whole_gives(cuts: list[int], count: int) -> None:
    decoder = small_decoder()
    ids = some_ids(count, sum(cuts))
    with torch.inference_mode():
        whole, present = decoder(ids)
        past, parts = None, []
        for part in torch.split(ids, cuts, dim=1):
            hidden, past = decoder(part, past)
            parts.append(hidden)
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(past, present, atol=1e-5, rtol=1e-5)


def small_decoder() -> Decoder:
    torch.manual_seed(1)
    return Decoder(DecoderShape(60, 24, 2, 4, 2, 32, 1e-5, 1e4, 64)).eval()


def test_texts_of_several_lengths_are_run_without_padding(decoder: Decoder) -> None:
    rows = [some_ids(1, n, n)[0].tolist() for n in (5, 2, 5, 9, 2)]
    batch = pack(Lessons.of(rows, [[1]] * 5).tokens, np.arange(5))
    with torch.inference_mode():
        found = decoder.packed(batch)
        parts = torch.split(found, [len(rows[row]) + 1 for row in batch.rows])
        for row, part in zip(batch.rows, parts, strict=True):
            alone = decoder(torch.tensor([[*rows[row], 1]]))[0][0]
            torch.testing.assert_close(part, alone, atol=1e-5, rtol=1e-5)


def test_a_token_sees_nothing_that_comes_after_it(decoder: Decoder) -> None:
    ids = some_ids(1, 12)
    other = ids.clone()
    other[0, 7:] = (other[0, 7:] + 1) % 60
    with torch.inference_mode():
        one, two = decoder(ids)[0], decoder(other)[0]
    torch.testing.assert_close(one[:, :7], two[:, :7])
    assert not torch.allclose(one[:, 7:], two[:, 7:])


def test_weights_of_half_precision_and_old_names_of_the_base_are_read(
    folder: Path, llama: Any, tmp_path: Path
) -> None:
    config = json.loads((folder / "config.json").read_text("utf-8"))
    assert config["rope_parameters"]["rope_theta"] == 5000.0
    del config["rope_parameters"]
    config["rope_theta"] = 5000.0
    (tmp_path / "config.json").write_text(json.dumps(config), "utf-8")
    halves = {
        n: a.astype(np.float16) for n, a in read_weights(folder / "model.safetensors").items()
    }
    write_weights(tmp_path / "model.safetensors", halves)
    decoder = load_decoder(tmp_path)
    assert {weight.dtype for weight in decoder.parameters()} == {torch.float32}
    assert not any(weight.requires_grad for weight in decoder.parameters())
    ids = some_ids(2, 9)
    with torch.inference_mode():
        scores = decoder.scores(decoder(ids)[0])
        torch.testing.assert_close(scores, llama(ids).logits, atol=0.05, rtol=0.01)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model_type": "mistral"}, "model_type 'mistral' cannot be adapted"),
        ({"hidden_act": "gelu"}, "hidden_act 'gelu' cannot be adapted"),
        ({"attention_bias": True}, "attention_bias True cannot be adapted"),
        ({"tie_word_embeddings": False}, "tie_word_embeddings is not true"),
        ({"rope_scaling": {"factor": 2.0}}, "rope_scaling"),
        ({"rope_parameters": {"rope_type": "llama3"}}, "rope_type 'llama3' cannot be adapted"),
        ({"rope_parameters": 5}, "rope_parameters is 5"),
        ({"rope_parameters": {"rope_theta": 0}}, "rope_theta is 0"),
        ({"rope_parameters": {"rope_theta": float("inf")}}, "rope_theta is inf"),
        ({"num_key_value_heads": 4}, "6 heads and 4 of keys"),
        ({"head_dim": 16}, "head_dim is 16"),
        ({"num_hidden_layers": 3}, "9 weights of config.json are missing"),
        ({"intermediate_size": 81}, "are of another size"),
        ({"vocab_size": "60"}, "vocab_size is '60'"),
        ({"rms_norm_eps": "small"}, "rms_norm_eps is 'small'"),
    ],
)
def test_a_decoder_that_is_computed_otherwise_is_refused(
    folder: Path, tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    for file in ("config.json", "model.safetensors"):
        (tmp_path / file).write_bytes((folder / file).read_bytes())
    change_config(tmp_path, **changes)
    with pytest.raises(BackboneError, match="PF304") as error:
        load_decoder(tmp_path)
    assert told in str(error.value)


def reweighed(
    folder: Path, target: Path, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> Path:
    (target / "config.json").write_bytes((folder / "config.json").read_bytes())
    arrays = dict(read_weights(folder / "model.safetensors"))
    write_weights(target / "model.safetensors", change(arrays))
    return target


def test_a_table_of_scores_of_its_own_is_refused(folder: Path, tmp_path: Path) -> None:
    words = "model.embed_tokens.weight"
    same = reweighed(folder, tmp_path, lambda arrays: arrays | {"lm_head.weight": arrays[words]})
    assert load_decoder(same).shape.vocabulary == 60
    other = reweighed(
        folder, tmp_path, lambda arrays: arrays | {"lm_head.weight": arrays[words] + 1}
    )
    with pytest.raises(BackboneError, match=r"PF304 .*another table"):
        load_decoder(other)


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_a_missing_file_is_told(folder: Path, tmp_path: Path, missing: str) -> None:
    for file in {"config.json", "model.safetensors"} - {missing}:
        (tmp_path / file).write_bytes((folder / file).read_bytes())
    with pytest.raises(BackboneError, match=f"PF304 .*it has no {missing}"):
        load_decoder(tmp_path)
