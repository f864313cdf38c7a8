from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from payoff.adapt.backbones.static_table import load_static_table
from payoff.adapt.backbones.tokenizer import load_tokenizer
from payoff.adapt.backbones.weights_file import write_weights
from payoff.core.errors import BackboneError


def test_a_table_is_mapped_as_it_is_stored(tmp_path: Path) -> None:
    expected = np.arange(12, dtype=np.float16).reshape(4, 3)
    write_weights(tmp_path / "table.safetensors", {"embedding.weight": expected})
    table = load_static_table(tmp_path)
    assert table.dtype == np.float16
    np.testing.assert_array_equal(table, expected)
    with pytest.raises(ValueError, match="read-only"):
        table[0, 0] = 1


def test_anything_but_one_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match=r"PF304 .*no table\.safetensors"):
        load_static_table(tmp_path)
    two = {"a": np.zeros((2, 2), np.float16), "b": np.zeros(3, np.float16)}
    write_weights(tmp_path / "table.safetensors", two)
    with pytest.raises(BackboneError, match=r"PF304 .*\(2, 2\), \(3,\) \(expected one table\)"):
        load_static_table(tmp_path)


def test_the_real_table_knows_what_means_the_same(real_backbone: Callable[[str], Path]) -> None:
    path = real_backbone("wordllama-256")
    table, tokenizer = load_static_table(path), load_tokenizer(path)
    assert table.shape == (tokenizer.get_vocab_size(), 256)
    texts = ["My card was stolen.", "Somebody took my bank card.", "When do you open on Sunday?"]
    vectors = [
        table[encoding.ids].mean(axis=0, dtype=np.float32)
        for encoding in tokenizer.encode_batch(texts)
    ]
    first, second, other = (vector / np.linalg.norm(vector) for vector in vectors)
    assert first @ second > first @ other + 0.1
    assert tokenizer.encode("My card").tokens == ["▁My", "▁card"]
