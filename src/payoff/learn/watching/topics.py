"""New topics: clusters of requests that the model is unsure of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from payoff.data.segments.clusters import Floats, k_means, nearest
from payoff.data.segments.keywords import keywords
from payoff.data.segments.latent import latent_vectors
from payoff.data.segments.terms import TermTable
from payoff.learn.watching.window import Floats as Doubles
from payoff.learn.watching.window import Integers

LEAST_TEXTS = 60
"""Texts below which no topics are looked for."""
_MOST_TEXTS = 3000
_WIDTH = 24
_MOST_TOPICS = 40
_TEXTS_EACH = (12, 30, 60)
_SHARED = 0.3
_RESAMPLES = 8
_STABLE = 0.6
_TIGHT = 0.5
_LEAST_SIZE = 10
_GROWN = 2.5


@dataclass(frozen=True, slots=True)
class NewTopic:
    """Requests that resemble each other and that the model is unsure of: a new intent?

    Args:
        keywords: Terms that tell them from the other requests, the most telling first.
        examples: The most typical texts.
        n: How many there were.
        stability: Mean Jaccard index of the cluster over resamples, 0 to 1.
        at_stake: Money that they earned less than an ordinary request, in all.
    """

    keywords: tuple[str, ...]
    examples: tuple[str, ...]
    n: int
    stability: float
    at_stake: float

    @property
    def name(self) -> str:
        """Its first keywords."""
        return ", ".join(self.keywords[:3])

    def as_dict(self) -> dict[str, Any]:
        """The same facts as plain values."""
        return asdict(self) | {"name": self.name}


def new_topics(
    texts: Sequence[str],
    unsure: Integers,
    shortfalls: Doubles,
    *,
    before: Sequence[str] = (),
    times_before: float = 1.0,
    least_at_stake: float = 0.0,
    seed: int = 0,
) -> tuple[NewTopic, ...]:
    """Topics among the requests that the model is unsure of, the dearest first.

    Texts become vectors by their own words, or n-grams of characters where a script writes no
    spaces (`payoff.data.segments`); k-means finds clusters; one counts where it comes again when
    resampled texts are clustered anew, a mean Jaccard index of 0.6 or more (Hennig 2007,
    "Cluster-wise assessment of cluster stability", CSDA 52(1): below that a cluster should not be
    trusted), where its texts lie close together, where its words tell it from the requests that
    the model is sure of, and where it has grown against the quiet period, if that is known.

    Args:
        texts: All requests' texts, ``n`` of them.
        unsure: Places of those that the model is unsure of.
        shortfalls: How much less than an ordinary request each of all is worth, ``(n,)``.
        before: Texts of the quiet period of which the model was unsure.
        times_before: How many times as many requests there are now as there were then.
        least_at_stake: Money below which a topic is not worth telling.
        seed: Of the clusters and the resamples.

    Example:
        >>> new = [f"refund my crypto wallet please {i}" for i in range(40)]
        >>> usual = [f"{a} card {b}" for a in ("lost", "late", "old", "new", "red", "my")
        ...          for b in ("today", "again", "help", "pin", "bank", "app", "now", "shop")]
        >>> texts = new + usual
        >>> topics = new_topics(texts, np.arange(80), np.ones(88))
        >>> [(topic.n, "crypto wallet" in topic.keywords) for topic in topics]
        [(40, True)]
        >>> new_topics(texts, np.arange(80), np.ones(88), before=new)  # it came before
        ()
    """
    rows = unsure[-_MOST_TEXTS:]
    if len(rows) < LEAST_TEXTS:
        return ()
    now, then = [texts[i] for i in rows], list(before[-_MOST_TEXTS:])
    vectors = latent_vectors(TermTable.of(now + then, least=3), width=_WIDTH)
    told: list[tuple[NewTopic, set[int]]] = []
    for texts_each in _TEXTS_EACH:
        clusters = _Clusters.of(vectors, len(now), texts_each, seed)
        if not clusters.k:
            return ()
        named = _keywords(texts, rows, clusters, unsure)
        for cluster in range(clusters.k):
            members = clusters.members(cluster)
            at_stake = float(shortfalls[rows[members]].sum())
            if not clusters.holds(cluster, times_before) or not named[cluster]:
                continue
            typical = tuple(dict.fromkeys(now[i] for i in members))[:3]
            stability = float(clusters.stability[cluster])
            if at_stake > least_at_stake:
                topic = NewTopic(named[cluster], typical, len(members), stability, at_stake)
                told.append((topic, set(members.tolist())))
    return _apart(told)


def _apart(told: list[tuple[NewTopic, set[int]]]) -> tuple[NewTopic, ...]:
    """The dearest topics that have hardly a text in common."""
    kept: list[tuple[NewTopic, set[int]]] = []
    for topic, members in sorted(told, key=lambda one: -one[0].at_stake):
        if all(len(members & other) <= _SHARED * len(members) for _, other in kept):
            kept.append((topic, members))
    return tuple(topic for topic, _ in kept)


@dataclass(frozen=True, eq=False, slots=True)
class _Clusters:
    """Clusters of unsure texts.

    Args:
        k: How many.
        codes: Cluster of each text, first those of now; -1 where it has no word of the others.
        n_now: How many of them are of now.
        closeness: Cosine to the own centre.
        stability: Of each cluster, ``(k,)``.
    """

    k: int
    codes: Integers
    n_now: int
    closeness: Doubles
    stability: Doubles

    @classmethod
    def of(cls, vectors: Floats, n_now: int, texts_each: int, seed: int) -> _Clusters:
        """Clusters of so many texts in the mean; those of now come first."""
        said = np.flatnonzero(np.abs(vectors).sum(axis=1) > 0)
        codes = np.full(len(vectors), -1)
        closeness = np.zeros(len(vectors))
        if len(said) < LEAST_TEXTS:
            return cls(0, codes, n_now, closeness, np.zeros(0))
        k = int(np.clip(len(said) // texts_each, 2, _MOST_TOPICS))
        found = k_means(vectors[said], k, seed=seed)
        codes[said] = found.codes
        own = found.centres[found.codes]
        lengths = np.maximum(np.linalg.norm(own, axis=1), 1e-9)
        closeness[said] = np.einsum("ij,ij->i", vectors[said], own) / lengths
        stability = _stabilities(vectors[said], found.codes, k, seed)
        return cls(k, codes, n_now, closeness, stability)

    def members(self, cluster: int) -> Integers:
        """Texts of now in a cluster, the most typical first."""
        mine = np.flatnonzero(self.codes[: self.n_now] == cluster)
        order: Integers = mine[np.argsort(-self.closeness[mine], kind="stable")]
        return order

    def holds(self, cluster: int, times_before: float) -> bool:
        """Whether it is stable, tight, large enough, and has grown."""
        mine = self.codes == cluster
        n_now = int(mine[: self.n_now].sum())
        awaited = float(mine[self.n_now :].sum()) * times_before
        grown = n_now - awaited >= _GROWN * np.sqrt(n_now + awaited * times_before)
        tight = self.closeness[mine].mean() >= _TIGHT if mine.any() else False
        stable = self.stability[cluster] >= _STABLE
        return bool(n_now >= _LEAST_SIZE and grown and tight and stable)


def _stabilities(vectors: Floats, codes: Integers, k: int, seed: int) -> Doubles:
    """Mean Jaccard index of each cluster with the nearest one of resampled texts, ``(k,)``."""
    rng = np.random.default_rng(seed)
    own = codes[:, None] == np.arange(k)
    total = np.zeros(k)
    for turn in range(_RESAMPLES):
        half = rng.permutation(len(vectors))[: len(vectors) // 2]
        centres = k_means(vectors[half], k, seed=seed + turn, repeat=2).centres
        again = nearest(vectors, centres)[0][:, None] == np.arange(k)
        both = own.T.astype(np.float64) @ again
        union = own.sum(axis=0)[:, None] + again.sum(axis=0)[None] - both
        total += (both / np.maximum(union, 1)).max(axis=1)
    return total / _RESAMPLES


def _keywords(
    texts: Sequence[str], rows: Integers, clusters: _Clusters, unsure: Integers
) -> list[tuple[str, ...]]:
    """Keywords of each cluster against all others and against what the model is sure of."""
    sure = np.setdiff1d(np.arange(len(texts)), unsure)[-_MOST_TEXTS:]
    said = [texts[i] for i in (*rows, *sure)]
    k = clusters.k
    codes = clusters.codes[: clusters.n_now]
    labelled = np.concatenate([np.where(codes < 0, k, codes), np.full(len(sure), k)])
    return keywords(TermTable.of(said, least=3), said, labelled, k + 1, most=5)[:k]
