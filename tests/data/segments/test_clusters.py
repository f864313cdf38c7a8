from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from payoff.core.errors import DataError
from payoff.data.segments.clusters import adjusted_rand, k_means, nearest
from payoff.data.segments.latent import latent_vectors, principal, unit_rows
from payoff.data.segments.stability import Stability, most_stable, stabilities
from payoff.data.segments.terms import TermTable

groupings = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=40)


def blobs(k: int, n: int = 30, *, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (np.repeat(np.eye(k) * 12, n, axis=0) + rng.normal(size=(k * n, k))).astype(np.float32)


@given(groupings)
def test_adjusted_rand_restated_over_pairs(rows: list[tuple[int, int]]) -> None:
    one, other = (np.array(column) for column in zip(*rows, strict=True))
    first, second = np.triu_indices(len(one), 1)
    same, also = one[first] == one[second], other[first] == other[second]
    chance = same.sum() * also.sum() / len(first)
    most = (same.sum() + also.sum()) / 2
    expected = 1.0 if most == chance else ((same & also).sum() - chance) / (most - chance)
    assert adjusted_rand(one, other) == pytest.approx(expected)
    assert adjusted_rand(other, one) == pytest.approx(expected)


@given(groupings, st.permutations(range(4)))
def test_adjusted_rand_does_not_look_at_names(
    rows: list[tuple[int, int]], names: list[int]
) -> None:
    one, other = (np.array(column) for column in zip(*rows, strict=True))
    assert adjusted_rand(np.array(names)[one], other) == pytest.approx(adjusted_rand(one, other))


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="compared"):
        adjusted_rand(np.zeros(2, np.int64), np.zeros(3, np.int64))


def test_blobs_are_found_whatever_the_order_and_the_seed() -> None:
    points = blobs(4)
    truth = np.repeat(np.arange(4), 30)
    shuffled = np.random.default_rng(1).permutation(len(points))
    for seed in (0, 1, 2):
        found = k_means(points[shuffled], 4, seed=seed)
        assert adjusted_rand(found.codes, truth[shuffled]) == 1.0
        sizes = np.bincount(found.codes)
        assert (np.diff(sizes) <= 0).all()
        assert (nearest(points[shuffled], found.centres)[0] == found.codes).all()


def test_equal_points_do_not_break_it() -> None:
    found = k_means(np.ones((6, 2), np.float32), 3, seed=0)
    assert found.spread == pytest.approx(0, abs=1e-6)
    assert len(found.codes) == 6


def test_the_number_of_clusters_is_that_of_the_blobs() -> None:
    found = stabilities(blobs(5, 40), (2, 3, 4, 5, 6, 7), seed=3)
    assert most_stable(found).k == 5
    assert all(one.low <= one.agreement <= 1 for one in found)
    assert found == stabilities(blobs(5, 40), (2, 3, 4, 5, 6, 7), seed=3)


def test_where_none_is_stable_the_most_stable_is_taken() -> None:
    assert most_stable([Stability(2, 0.3, 0.1), Stability(3, 0.5, 0.4)]).k == 3


def test_few_rows_are_refused() -> None:
    with pytest.raises(DataError, match="PF106") as caught:
        stabilities(blobs(2, 20), seed=0)
    assert "at least 50" in str(caught.value)


def test_latent_vectors_equal_a_singular_value_decomposition() -> None:
    texts = ["refund order", "refund parcel", "blocked card", "stolen card card", "order", "lost"]
    table = TermTable.of(texts, least=1)
    tfidf = np.zeros((6, len(table.terms)))
    tfidf[table.owners, table.columns] = 1 + np.log(table.counts)
    tfidf *= np.log(6 / table.frequencies)
    tfidf = tfidf / np.linalg.norm(tfidf, axis=1, keepdims=True)
    _, _, right = np.linalg.svd(tfidf)
    expected = unit_rows((tfidf @ right[:3].T).astype(np.float32))
    found = latent_vectors(table, width=3)
    assert np.allclose(found @ found.T, expected @ expected.T, atol=1e-4)


def test_texts_without_terms_have_a_vector_of_zeros() -> None:
    assert latent_vectors(TermTable.of(["a", "b"])).tolist() == [[0.0], [0.0]]


def test_principal_components_keep_distances_and_pad_with_zeros() -> None:
    points = blobs(2)
    placed = principal(points, width=3)
    assert np.allclose(placed[:, 2], 0)
    assert np.allclose(
        np.linalg.norm(placed[0] - placed[40]), np.linalg.norm(points[0] - points[40]), rtol=1e-4
    )
    along = principal(points, width=1, along=np.array([[0.0, 1.0], [0.0, 5.0]]))
    assert abs(np.corrcoef(along[:, 0], points[:, 1])[0, 1]) > 0.99
