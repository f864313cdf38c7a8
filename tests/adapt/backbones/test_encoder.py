from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from payoff.adapt.backbones.encoder import load_encoder, load_tokenizer
from payoff.adapt.backbones.find import find
from payoff.adapt.backbones.weights_file import read_weights, write_weights
from payoff.core.errors import BackboneError

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")


def altered(folder: Path, target: Path, **config: object) -> Path:
    shutil.copytree(folder, target)
    content = json.loads((target / "config.json").read_text("utf-8")) | config
    (target / "config.json").write_text(json.dumps(content), encoding="utf-8")
    return target


def test_an_encoder_gives_what_transformers_gives(tiny_encoder: Path) -> None:
    ours = load_encoder(tiny_encoder)
    theirs = transformers.BertModel.from_pretrained(tiny_encoder).eval()
    ids = torch.tensor([[2, 7, 9, 3, 0], [2, 5, 3, 0, 0]])
    mask = torch.tensor([[1, 1, 1, 1, 0], [1, 1, 1, 0, 0]])
    with torch.no_grad():
        found = ours(input_ids=ids, attention_mask=mask).last_hidden_state
        expected = theirs(input_ids=ids, attention_mask=mask).last_hidden_state
    assert found.shape == (2, 5, 16)
    assert torch.allclose(found, expected, atol=1e-6)
    assert not ours.training
    assert ours.pooler is None
    assert ours.config._attn_implementation == "sdpa"


def test_half_precision_and_a_task_head_are_taken(tiny_encoder: Path, tmp_path: Path) -> None:
    folder = altered(tiny_encoder, tmp_path / "head")
    arrays = {
        f"bert.{name}": values.astype(np.float16)
        for name, values in read_weights(tiny_encoder / "model.safetensors").items()
    }
    write_weights(folder / "model.safetensors", arrays | {"cls.bias": np.zeros(3, np.float32)})
    module = load_encoder(folder)
    original = load_encoder(tiny_encoder)
    for found, expected in zip(module.parameters(), original.parameters(), strict=True):
        assert found.dtype == torch.float32
        assert torch.allclose(found, expected, atol=1e-3)


def test_an_architecture_without_sdpa_or_pooler_loads(tmp_path: Path) -> None:
    settings = {"vocab_size": 30, "max_position_embeddings": 20}
    mpnet = transformers.MPNetConfig(
        **settings,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
    )
    transformers.MPNetModel(mpnet).save_pretrained(tmp_path / "mpnet")
    assert load_encoder(tmp_path / "mpnet").config._attn_implementation == "eager"
    distil = transformers.DistilBertConfig(**settings, dim=16, n_layers=1, n_heads=2, hidden_dim=32)
    transformers.DistilBertModel(distil).save_pretrained(tmp_path / "distil")
    load_encoder(tmp_path / "distil")


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ({"num_hidden_layers": 3}, r"PF304 .*16 weights of config\.json are missing"),
        ({"hidden_size": 32}, r"PF304 .*size mismatch"),
        ({"model_type": "nothing-of-that-name"}, r"PF304 .*config\.json"),
        ({"model_type": "t5gemma2_encoder_of_nobody"}, "PF304"),
    ],
)
def test_weights_that_do_not_fit_the_config_are_refused(
    tiny_encoder: Path, tmp_path: Path, config: dict[str, object], found: str
) -> None:
    with pytest.raises(BackboneError, match=f"(?s){found}"):
        load_encoder(altered(tiny_encoder, tmp_path / "bad", **config))


def test_remote_code_is_never_run(tiny_encoder: Path, tmp_path: Path) -> None:
    folder = altered(
        tiny_encoder, tmp_path / "remote", model_type="own", auto_map={"AutoConfig": "own.Config"}
    )
    (folder / "own.py").write_text("raise SystemExit('it was run')", encoding="utf-8")
    with pytest.raises(BackboneError, match="PF304"):
        load_encoder(folder)


def test_missing_or_broken_files_are_told(tiny_encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match=r"PF304 .*no config\.json"):
        load_encoder(tmp_path)
    with pytest.raises(BackboneError, match=r"PF304 .*no tokenizer\.json"):
        load_tokenizer(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(BackboneError, match=r"PF304 .*it is no tokenizer"):
        load_tokenizer(tmp_path)
    folder = altered(tiny_encoder, tmp_path / "cut")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8])
    with pytest.raises(BackboneError, match=r"PF304 .*model\.safetensors"):
        load_encoder(folder)


def test_a_tokenizer_neither_cuts_nor_fills(tiny_encoder: Path) -> None:
    tokenizer = load_tokenizer(tiny_encoder)
    texts = ["w0 w1", "w0 w1 w2 w3 w4 w5 nothing"]
    ids = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
    assert ids == [[2, 4, 5, 3], [2, 4, 5, 6, 7, 8, 9, 1, 3]]


@pytest.mark.parametrize("name", ["minilm-l6", "e5-small-multi", "mpnet-base"])
def test_a_real_encoder_knows_what_means_the_same(
    real_backbone: Callable[[str], Path], name: str
) -> None:
    path = real_backbone(name)
    backbone = find(name)
    module, tokenizer = load_encoder(path), load_tokenizer(path)
    n_pooler = backbone.width * (backbone.width + 1)
    n_found = sum(values.numel() for values in module.parameters())
    assert n_found in (backbone.n_parameters, backbone.n_parameters - n_pooler)
    texts = ["My card was stolen.", "Somebody took my bank card.", "When do you open on Sunday?"]
    if name == "e5-small-multi":
        texts[1] = "有人偷了我的银行卡。"
    vectors = []
    for text in texts:
        ids = torch.tensor([tokenizer.encode(backbone.prefix + text).ids])
        with torch.inference_mode():
            hidden = module(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
        vectors.append(torch.nn.functional.normalize(hidden[0].mean(0), dim=0))
    assert float(vectors[0] @ vectors[1]) > float(vectors[0] @ vectors[2]) + 0.05
