from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from payoff.adapt.backbones.find import find
from payoff.adapt.backbones.speed import (
    cpu_name,
    measure_speed,
    remember_speed,
    remembered_speeds,
)
from payoff.adapt.backbones.weights_file import write_weights


def test_an_encoder_is_measured(tiny_encoder: Path) -> None:
    speed = measure_speed(find(str(tiny_encoder)), seconds=0.05)
    assert speed.texts_per_s > 32
    assert speed.n_tokens == 19  # 15 words, a comma, a question mark, two marks
    assert speed.threads >= 1
    assert speed.cpu == cpu_name()


def test_a_table_is_measured(tiny_encoder: Path, tmp_path: Path) -> None:
    write_weights(tmp_path / "table.safetensors", {"t": np.ones((40, 8), np.float16)})
    (tmp_path / "tokenizer.json").write_bytes((tiny_encoder / "tokenizer.json").read_bytes())
    assert measure_speed(find(str(tmp_path)), seconds=0.0).threads == 1


@pytest.mark.parametrize("content", ["", "[]", '{"a": 1}', '{"a": {"texts_per_s": 1}}'])
def test_measurements_are_kept_by_processor(
    tiny_encoder: Path, own_cache: Path, content: str
) -> None:
    own_cache.mkdir()
    (own_cache / "speeds.json").write_text(content, encoding="utf-8")
    assert remembered_speeds() == {}
    backbone = find(str(tiny_encoder))
    speed = measure_speed(backbone, seconds=0.0)
    remember_speed(backbone, speed)
    assert remembered_speeds() == {str(tiny_encoder): speed}
    remember_speed(replace(backbone, name="b"), replace(speed, texts_per_s=2.0))
    assert remembered_speeds()["b"].texts_per_s == 2.0
    stored = json.loads((own_cache / "speeds.json").read_text("utf-8"))
    stored["b"]["cpu"] = "another"
    (own_cache / "speeds.json").write_text(json.dumps(stored), encoding="utf-8")
    assert set(remembered_speeds()) == {str(tiny_encoder)}


def test_a_decoder_is_measured(tmp_path: Path) -> None:
    from tests.adapt.tiny_decoder import chat_decoder_folder

    backbone = find(str(chat_decoder_folder(tmp_path, ["send money to my sister on Monday"])))
    assert backbone.family == "decoder"
    speed = measure_speed(backbone, seconds=0.05)
    assert speed.texts_per_s > 1
    assert speed.n_tokens > 15
