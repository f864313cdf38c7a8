"""Segmentation: a data set cut into segments, by a column or by clusters of its texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from payoff.core.errors import DataError, did_you_mean
from payoff.core.progress import Progress, Silent
from payoff.data.readers.cells import column_text
from payoff.data.segments.clusters import Floats, k_means, nearest
from payoff.data.segments.growth import Growth, growth_of, months_of
from payoff.data.segments.keywords import keywords
from payoff.data.segments.latent import latent_vectors, principal
from payoff.data.segments.segment import Segment
from payoff.data.segments.stability import Stability, most_stable, stabilities
from payoff.data.segments.terms import TermTable

if TYPE_CHECKING:
    from payoff.data.dataset import Dataset

MOST_SEGMENTS: Final = 200
NOT_STATED: Final = "(not stated)"
"""Name of the segment of rows whose cell is empty."""
OWN_WORDS: Final = "TF-IDF and SVD of the texts' own words"
_WIDTH: Final = 16
_STARTS: Final = 10
_EXAMPLES: Final = 3


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Every row in one segment. Make it with `by_column` or `by_clusters`.

    Attributes:
        source: File name of the rows, as the user gave it.
        how: What the segments are, such as ``"column 'country'"`` or ``"6 clusters"``.
        vectors_of: What made the vectors.
        segments: The segments, the largest first.
        codes: Segment of each row, an index into ``segments``, shape ``(n,)``.
        vectors: Vectors of the texts that the map and the examples come from, shape ``(n, width)``.
        tried: Stability of every number of clusters that was looked at; empty where the number
            was given or a column names the segments.

    Example:
        >>> import polars as pl
        >>> from payoff.data.dataset import Dataset
        >>> table = pl.DataFrame({"t": ["lost card", "card lost", "refund it"],
        ...                       "land": ["DE", "DE", "FR"]})
        >>> found = Segmentation.by_column(Dataset.from_frame(table, text="t"), "land")
        >>> [(one.name, len(one.rows)) for one in found.segments]
        [('DE', 2), ('FR', 1)]
    """

    source: str
    how: str
    vectors_of: str
    segments: tuple[Segment, ...]
    codes: NDArray[np.int64]
    vectors: Floats
    tried: tuple[Stability, ...] = ()

    @classmethod
    def by_column(
        cls,
        dataset: Dataset,
        column: str,
        *,
        vectors: Floats | None = None,
        vectors_of: str = "",
        progress: Progress | None = None,
    ) -> Segmentation:
        """Take a column's values as segments.

        Args:
            dataset: The rows.
            column: Any column of its table, such as the country or the product.
            vectors: Vectors of the texts, shape ``(n, width)``; made of their words where None.
            vectors_of: What made them.
            progress: Who listens.

        Raises:
            DataError: PF103 where there is no such column; PF108 where it holds no text; PF115
                where it has one value only, or more than 200; PF109 for an unusable time.
        """
        if column not in dataset.frame.columns:
            raise DataError(
                "PF103",
                dataset.source,
                f"there is no column '{column}'",
                expected=f"one of {', '.join(map(repr, dataset.frame.columns[:30]))}",
                mend=did_you_mean(column, dataset.frame.columns) or "Name the column of segments.",
            )
        cells = column_text(dataset.frame[column], dataset.source).fill_null("").to_list()
        values = [cell.strip() or NOT_STATED for cell in cells]
        names, codes, sizes = np.unique(values, return_inverse=True, return_counts=True)
        _check_number(len(names), len(dataset), f"{dataset.source} column '{column}'")
        order = np.lexsort((names, -sizes))
        codes = np.argsort(order)[codes.reshape(-1)]
        table = TermTable.of(dataset.texts)
        described = _Described(dataset, table, codes, len(names), progress or Silent())
        vectors, vectors_of = _vectors(dataset, table, vectors, vectors_of)
        segments = described.segments(vectors, [str(names[i]) for i in order])
        return cls(dataset.source, f"column '{column}'", vectors_of, segments, codes, vectors)

    @classmethod
    def by_clusters(
        cls,
        dataset: Dataset,
        k: int | None = None,
        *,
        vectors: Floats | None = None,
        vectors_of: str = "",
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Segmentation:
        """Find segments among the texts: k-means on 16 principal components of their vectors.

        Args:
            dataset: The rows.
            k: Number of clusters; None for the largest number that is stable under resampling.
            vectors: Vectors of the texts, shape ``(n, width)``; made of their words where None.
            vectors_of: What made them.
            seed: The same seed gives the same segments.
            progress: Who listens.

        Raises:
            DataError: PF106 where there are too few rows; PF115 where ``k`` is below 2 or above
                200, or where fewer texts than ``k`` differ; PF109 for an unusable time.
        """
        if k is not None:
            _check_number(k, len(dataset), "--clusters")
        table = TermTable.of(dataset.texts)
        vectors, vectors_of = _vectors(dataset, table, vectors, vectors_of)
        reduced = principal(vectors, width=min(_WIDTH, vectors.shape[1]))
        tried: tuple[Stability, ...] = ()
        if k is None:
            tried = stabilities(reduced, seed=seed, progress=progress)
            k = most_stable(tried).k
        codes = k_means(reduced, k, seed=seed, repeat=_STARTS).codes
        if len(np.unique(codes)) < k:
            raise DataError(
                "PF115",
                dataset.source,
                f"its {len(dataset)} rows do not fall into {k} different groups of texts",
                mend="Ask for fewer clusters: --clusters K.",
            )
        described = _Described(dataset, table, codes, k, progress or Silent())
        segments = described.segments(vectors)
        return cls(dataset.source, f"{k} clusters", vectors_of, segments, codes, vectors, tried)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the segments, the largest first."""
        return tuple(segment.name for segment in self.segments)

    @property
    def stability(self) -> Stability | None:
        """How stable the number of clusters taken is; None where it was not looked for."""
        return next((one for one in self.tried if one.k == len(self.segments)), None)

    @cached_property
    def plane(self) -> Floats:
        """Coordinates of the rows on a map, shape ``(n, 2)``.

        Along the principal components of the segments' means, so that segments stand apart as far
        as two dimensions let them.
        """
        sums = np.zeros((len(self.segments), self.vectors.shape[1]), np.float32)
        np.add.at(sums, self.codes, self.vectors)
        means = sums / np.bincount(self.codes)[:, None]
        return principal(self.vectors, width=2, along=means)

    def as_dict(self) -> dict[str, Any]:
        """The same facts as plain values, without vectors and rows."""
        return {
            "source": self.source,
            "how": self.how,
            "vectors_of": self.vectors_of,
            "n_rows": len(self.codes),
            "stability": self.stability.as_dict() if self.stability else None,
            "tried": [one.as_dict() for one in self.tried],
            "segments": [segment.as_dict() for segment in self.segments],
        }


def name_clusters(terms: Sequence[tuple[str, ...]]) -> list[str]:
    """A name for each cluster from its keywords: the first two, more where two would be alike.

    Example:
        >>> name_clusters([("card", "lost", "pin"), ("card", "lost", "found"), ("refund",), ()])
        ['card · lost · pin', 'card · lost · found', 'refund', 'other texts']
    """
    names = [" · ".join(own[:2]) or "other texts" for own in terms]
    for n in range(3, 1 + max((len(own) for own in terms), default=0)):
        names = [
            " · ".join(own[:n]) if own and names.count(name) > 1 else name
            for name, own in zip(names, terms, strict=True)
        ]
    return [
        f"{name} {names[: i + 1].count(name)}" if names.count(name) > 1 else name
        for i, name in enumerate(names)
    ]


class _Described:
    """What is said of segments beside their rows: keywords, examples, growth."""

    def __init__(
        self,
        dataset: Dataset,
        table: TermTable,
        codes: NDArray[np.int64],
        k: int,
        progress: Progress,
    ) -> None:
        self.dataset, self.table, self.codes, self.k = dataset, table, codes, k
        self.progress = progress

    def segments(self, vectors: Floats, names: Sequence[str] = ()) -> tuple[Segment, ...]:
        terms = keywords(self.table, self.dataset.texts, self.codes, self.k)
        growths = self._growths()
        found = []
        for s, name in enumerate(names or name_clusters(terms)):
            rows = np.flatnonzero(self.codes == s)
            share = len(rows) / len(self.codes)
            examples = self._examples(rows, vectors, terms[s])
            found.append(Segment(name, rows, share, terms[s], examples, growths[s]))
            self.progress.step("describing segments", s + 1, self.k)
        return tuple(found)

    def _examples(
        self, rows: NDArray[np.int64], vectors: Floats, terms: tuple[str, ...]
    ) -> tuple[str, ...]:
        """Different texts near the segment's mean: of the nearer half those with most keywords."""
        centre = vectors[rows].mean(axis=0, keepdims=True)
        _, distances = nearest(vectors[rows], centre)
        nearer = rows[np.argsort(distances, kind="stable")][: max(_EXAMPLES, len(rows) // 2)]
        texts = [" ".join(self.dataset.texts[row].split()) for row in nearer]
        held = [min(sum(term in text.lower() for term in terms), 2) for text in texts]
        told: dict[str, str] = {}
        for i in np.argsort([-n for n in held], kind="stable"):
            if texts[i]:
                told.setdefault(texts[i].casefold(), texts[i])
            if len(told) == _EXAMPLES:
                break
        return tuple(told.values())

    def _growths(self) -> list[Growth | None]:
        if self.dataset.time is None:
            return [None] * self.k
        months = months_of(self.dataset.column("time"), f"{self.dataset.source} time")
        if months is None:
            self.progress.say("growth is not measured: the times are numbers of no known unit")
            return [None] * self.k
        first, last = float(months.min()), float(months.max())
        return [growth_of(months[self.codes == s], first, last) for s in range(self.k)]


def _vectors(
    dataset: Dataset, table: TermTable, given: Floats | None, named: str
) -> tuple[Floats, str]:
    if given is None:
        return latent_vectors(table, width=_WIDTH), OWN_WORDS
    good = given.ndim == 2 and len(given) == len(dataset) and bool(np.isfinite(given).all())
    if not good:
        raise DataError(
            "PF115",
            "vectors of the texts",
            f"they have the shape {given.shape}, or are not all finite",
            expected=f"({len(dataset)}, width) finite numbers",
        )
    return np.asarray(given, dtype=np.float32), named or "vectors that were given"


def _check_number(k: int, n: int, where: str) -> None:
    if k == 1:
        raise DataError(
            "PF115",
            where,
            "there is one segment only, so there is nothing to choose between",
            mend="Name another column, or look for segments: --clusters auto.",
        )
    if k < 1 or k > MOST_SEGMENTS:
        raise DataError(
            "PF115",
            where,
            f"{k} segments are asked for",
            expected=f"2 to {MOST_SEGMENTS}",
            mend="Name a column with fewer values, or another number of clusters.",
        )
    if n < k:
        raise DataError(
            "PF106", where, f"{n} rows cannot be {k} segments", expected=f"{k} rows or more"
        )
