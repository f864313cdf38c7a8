from __future__ import annotations

from pathlib import Path

import pytest

from payoff.adapt.backbones.tokenizer import load_tokenizer
from payoff.core.errors import BackboneError


def test_a_tokenizer_neither_cuts_nor_fills(tiny_encoder: Path) -> None:
    tokenizer = load_tokenizer(tiny_encoder)
    texts = ["w0 w1", "w0 w1 w2 w3 w4 w5 nothing"]
    ids = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
    assert ids == [[2, 4, 5, 3], [2, 4, 5, 6, 7, 8, 9, 1, 3]]


def test_a_missing_or_broken_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match=r"PF304 .*no tokenizer\.json"):
        load_tokenizer(tmp_path)
    for content in ("{}", "", "\x00"):
        (tmp_path / "tokenizer.json").write_text(content, encoding="utf-8")
        with pytest.raises(BackboneError, match=r"PF304 .*it is no tokenizer"):
            load_tokenizer(tmp_path)
