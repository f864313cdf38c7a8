from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.adapt.tiny_backbones import encoder_folder, messages, static_folder

from payoff.adapt.text_vectors import text_vectors
from payoff.core.errors import BackboneError


@pytest.mark.parametrize("kind", [encoder_folder, static_folder])
def test_vectors_are_in_the_order_of_the_texts_and_of_length_1(kind, tmp_path: Path) -> None:
    texts, _ = messages([90, 90, 90, 90])
    folder = str(kind(tmp_path / "tiny", texts))
    vectors = text_vectors(texts, folder)
    assert len(vectors) == 360
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)
    some = [300, 2, 77]
    alone = text_vectors([texts[i] for i in some], folder)
    assert np.allclose(alone, vectors[some], atol=1e-4)


def test_an_unknown_name_is_told() -> None:
    with pytest.raises(BackboneError, match="PF301"):
        text_vectors(["a"], "minilm-6")
