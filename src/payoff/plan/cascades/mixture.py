"""Mixture: the time, memory and start of models that are asked in turn, from those of each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from payoff.evidence.evidence import Evidence
from payoff.evidence.footprint import Footprint
from payoff.evidence.latency import Latency

Array = NDArray[np.float64]

_NORMAL = NormalDist()
_P95 = _NORMAL.inv_cdf(0.95)
_LEAST_SPREAD = 1e-3
_HALVINGS = 60


@dataclass(frozen=True, eq=False)
class Mixture:
    """Requests of which each asks the first model, some the second too, and so on.

    A request takes a *path*: it ends at one of the models, after all before it.

    Args:
        models: What was measured of each alone, in the order in which they are asked.
        shares: Share of the requests that each answers.

    Example:
        >>> from payoff.evidence.quality import measure_quality
        >>> models = [Evidence("validation", measure_quality([[0.6, 0.4]], [0]),
        ...                    latency=Latency(ms, 2 * ms, 1000 / ms, 64, 100, 2),
        ...                    footprint=Footprint(100, 1000, 0.5)) for ms in (1.0, 10.0)]
        >>> mixed = Mixture(models, (0.9, 0.1))
        >>> mixed.latency.texts_per_s, round(mixed.latency.p95_ms, 1), round(mixed.service_scv, 1)
        (500.0, 11.0, 5.5)
    """

    models: Sequence[Evidence]
    shares: Sequence[float]

    @property
    def reached(self) -> tuple[float, ...]:
        """Share of the requests that each model is asked about."""
        return tuple(np.cumsum(self.shares[::-1])[::-1].tolist())

    @property
    def latency(self) -> Latency:
        """Of the mixture.

        The two quantiles of a path are the sums of those of its models: no less than the quantiles
        of the sum usually are. In between and beyond, the time of a path is taken to be lognormal.
        """
        alone = self._alone
        return Latency(
            p50_ms=self._quantile_ms(0.5),
            p95_ms=self._quantile_ms(0.95),
            texts_per_s=1.0 / float(np.dot(self.shares, self._paths_s)),
            batch_size=min(latency.batch_size for latency in alone),
            n_measured=min(latency.n_measured for latency in alone),
            threads=max(latency.threads for latency in alone),
        )

    @property
    def service_scv(self) -> float:
        """Squared coefficient of variation of the time that a request takes.

        Within a path it is 1, as for one model alone; between paths it comes from their lengths.
        """
        mean = float(np.dot(self.shares, self._paths_s))
        return 2.0 * float(np.dot(self.shares, self._paths_s**2)) / mean**2 - 1.0

    @property
    def footprint(self) -> Footprint:
        """The sums, each model with a Python of its own: more than all take in one process."""
        alone = [one.footprint for one in self.models if one.footprint is not None]
        memory = [one.peak_rss_bytes for one in alone if one.peak_rss_bytes is not None]
        starts = [one.start_s for one in alone if one.start_s is not None]
        return Footprint(sum(one.artifact_bytes for one in alone), sum(memory), sum(starts))

    @property
    def _alone(self) -> list[Latency]:
        return [one.latency for one in self.models if one.latency is not None]

    @property
    def _paths_s(self) -> Array:
        """Seconds of each path, by the throughput of its models."""
        paths: Array = np.cumsum([1.0 / latency.texts_per_s for latency in self._alone])
        return paths

    def _quantile_ms(self, share: float) -> float:
        """What this share of the requests does not exceed."""
        halves = np.cumsum([latency.p50_ms for latency in self._alone]).tolist()
        most = np.cumsum([latency.p95_ms for latency in self._alone]).tolist()
        paths = [
            NormalDist(math.log(half), max(math.log(late / half) / _P95, _LEAST_SPREAD))
            for half, late in zip(halves, most, strict=True)
        ]
        low = min(path.inv_cdf(share) for path in paths)
        high = max(path.inv_cdf(share) for path in paths)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            within = sum(
                part * path.cdf(middle) for part, path in zip(self.shares, paths, strict=True)
            )
            low, high = (middle, high) if within < share else (low, middle)
        return math.exp(high)
