from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.data.segments.market_rows import CHINESE, chinese, english

from payoff.core.errors import DataError
from payoff.data.dataset import Dataset
from payoff.data.segments.clusters import adjusted_rand
from payoff.data.segments.keywords import keywords
from payoff.data.segments.segmentation import (
    NOT_STATED,
    OWN_WORDS,
    Segmentation,
    name_clusters,
)
from payoff.data.segments.terms import TermTable


def test_clusters_of_words_are_the_themes() -> None:
    rows = english()
    found = Segmentation.by_clusters(rows, 3)
    truth = np.unique(rows.frame["market"].to_list(), return_inverse=True)[1]
    assert adjusted_rand(found.codes, truth) > 0.9
    assert found.vectors_of == OWN_WORDS
    assert found.stability is None
    assert {segment.keywords[0] for segment in found.segments} == {"appointment", "parcel", "card"}


def test_names_stay_under_another_seed() -> None:
    rows = english()
    names = [set(Segmentation.by_clusters(rows, 3, seed=seed).names) for seed in range(4)]
    assert all(one == names[0] for one in names)


def test_every_row_is_in_one_segment_and_the_largest_come_first() -> None:
    dataset = english()
    found = Segmentation.by_clusters(dataset, 4)
    rows = np.concatenate([segment.rows for segment in found.segments])
    assert sorted(rows) == list(range(180))
    assert sum(segment.share for segment in found.segments) == pytest.approx(1)
    sizes = [len(segment.rows) for segment in found.segments]
    assert sizes == sorted(sizes, reverse=True)
    for s, segment in enumerate(found.segments):
        assert (found.codes[segment.rows] == s).all()
        assert set(segment.examples) <= {dataset.texts[row] for row in segment.rows}
    assert found.plane.shape == (180, 2)


def test_relabelling_clusters_relabels_their_keywords() -> None:
    rows = english()
    table = TermTable.of(rows.texts)
    codes = Segmentation.by_clusters(rows, 3).codes
    swapped = np.array([2, 0, 1])[codes]
    plain, other = (keywords(table, rows.texts, c, 3) for c in (codes, swapped))
    assert [other[2], other[0], other[1]] == plain


def test_chinese_keywords_are_words_that_people_write() -> None:
    found = Segmentation.by_clusters(chinese(), 3, seed=1)
    assert sorted(segment.keywords[0] for segment in found.segments) == sorted(CHINESE)
    assert all("的" not in word for segment in found.segments for word in segment.keywords)


def test_a_column_names_the_segments_and_empty_cells_say_so() -> None:
    table = pl.DataFrame(
        {"t": ["refund order", "parcel", "card", "loan"], "land": ["DE", " ", "DE", None]}
    )
    found = Segmentation.by_column(Dataset.from_frame(table, text="t"), "land")
    assert found.names == (NOT_STATED, "DE") or found.names == ("DE", NOT_STATED)
    assert [len(segment.rows) for segment in found.segments] == [2, 2]


def test_numbers_are_values_of_a_column_too() -> None:
    table = pl.DataFrame({"t": ["a b", "c d", "e f"], "tier": [1.0, 2.0, 1.0]})
    assert Segmentation.by_column(Dataset.from_frame(table, text="t"), "tier").names == ("1", "2")


def test_growth_is_told_by_segment() -> None:
    rng = np.random.default_rng(0)
    days = np.concatenate([rng.integers(0, 360, 200), 360 * np.sqrt(rng.random(200))]).astype(int)
    stamps = [str(np.datetime64("2025-01-01") + int(day)) for day in days]
    table = pl.DataFrame({"t": ["card"] * 400, "w": stamps, "s": ["flat"] * 200 + ["up"] * 200})
    rows = Dataset.from_frame(table, text="t", time="w")
    found = {one.name: one.growth for one in Segmentation.by_column(rows, "s").segments}
    assert found["up"] is not None
    assert found["flat"] is not None
    assert found["up"].low > 0.05
    assert found["flat"].low < 0 < found["flat"].high


def test_given_vectors_are_used_and_named() -> None:
    rows = english(20)
    vectors = np.repeat(np.eye(2, dtype=np.float32) * 9, 30, axis=0)
    found = Segmentation.by_clusters(rows, 2, vectors=vectors, vectors_of="minilm-l6")
    assert adjusted_rand(found.codes, np.repeat([0, 1], 30)) == 1
    assert found.as_dict()["vectors_of"] == "minilm-l6"


@pytest.mark.parametrize(
    ("column", "code", "told"),
    [
        ("markt", "PF103", "Did you mean 'market'"),
        ("one", "PF115", "one segment only"),
        ("many", "PF115", "2 to 200"),
    ],
)
def test_unusable_columns_are_told(column: str, code: str, told: str) -> None:
    rows = english(80)
    table = rows.frame.with_columns(
        pl.lit("same").alias("one"), pl.int_range(pl.len()).alias("many")
    )
    with pytest.raises(DataError, match=code) as caught:
        Segmentation.by_column(Dataset.from_frame(table, text="text"), column)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("k", "n", "code"), [(1, 30, "PF115"), (0, 30, "PF115"), (400, 30, "PF115"), (100, 10, "PF106")]
)
def test_unusable_numbers_of_clusters_are_told(k: int, n: int, code: str) -> None:
    with pytest.raises(DataError, match=code):
        Segmentation.by_clusters(english(n), k)


def test_texts_that_are_all_alike_cannot_be_clustered() -> None:
    rows = Dataset.from_frame(pl.DataFrame({"t": ["card"] * 60}), text="t")
    with pytest.raises(DataError, match="PF115") as caught:
        Segmentation.by_clusters(rows, 3)
    assert "3 different groups" in str(caught.value)


@pytest.mark.parametrize("shape", [(5, 2), (60,)])
def test_vectors_must_fit_the_rows(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="PF115"):
        Segmentation.by_clusters(english(20), 2, vectors=np.zeros(shape, np.float32))


def test_names_tell_clusters_apart() -> None:
    assert name_clusters([("a", "b"), ("a", "b"), ()]) == ["a · b 1", "a · b 2", "other texts"]


def test_real_chinese_reviews_have_readable_names(shared_data: Path) -> None:
    rows = Dataset.from_csv(shared_data / "zh_waimai_10k" / "test.csv", text="text")
    found = Segmentation.by_clusters(rows.take(range(700)), 8)
    words = {word for segment in found.segments for word in segment.keywords}
    assert {"味道", "小时"} <= words
    assert all(2 <= len(word) <= 4 for word in words if not word.isascii())


def test_real_english_requests_have_stable_names(shared_data: Path) -> None:
    rows = Dataset.from_csv(shared_data / "banking77" / "test.csv", text="text")
    one, other = (Segmentation.by_clusters(rows, 16, seed=seed) for seed in (0, 1))
    assert adjusted_rand(one.codes, other.codes) > 0.75
    first = [{name.split(" · ")[0] for name in found.names} for found in (one, other)]
    assert len(first[0] & first[1]) >= 11
