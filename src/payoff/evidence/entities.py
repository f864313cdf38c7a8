"""Quality of found entities: exactly right, and right but for the borders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np

from payoff.core.errors import DataError

_REPEATS = 1000
_LEVEL = 0.9


class Located(Protocol):
    """An entity, annotated or found."""

    @property
    def start(self) -> int:
        """First character."""

    @property
    def end(self) -> int:
        """Character behind the last."""

    @property
    def label(self) -> str:
        """What kind of thing it is."""


@dataclass(frozen=True, slots=True)
class Matches:
    """Entities found, annotated, and both.

    Args:
        n_right: Found and annotated alike.
        n_found: Found.
        n_true: Annotated.

    Example:
        >>> Matches(n_right=2, n_found=4, n_true=2).f1
        0.6666666666666666
    """

    n_right: int
    n_found: int
    n_true: int

    @property
    def precision(self) -> float:
        """Share of the found that are right; 0 where none was found."""
        return self.n_right / self.n_found if self.n_found else 0.0

    @property
    def recall(self) -> float:
        """Share of the annotated that were found; 0 where none is annotated."""
        return self.n_right / self.n_true if self.n_true else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 0 where nothing is right."""
        either = self.n_found + self.n_true
        return 2 * self.n_right / either if either else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Counts and shares as plain values."""
        return {
            **asdict(self),
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
        }


@dataclass(frozen=True, slots=True)
class EntityQuality:
    """Figures over one set of texts.

    An entity is right where start, end and label are those of an annotated one (as the CoNLL-2003
    task counts, Tjong Kim Sang & De Meulder 2003, section 2.4).

    Args:
        n_texts: Texts.
        strict: Over all entities together (micro).
        by_label: The same of each label that is annotated or found, sorted.
        overlapping_f1: F1 where sharing one character and the label is enough: the harmonic mean
            of the share of found entities that touch an annotated one of their label, and of the
            share of annotated ones that are touched.
        f1_interval: 5 % and 95 % quantiles of the strict F1 over texts drawn with replacement.
    """

    n_texts: int
    strict: Matches
    by_label: dict[str, Matches]
    overlapping_f1: float
    f1_interval: tuple[float, float]

    @property
    def macro_f1(self) -> float:
        """Mean F1 over the labels; 0 where nothing is annotated or found."""
        return self._mean("f1")

    @property
    def macro_precision(self) -> float:
        """Mean precision over the labels."""
        return self._mean("precision")

    @property
    def macro_recall(self) -> float:
        """Mean recall over the labels."""
        return self._mean("recall")

    def _mean(self, figure: str) -> float:
        values = [getattr(matches, figure) for matches in self.by_label.values()]
        return float(np.mean(values)) if values else 0.0

    def as_dict(self) -> dict[str, Any]:
        """The same figures as plain values."""
        return {
            "n_texts": self.n_texts,
            "strict": self.strict.as_dict(),
            "macro_precision": self.macro_precision,
            "macro_recall": self.macro_recall,
            "macro_f1": self.macro_f1,
            "overlapping_f1": self.overlapping_f1,
            "f1_interval": list(self.f1_interval),
            "by_label": {label: found.as_dict() for label, found in self.by_label.items()},
        }


def measure_entities(
    found: Sequence[Sequence[Located]], truth: Sequence[Sequence[Located]], *, seed: int = 0
) -> EntityQuality:
    """Measure found entities against annotated ones.

    Args:
        found: Entities found in each text, ``n_texts`` of sequences.
        truth: Entities annotated in each text.
        seed: Of the texts drawn for the interval.

    Raises:
        DataError: PF106 where there is no text.
        ValueError: Where there are not as many of one as of the other.

    Example:
        >>> from payoff.data.annotations import Span
        >>> truth = [[Span(0, 5, "ORDER")], [Span(3, 8, "DATE")]]
        >>> quality = measure_entities([[Span(0, 5, "ORDER")], [Span(3, 9, "DATE")]], truth)
        >>> quality.strict.f1, quality.macro_f1, quality.overlapping_f1
        (0.5, 0.5, 1.0)
    """
    if not len(truth):
        raise DataError("PF106", "measurement", "there is no text", expected="at least one")
    right: Counter[str] = Counter()
    numbers = np.zeros((len(truth), 3))  # right, found, true of each text
    touching = np.zeros(2)
    for row, (ours, theirs) in enumerate(zip(found, truth, strict=True)):
        alike = _triples(ours) & _triples(theirs)
        right.update(label for _, _, label in alike)
        numbers[row] = len(alike), len(ours), len(theirs)
        touching += sum(_touches(e, theirs) for e in ours), sum(_touches(e, ours) for e in theirs)
    n_found, n_true = (_labels(entities) for entities in (found, truth))
    total = numbers.sum(axis=0).astype(int).tolist()
    return EntityQuality(
        n_texts=len(truth),
        strict=Matches(*total),
        by_label={
            label: Matches(right[label], n_found[label], n_true[label])
            for label in sorted({*n_found, *n_true})
        },
        overlapping_f1=_harmonic(touching[0] / max(1, total[1]), touching[1] / max(1, total[2])),
        f1_interval=_interval(numbers, seed),
    )


def _triples(entities: Iterable[Located]) -> set[tuple[int, int, str]]:
    return {(entity.start, entity.end, entity.label) for entity in entities}


def _labels(entities: Iterable[Iterable[Located]]) -> Counter[str]:
    return Counter(entity.label for row in entities for entity in row)


def _touches(entity: Located, others: Iterable[Located]) -> bool:
    return any(
        entity.label == other.label and entity.start < other.end and other.start < entity.end
        for other in others
    )


def _harmonic(one: float, other: float) -> float:
    return float(2 * one * other / (one + other)) if one + other > 0 else 0.0


def _interval(numbers: np.ndarray[Any, Any], seed: int) -> tuple[float, float]:
    """Percentile bootstrap of F1 over texts (Efron & Tibshirani 1993, section 13.3)."""
    n = len(numbers)
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=_REPEATS) @ numbers
    f1 = 2 * drawn[:, 0] / np.maximum(1, drawn[:, 1] + drawn[:, 2])
    low, high = np.quantile(f1, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return float(low), float(high)
