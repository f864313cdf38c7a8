"""Few values in a matrix: those that were chosen, kept by 8 bits, and small once packed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.adapt.compress.test_int8 import logits

from payoff.adapt.compress import compress_by
from payoff.adapt.compress.codebook import k_means
from payoff.adapt.compress.few_levels import even
from payoff.adapt.compress.shared_values import of_few_values
from payoff.artifact.tier import TierSpec

Tier = tuple[TierSpec, Path, list[str]]


def weights(folder: Path) -> dict[str, np.ndarray]:
    graph = onnx.load(folder / "model.onnx").graph
    return {one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer}


@pytest.mark.parametrize(
    ("way", "n", "n_table"),
    [
        ("few-levels[levels=15,table=63]", 15, 63),
        ("few-levels[levels=3,table=5]", 3, 5),
        ("codebook[values=8,table=16]", 8, 16),
    ],
)
def test_int8_keeps_the_values_and_every_output_has_the_same(
    way: str, n: int, n_table: int, tier: Tier, tmp_path: Path
) -> None:
    spec, folder, texts = tier
    compress_by(way, spec, folder, tmp_path / "few", texts=texts)
    small = compress_by(f"{way}+int8", spec, folder, tmp_path / "small", texts=texts)
    whole, found = weights(tmp_path / "few"), weights(tmp_path / "small")
    names = [f"layers.{i}.{part}.weight" for i in range(2) for part in ("qkv", "out", "up", "down")]
    for name in names:
        values = np.unique(found[f"{name}_quantized"])
        assert len(values) <= n
        assert np.abs(values.astype(int)).max() == 127
        assert (np.abs(whole[name]).max(axis=0) > 0).all()
    assert len(np.unique(found["words_quantized"])) <= n_table
    few, eight = logits(spec, tmp_path / "few", texts), logits(small, tmp_path / "small", texts)
    assert np.abs(few - eight).mean() < 0.1 * few.std()


def test_fewer_values_are_smaller_once_packed(tier: Tier, tmp_path: Path) -> None:
    spec, folder, texts = tier
    sizes = []
    for way in ("int8", "few-levels+int8", "few-levels[levels=5,table=15]+int8"):
        place = tmp_path / way
        compress_by(f"{way}+zstd", spec, folder, place, texts=texts)
        sizes.append((place / "model.onnx.zst").stat().st_size)
    assert sizes[0] > sizes[1] > sizes[2]


def test_the_largest_weight_of_an_output_stays() -> None:
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(40, 30)).astype(np.float32)
    rows = rng.normal(size=(200, 40)) @ rng.normal(size=(40, 40))
    found = of_few_values(matrix, rows.T @ rows / 200, lambda *_: even(7))
    largest = np.abs(matrix).argmax(axis=0), np.arange(30)
    np.testing.assert_allclose(found[largest], matrix[largest], rtol=1e-6)
    assert (np.abs(found) <= np.abs(matrix).max(axis=0) * (1 + 1e-6)).all()
    levels = found / np.abs(matrix).max(axis=0)
    assert np.abs(levels[..., None] - even(7)).min(axis=-1).max() < 1e-6


@settings(max_examples=25, deadline=None)
@given(
    found=st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=60),
    n=st.integers(3, 20),
)
def test_values_rise_from_end_to_end_on_the_steps_of_8_bits(found: list[float], n: int) -> None:
    unit = np.array(found, np.float32)
    counts = np.ones(len(unit))
    values = k_means(unit, counts, n)
    assert 2 <= len(values) <= n
    assert values[0] == -1
    assert values[-1] == 1
    assert (np.diff(values) > 0).all()
    assert np.abs(values * 127 - np.rint(values * 127)).max() < 1e-9


def test_k_means_errs_less_than_even_values() -> None:
    unit = np.clip(np.random.default_rng(0).normal(size=20_000) / 4, -1, 1).astype(np.float32)

    def error(values: np.ndarray) -> float:
        return float((np.abs(unit[:, None] - values).min(axis=1) ** 2).mean())

    best = k_means(unit, np.ones(len(unit)), 16)
    assert error(best) < 0.8 * error(np.linspace(-1, 1, 16))
