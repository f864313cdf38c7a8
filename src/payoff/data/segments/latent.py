"""Vectors of texts from their own words: what segments are found by without a pretrained model."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from payoff.data.segments.terms import TermTable

_MOST_TERMS: Final = 2000
_BLOCK: Final = 2048
_TOO_COMMON: Final = 0.5
_SLIGHTLY: Final = 1e-3


def latent_vectors(table: TermTable, *, width: int = 16) -> NDArray[np.float32]:
    """Latent semantic analysis: TF-IDF of terms, reduced by a singular value decomposition.

    Rows are ``(1 + ln tf) · ln(n / df)`` over the most frequent terms, scaled to length 1, then
    projected on the leading right singular vectors and scaled to length 1 again (Deerwester et al.
    1990, "Indexing by latent semantic analysis", JASIS 41(6)). Terms in more than half of the texts
    are left out. The singular vectors are those of the terms' Gram matrix, so that memory does not
    grow with the number of texts; no library but numpy is needed.

    Args:
        table: Terms of ``n`` texts.
        width: Dimensions kept, at most.

    Returns:
        Vectors, shape ``(n, width)``; a row is 0 where a text holds no term of the table.

    Example:
        >>> table = TermTable.of(["lost card", "my card is lost", "refund it", "refund me"])
        >>> vectors = latent_vectors(table, width=2)
        >>> bool(vectors[0] @ vectors[1] > 0.9), bool(abs(vectors[0] @ vectors[2]) < 0.1)
        (True, True)
    """
    n, frequencies = table.n_texts, table.frequencies
    # Of two texts both would be too common.
    common = frequencies > max(_TOO_COMMON * n, 2)
    ranked = np.lexsort((np.arange(len(frequencies)), -np.where(common, 0, frequencies)))
    kept = np.sort(ranked[: min(_MOST_TERMS, len(frequencies) - int(common.sum()))])
    if not len(kept):
        return np.zeros((n, 1), np.float32)
    place = np.full(len(frequencies), -1)
    place[kept] = np.arange(len(kept))
    idf = np.log(n / frequencies[kept])
    gram = np.zeros((len(kept), len(kept)), np.float32)
    for start in range(0, n, _BLOCK):
        rows = _weights(table, place, idf, start)
        gram += rows.T @ rows
    _, directions = np.linalg.eigh(gram)
    leading = _signed(directions[:, ::-1][:, :width])
    blocks = [_weights(table, place, idf, start) @ leading for start in range(0, n, _BLOCK)]
    return unit_rows(np.concatenate(blocks))


def unit_rows(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows scaled to length 1; a row of zeros stays.

    Example:
        >>> unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]], np.float32))
        array([[0.6, 0.8],
               [0. , 0. ]], dtype=float32)
    """
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 1e-6, lengths, np.inf), dtype=np.float32)


def principal(
    vectors: NDArray[np.floating[Any]],
    *,
    width: int,
    along: NDArray[np.floating[Any]] | None = None,
) -> NDArray[np.float32]:
    """Coordinates along the leading principal components, shape ``(n, width)``.

    Signs are fixed, so that the same vectors always give the same picture. Where there are fewer
    dimensions than asked for, the rest is 0.

    Args:
        vectors: Shape ``(n, d)``.
        width: Components.
        along: Points whose principal components are taken, shape ``(m, d)``; ``vectors`` where
            None. What they do not tell apart is told apart by ``vectors``.

    Example:
        >>> principal(np.array([[0.0, 1.0], [2.0, 1.0], [4.0, 1.0]]), width=1).round(3).tolist()
        [[-2.0], [0.0], [2.0]]
    """
    centred = np.asarray(vectors - vectors.mean(axis=0), dtype=np.float32)
    scatter = np.asarray(centred.T @ centred / len(centred), dtype=np.float32)
    if along is not None:
        points = np.asarray(along - along.mean(axis=0), dtype=np.float32)
        means = points.T @ points / len(points)
        scatter = np.asarray(means + _SLIGHTLY * scatter, dtype=np.float32)
    _, directions = np.linalg.eigh(scatter)
    leading = _signed(directions[:, ::-1][:, :width])
    coordinates = np.zeros((len(vectors), width), np.float32)
    coordinates[:, : leading.shape[1]] = centred @ leading
    return coordinates


def _weights(
    table: TermTable, place: NDArray[np.int64], idf: NDArray[np.float64], start: int
) -> NDArray[np.float32]:
    """TF-IDF of a block of texts, dense, rows of length 1."""
    end = min(start + _BLOCK, table.n_texts)
    first, last = table.starts[start], table.starts[end]
    columns = place[table.columns[first:last]]
    known = columns >= 0
    owners = np.repeat(np.arange(end - start), np.diff(table.starts[start : end + 1]))
    values = (1 + np.log(table.counts[first:last][known])) * idf[columns[known]]
    dense = np.zeros((end - start, len(idf)), np.float32)
    dense[owners[known], columns[known]] = values
    return unit_rows(dense)


def _signed(directions: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each direction turned so that its largest component is positive."""
    largest = np.abs(directions).argmax(axis=0)
    signs = np.sign(directions[largest, np.arange(directions.shape[1])])
    turned: NDArray[np.float32] = directions * np.where(signs == 0, 1, signs)
    return turned
