from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payoff.adapt.backbones.find import find
from payoff.core.errors import BackboneError


def copied(folder: Path, target: Path, **files: object) -> Path:
    shutil.copytree(folder, target)
    for name, content in files.items():
        path = target / name.replace("__", "/").replace("_json", ".json")
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content), encoding="utf-8")
    return target


def test_a_folder_tells_its_own_shape(tiny_encoder: Path) -> None:
    found = find(str(tiny_encoder))
    assert (found.family, found.width, found.n_layers, found.max_tokens) == ("encoder", 16, 2, 24)
    assert (found.pooling, found.prefix, found.path) == ("mean", "", tiny_encoder)
    tables = (40 + 24 + 2) * 16 + 2 * 16
    attention = 4 * (16 * 16 + 16) + 2 * 16
    inner = 16 * 32 + 32 + 32 * 16 + 16 + 2 * 16
    pooler = 16 * 16 + 16
    assert found.n_parameters == tables + 2 * (attention + inner) + pooler


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "cls"),
        ({"pooling_mode_mean_tokens": True, "include_prompt": True}, "mean"),
        ({"pooling_mode": "cls"}, "cls"),
        ({}, "mean"),
    ],
)
def test_sentence_transformers_files_are_read(
    tiny_encoder: Path, tmp_path: Path, pooling: dict[str, object], expected: str
) -> None:
    folder = copied(tiny_encoder, tmp_path / "st", sentence_bert_config_json={"max_seq_length": 9})
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling), encoding="utf-8")
    prompts = {"prompts": {"q": "query: "}, "default_prompt_name": "q"}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(prompts), "utf-8")
    found = find(str(folder))
    assert (found.pooling, found.max_tokens, found.prefix) == (expected, 9, "query: ")


def test_an_unknown_pooling_is_refused(tiny_encoder: Path, tmp_path: Path) -> None:
    folder = copied(tiny_encoder, tmp_path / "st")
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_max_tokens": true}', "utf-8")
    with pytest.raises(BackboneError, match=r"PF304 .*pooling by max"):
        find(str(folder))


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_folder_that_lacks_a_file_is_refused(
    tiny_encoder: Path, tmp_path: Path, missing: str
) -> None:
    folder = copied(tiny_encoder, tmp_path / "lacking")
    (folder / missing).unlink()
    with pytest.raises(BackboneError, match=f"PF304 .*it has no {missing}"):
        find(str(folder))


def test_a_config_that_is_no_json_is_refused(tiny_encoder: Path, tmp_path: Path) -> None:
    folder = copied(tiny_encoder, tmp_path / "bad")
    (folder / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(BackboneError, match=r"PF304 .*no JSON"):
        find(str(folder))


def test_positions_of_roberta_keep_two_for_the_padding(tiny_encoder: Path, tmp_path: Path) -> None:
    config = {"model_type": "roberta", "max_position_embeddings": 514, "hidden_size": 16}
    folder = copied(tiny_encoder, tmp_path / "roberta", config_json=config)
    assert find(str(folder)).max_tokens == 512


def test_a_hub_id_may_name_a_revision() -> None:
    found = find("hf:owner/name-v1.5@refs/pr/3")
    assert (found.format, found.upstream, found.revision) == ("hub", "owner/name-v1.5", "refs/pr/3")
    assert find("hf:owner/name").revision == ""


@given(st.text(max_size=30).map(lambda text: "zz " + text))
def test_any_other_name_is_told_as_unknown(name: str) -> None:
    with pytest.raises(BackboneError, match="PF301"):
        find(name)
