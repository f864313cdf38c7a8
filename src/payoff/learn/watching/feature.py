"""Feature: something of a request that can drift, cut into cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from payoff.data.segments.clusters import k_means, nearest
from payoff.learn.watching.known_words import KnownWords
from payoff.learn.watching.profile import Profile
from payoff.learn.watching.window import Floats, Integers, Window

_CELLS = 8
_CENTRES = 12
_UNKNOWN_EDGES = (1e-9, 0.1, 0.25, 0.5)

SURENESS = "how sure the model is"
PREDICTED = "label that the model says"
SEGMENT = "segment of the customer"
LENGTH = "length of the text"
UNKNOWN = "words not seen before"
MEANING = "place of the embedding"
FEATURES = (SURENESS, PREDICTED, SEGMENT, LENGTH, UNKNOWN, MEANING)


@dataclass(frozen=True, eq=False, slots=True)
class Feature:
    """How a feature's cells are told apart, and how requests lay in them before.

    Args:
        profile: Shares and worth of the cells; its name says which feature it is.
        edges: Where one cell ends and the next begins, for a feature that is a number.
        centres: One a cell, ``(m, width)``, for embeddings; empty for all else.

    Example:
        >>> from payoff.economics.value_tables import ValueTables
        >>> tables = ValueTables(np.array([[3.0, -7.0, -1.0], [-7.0, 3.0, -1.0]]))
        >>> window = Window(probabilities=np.array([[0.9, 0.1], [0.2, 0.8]]), tables=tables,
        ...                 actions=np.array([0, 1]))
        >>> feature = Feature.of(PREDICTED, window, labels=("billing", "refund"))
        >>> feature.profile.cells, feature.codes(window).tolist()
        (('billing', 'refund'), [0, 1])
        >>> Feature.of(LENGTH, window, labels=("billing", "refund")) is None  # no text is kept
        True
    """

    profile: Profile
    edges: tuple[float, ...] = ()
    centres: tuple[tuple[float, ...], ...] = ()

    @classmethod
    def of(
        cls,
        name: str,
        window: Window,
        *,
        labels: tuple[str, ...],
        words: KnownWords | None = None,
    ) -> Feature | None:
        """The feature as it is in some requests; None where they do not have it.

        Args:
            name: One of `FEATURES`.
            window: The requests.
            labels: The ``k`` labels.
            words: Words seen before, for the feature that asks for them.
        """
        edges: tuple[float, ...] = ()
        centres: tuple[tuple[float, ...], ...] = ()
        cells: tuple[str, ...]
        if name == PREDICTED:
            cells = labels
        elif name == SEGMENT:
            names = [] if window.segments is None else sorted({str(s) for s in window.segments})
            cells = ("", *(one for one in names if one))
            if len(cells) < 2:
                return None
        elif name == MEANING:
            if window.vectors is None or len(window) < _CENTRES:
                return None
            found = k_means(window.vectors, _CENTRES, seed=0, repeat=1)
            centres = tuple(map(tuple, found.centres.astype(float).tolist()))
            cells = tuple(f"cluster {i + 1}" for i in range(len(centres)))
        else:
            values = _numbers(name, window, words)
            if values is None:
                return None
            edges = _UNKNOWN_EDGES if name == UNKNOWN else _quantiles(values)
            cells = _named(edges)
        feature = cls(Profile(name, cells, np.zeros(len(cells)), np.zeros(len(cells)), 0))
        feature = cls(feature.profile, edges, centres)
        codes = feature.codes(window, words)
        if codes is None:
            return None
        return cls(Profile.of(name, cells, codes, window.expected), edges, centres)

    def codes(self, window: Window, words: KnownWords | None = None) -> Integers | None:
        """Cell of each request, ``(n,)``; None where they do not have the feature."""
        name, cells = self.profile.name, self.profile.cells
        if name == PREDICTED:
            said: Integers = window.probabilities.argmax(axis=1).astype(np.int64)
            return said
        if name == SEGMENT:
            if window.segments is None:
                return None
            place = {cell: i for i, cell in enumerate(cells)}
            return np.array([place.get(str(s), 0) for s in window.segments], dtype=np.int64)
        if name == MEANING:
            if window.vectors is None:
                return None
            centres = np.array(self.centres, dtype=np.float32)
            if window.vectors.shape[1:] != centres.shape[1:]:
                return None
            return nearest(window.vectors, centres)[0]
        values = _numbers(name, window, words)
        return None if values is None else np.digitize(values, self.edges).astype(np.int64)

    def to_dict(self) -> dict[str, Any]:
        """Plain values; `from_dict` gives back the same."""
        return {
            "profile": self.profile.to_dict(),
            "edges": list(self.edges),
            "centres": [list(centre) for centre in self.centres],
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Feature:
        """The inverse of `to_dict`.

        Raises:
            KeyError: Where a part is missing.
        """
        centres = tuple(tuple(map(float, centre)) for centre in content["centres"])
        return cls(
            Profile.from_dict(content["profile"]), tuple(map(float, content["edges"])), centres
        )


def _numbers(name: str, window: Window, words: KnownWords | None) -> Floats | None:
    """The feature as a number of each request."""
    if name == SURENESS:
        top: Floats = window.probabilities.max(axis=1)
        return top
    if window.texts is None or not any(window.texts):
        return None
    if name == LENGTH:
        return np.array([len(text) for text in window.texts], dtype=np.float64)
    return None if words is None else words.unknown_shares(window.texts)


def _quantiles(values: Floats) -> tuple[float, ...]:
    inner = np.linspace(0, 1, _CELLS + 1)[1:-1]
    return tuple(np.unique(np.quantile(values, inner)).tolist())


def _named(edges: tuple[float, ...]) -> tuple[str, ...]:
    """``below 3``, ``3 to 5``, ``5 and more``."""
    if not edges:
        return ("all",)
    said = [f"{edge:.3g}" for edge in edges]
    between = [f"{low} to {high}" for low, high in pairwise(said)]
    return (f"below {said[0]}", *between, f"{said[-1]} and more")
