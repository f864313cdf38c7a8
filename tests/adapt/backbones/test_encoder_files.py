"""What an encoder's folder may hold: `architectures.load` takes it as it is, or says what is wrong.

`transformers` is the oracle for what is taken.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from payoff.adapt.backbones.find import find
from payoff.adapt.backbones.tokenizer import load_tokenizer
from payoff.adapt.backbones.weights_file import read_weights, write_weights
from payoff.core.errors import BackboneError

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from payoff.adapt.engine.architectures import ARCHITECTURES, load  # noqa: E402
from payoff.adapt.engine.batches import pack  # noqa: E402
from payoff.adapt.engine.encoder import mean_of_tokens  # noqa: E402
from payoff.adapt.engine.tokens import Tokens, tokenise  # noqa: E402

SIZES = {
    "vocab_size": 30,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 20,
}


def altered(folder: Path, target: Path, *, without: str = "", **config: object) -> Path:
    """A copy with other entries in its ``config.json``."""
    shutil.copytree(folder, target)
    content = json.loads((target / "config.json").read_text("utf-8")) | config
    content.pop(without, None)
    (target / "config.json").write_text(json.dumps(content), encoding="utf-8")
    return target


def reweighed(
    folder: Path, target: Path, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> Path:
    """A copy with other weights."""
    shutil.copytree(folder, target)
    arrays = dict(read_weights(folder / "model.safetensors"))
    write_weights(target / "model.safetensors", change(arrays))
    return target


def packed(encoder: Any, ids: Sequence[Sequence[int]]) -> list[Any]:
    """Hidden states of each text, ``(n_tokens, width)``, through one batch without padding."""
    lengths = [len(row) for row in ids]
    tokens = Tokens(np.concatenate(ids).astype(np.int64), np.cumsum([0, *lengths]))
    batch = pack(tokens, np.arange(len(ids)))
    with torch.inference_mode():
        parts = encoder.run(encoder.embed(batch), batch).split([lengths[row] for row in batch.rows])
    return [parts[place] for place in np.argsort(batch.rows)]


def oracle(model: Any, ids: Sequence[Sequence[int]]) -> list[Any]:
    with torch.inference_mode():
        return [model(input_ids=torch.tensor([row])).last_hidden_state[0] for row in ids]


def assert_alike(encoder: Any, model: Any, *, within: float = 1e-5) -> None:
    ids = [[2, 7, 9, 3], [2, 5, 3], [2, 3], [2, 8, 8, 21, 4, 3], [2, 6, 3]]
    for found, expected in zip(packed(encoder, ids), oracle(model, ids), strict=True):
        torch.testing.assert_close(found, expected, atol=within, rtol=0)


def test_an_encoder_gives_what_transformers_gives(tiny_encoder: Path) -> None:
    encoder = load(tiny_encoder)
    assert_alike(encoder, transformers.BertModel.from_pretrained(tiny_encoder).eval())
    assert not encoder.training
    assert {p.dtype for p in encoder.parameters()} == {torch.float32}
    assert not any(p.requires_grad for p in encoder.parameters())


@pytest.mark.parametrize(
    ("config", "model", "options"),
    [
        ("BertConfig", "BertForSequenceClassification", {}),
        ("BertConfig", "BertForMaskedLM", {"layer_norm_eps": 1e-5, "type_vocab_size": 1}),
        ("RobertaConfig", "RobertaForTokenClassification", {"pad_token_id": 1}),
        ("XLMRobertaConfig", "XLMRobertaForMaskedLM", {"pad_token_id": 1}),
        ("MPNetConfig", "MPNetForSequenceClassification", {}),
    ],
)
def test_a_task_head_is_left_out(
    tmp_path: Path, config: str, model: str, options: dict[str, Any]
) -> None:
    torch.manual_seed(0)
    whole = getattr(transformers, model)(getattr(transformers, config)(**SIZES, **options)).eval()
    whole.save_pretrained(tmp_path)
    assert_alike(load(tmp_path), whole.base_model)


@pytest.mark.parametrize("prefix", ["", "bert."])
def test_half_precision_becomes_single(tiny_encoder: Path, tmp_path: Path, prefix: str) -> None:
    def halve(arrays: dict[str, Any]) -> dict[str, Any]:
        halved = {f"{prefix}{name}": a.astype(np.float16) for name, a in arrays.items()}
        return halved | {"cls.bias": np.zeros(3, np.float32)}

    encoder = load(reweighed(tiny_encoder, tmp_path / "half", halve))
    assert {p.dtype for p in encoder.parameters()} == {torch.float32}
    original = transformers.BertModel.from_pretrained(tiny_encoder).eval()
    assert_alike(encoder, original, within=2e-2)
    assert_alike(encoder, original.half().float())


def test_brain_floats_are_taken(tiny_encoder: Path, tmp_path: Path) -> None:
    model = transformers.BertModel.from_pretrained(tiny_encoder).to(torch.bfloat16)
    model.save_pretrained(tmp_path)
    assert_alike(load(tmp_path), model.float().eval())


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ({"model_type": "distilbert"}, r"model_type 'distilbert' .*\(expected one of "),
        ({"model_type": ["bert"]}, "model_type .'bert'. cannot be adapted"),
        ({"hidden_act": "gelu_new"}, r"hidden_act 'gelu_new' cannot .*\(expected 'gelu'\)"),
        ({"hidden_act": None}, "hidden_act None cannot be adapted"),
        ({"position_embedding_type": "relative_key"}, r"relative_key.*\(expected 'absolute'\)"),
        ({"is_decoder": True}, "is_decoder True cannot be adapted"),
        ({"model_type": "roberta", "pad_token_id": 0}, "pad_token_id 0 cannot be adapted"),
        ({"num_hidden_layers": 3}, r"16 weights of config\.json are missing, such as encoder\.la"),
        ({"hidden_size": 32}, r"35 are of another size .* with \(40, 16\) \(expected \(40, 32\)\)"),
        ({"max_position_embeddings": 30}, r"1 are of another size .*position_embeddings"),
        ({"type_vocab_size": 3}, r"1 are of another size .*token_type_embeddings"),
        ({"num_attention_heads": 3}, "hidden_size 16 and 3 heads"),
        ({"hidden_size": "16"}, "hidden_size is '16'"),
        ({"num_hidden_layers": 0}, r"num_hidden_layers is 0 \(expected a whole number above 0\)"),
        ({"vocab_size": True}, "vocab_size is True"),
        ({"layer_norm_eps": None}, "layer_norm_eps is None"),
        ({"layer_norm_eps": float("nan")}, "layer_norm_eps is nan"),
    ],
)
def test_what_would_be_computed_otherwise_or_does_not_fit_is_refused(
    tiny_encoder: Path, tmp_path: Path, config: dict[str, object], found: str
) -> None:
    with pytest.raises(BackboneError, match=f"PF304 .*{found}"):
        load(altered(tiny_encoder, tmp_path / "bad", **config))


def test_an_unknown_architecture_is_told_with_those_that_are_known(
    tiny_encoder: Path, tmp_path: Path
) -> None:
    with pytest.raises(BackboneError) as refused:
        load(altered(tiny_encoder, tmp_path / "bad", model_type="deberta-v2"))
    assert all(name in refused.value.expected for name in ARCHITECTURES)


@pytest.mark.parametrize("key", ["model_type", "type_vocab_size", *SIZES])
def test_a_missing_entry_of_the_config_is_named(
    tiny_encoder: Path, tmp_path: Path, key: str
) -> None:
    with pytest.raises(BackboneError, match=rf"PF304 .*config\.json: '{key}' is missing"):
        load(altered(tiny_encoder, tmp_path / "bad", without=key))


def test_remote_code_is_never_run(tiny_encoder: Path, tmp_path: Path) -> None:
    folder = altered(
        tiny_encoder, tmp_path / "remote", model_type="own", auto_map={"AutoConfig": "own.Config"}
    )
    (folder / "own.py").write_text("raise SystemExit('it was run')", encoding="utf-8")
    with pytest.raises(BackboneError, match="PF304"):
        load(folder)


@pytest.mark.parametrize("needed", ["config.json", "model.safetensors"])
def test_a_missing_file_is_named(tiny_encoder: Path, tmp_path: Path, needed: str) -> None:
    folder = altered(tiny_encoder, tmp_path / "bad")
    (folder / needed).unlink()
    with pytest.raises(BackboneError, match=rf"PF304 .*bad: it has no {needed}"):
        load(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[1]", b'"bert"', b"[" * 100_000])
def test_a_config_that_is_no_object_of_json_is_refused(
    tiny_encoder: Path, tmp_path: Path, content: bytes
) -> None:
    folder = altered(tiny_encoder, tmp_path / "bad")
    (folder / "config.json").write_bytes(content)
    with pytest.raises(BackboneError, match=r"PF304 .*config\.json: it is no JSON"):
        load(folder)


@pytest.mark.parametrize("left", [0, 5, 300, -8, -1])
def test_a_cut_weights_file_is_refused(tiny_encoder: Path, tmp_path: Path, left: int) -> None:
    folder = altered(tiny_encoder, tmp_path / "cut")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:left])
    with pytest.raises(BackboneError, match=r"PF304 .*model\.safetensors: it is no safetensors"):
        load(folder)


def test_a_weights_file_with_bytes_to_spare_is_refused(tiny_encoder: Path, tmp_path: Path) -> None:
    folder = altered(tiny_encoder, tmp_path / "long")
    with (folder / "model.safetensors").open("ab") as file:
        file.write(b"\0" * 8)
    with pytest.raises(BackboneError, match=r"PF304 .*model\.safetensors: it is no safetensors"):
        load(folder)


def test_missing_weights_are_counted_and_one_is_named(tiny_encoder: Path, tmp_path: Path) -> None:
    name = "encoder.layer.1.attention.self.key.bias"

    def drop(arrays: dict[str, Any]) -> dict[str, Any]:
        return {k: a for k, a in arrays.items() if k != name}

    with pytest.raises(BackboneError, match=f"PF304 .*1 weights .* missing, such as {name}"):
        load(reweighed(tiny_encoder, tmp_path / "bad", drop))
    with pytest.raises(BackboneError, match=r"PF304 .*37 weights .* missing"):
        load(reweighed(tiny_encoder, tmp_path / "none", lambda _: {"x": np.zeros(2, np.float32)}))


def test_sizes_that_only_broadcast_are_refused(tiny_encoder: Path, tmp_path: Path) -> None:
    name = "embeddings.token_type_embeddings.weight"
    with pytest.raises(BackboneError, match=rf"PF304 .*{name} with \(2, 1\)"):
        load(reweighed(tiny_encoder, tmp_path / "bad", lambda a: a | {name: a[name][:, :1]}))


def test_quantised_weights_are_refused(tiny_encoder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = altered(tiny_encoder, tmp_path / "int8")
    tensors = load_file(folder / "model.safetensors")
    name = "encoder.layer.0.output.dense.weight"
    tensors[name] = (tensors[name] * 100).to(torch.int8)
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(BackboneError, match=f"PF304 .*{name}: its numbers are int8"):
        load(folder)


@pytest.mark.parametrize("name", ["minilm-l6", "e5-small-multi", "mpnet-base"])
def test_a_real_encoder_knows_what_means_the_same(
    real_backbone: Callable[[str], Path], name: str
) -> None:
    path = real_backbone(name)
    backbone = find(name)
    encoder = load(path)
    texts = ["My card was stolen.", "Somebody took my bank card.", "When do you open on Sunday?"]
    if name == "e5-small-multi":
        texts[1] = "有人偷了我的银行卡。"
    tokens = tokenise(texts, load_tokenizer(path), max_tokens=64, prefix=backbone.prefix)
    batch = pack(tokens, np.arange(3))
    with torch.inference_mode():
        pooled = mean_of_tokens(encoder.run(encoder.embed(batch), batch), batch.groups)
    vectors = torch.nn.functional.normalize(pooled[np.argsort(batch.rows)], dim=1)
    assert float(vectors[0] @ vectors[1]) > float(vectors[0] @ vectors[2]) + 0.05
