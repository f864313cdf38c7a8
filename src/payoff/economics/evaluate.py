"""Evaluating a desk on labelled rows: quality, speed, and what it would have earned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from payoff.core.errors import DataError
from payoff.core.pair import not_of_pairs
from payoff.economics.desk import Desk
from payoff.economics.value_tables import segment_names
from payoff.evidence.calibration import classwise_ece, ece
from payoff.evidence.latency import Latency, measure_latency
from payoff.evidence.quality import Quality, measure_quality

if TYPE_CHECKING:
    from payoff.data.dataset import Dataset

_PER = 1000
_LEVEL = 0.9
_BLOCK_CELLS = 4_000_000


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a desk did on labelled rows. Money is per 1,000 requests, net of wages.

    What asking the models of a cascade costs is taken off; machines and transfer are not.

    Args:
        quality: With calibrated probabilities, as the artifact gives them.
        ece: Calibration error of the most probable label.
        classwise_ece: Mean calibration error over labels.
        automated_share: Share of requests it acted on by itself.
        accuracy_automated: Share of those that were right; None where there were none.
        profit_per_1000: What its actions were worth.
        profit_interval: 5 % and 95 % of that over resampled rows.
        argmax_profit_per_1000: What always acting as the most probable label was worth.
        gain_interval: 5 % and 95 % of the difference, over the same resampled rows.
        currency: Of the money.
        latency: One at a time and in batches, here and now; None if not measured.
        size_bytes: Of the artifact.
    """

    quality: Quality
    ece: float
    classwise_ece: float
    automated_share: float
    accuracy_automated: float | None
    profit_per_1000: float
    profit_interval: tuple[float, float]
    argmax_profit_per_1000: float
    gain_interval: tuple[float, float]
    currency: str
    latency: Latency | None
    size_bytes: int

    def as_dict(self) -> dict[str, Any]:
        """Plain values; what was not measured is null."""
        latency = self.latency
        return {
            **self.quality.as_dict(),
            "ece": self.ece,
            "classwise_ece": self.classwise_ece,
            "automated_share": self.automated_share,
            "accuracy_automated": self.accuracy_automated,
            "profit_per_1000": {
                "amount": self.profit_per_1000,
                "low": self.profit_interval[0],
                "high": self.profit_interval[1],
                "level": _LEVEL,
                "currency": self.currency,
            },
            "argmax_profit_per_1000": {
                "amount": self.argmax_profit_per_1000,
                "currency": self.currency,
            },
            "gain_over_argmax_per_1000": {
                "amount": self.profit_per_1000 - self.argmax_profit_per_1000,
                "low": self.gain_interval[0],
                "high": self.gain_interval[1],
                "level": _LEVEL,
                "currency": self.currency,
            },
            "latency_p50_ms": latency.p50_ms if latency else None,
            "latency_p95_ms": latency.p95_ms if latency else None,
            "texts_per_s": latency.texts_per_s if latency else None,
            "threads": latency.threads if latency else None,
            "size_bytes": self.size_bytes,
        }


def evaluate(
    desk: Desk, dataset: Dataset, *, repeat: int = 1000, seed: int = 0, seconds: float = 1.0
) -> Evaluation:
    """Let a desk decide on labelled rows and count what its actions are worth.

    Args:
        desk: What decides.
        dataset: Rows with a label column, which the desk was not trained on. Where it names a
            column of segments, each row is worth what it is to its segment.
        repeat: Resamples of the rows for the intervals (percentile bootstrap, Efron 1979).
        seed: Of the resampling.
        seconds: For measuring latency, twice; 0 leaves it out, as an endpoint among the models
            does, whose every answer is paid for.

    Raises:
        DataError: PF103 where no label column was named; PF104 where a label is unknown to the
            desk; PF105 where a text is unusable, or there are pairs and the desk reads
            single texts; PF106 where there is no row or ``repeat`` is 0.

    Example:
        >>> evaluate(load("support.payoff"), tickets).profit_per_1000  # doctest: +SKIP
        2361.5
    """
    if repeat < 1:
        raise DataError("PF106", "repeat", f"it is {repeat}", expected="1 resample or more")
    truth = dataset.codes(desk.labels)
    texts = dataset.texts
    if dataset.pair is not None and not desk.reads_pairs:
        raise not_of_pairs(desk.name)
    segments = None
    if dataset.segment is not None:
        segments = segment_names(dataset.column("segment"))
    answered = desk.answered(texts, segments)
    probabilities = answered.probabilities
    quality = measure_quality(probabilities, truth)
    actions = desk.policy.decide(probabilities, segments).actions
    automated = actions < len(desk.labels)
    earned = desk.policy.realised(truth, actions, segments) - answered.costs
    argmax = desk.policy.argmax(probabilities, segments).actions
    plain = desk.policy.realised(truth, argmax, segments) - answered.costs
    interval, gain = _intervals(np.stack([earned, earned - plain]), repeat, seed)
    return Evaluation(
        quality=quality,
        ece=ece(probabilities, truth),
        classwise_ece=classwise_ece(probabilities, truth),
        automated_share=float(automated.mean()),
        accuracy_automated=(
            float((actions == truth)[automated].mean()) if automated.any() else None
        ),
        profit_per_1000=float(earned.mean() * _PER),
        profit_interval=interval,
        argmax_profit_per_1000=float(plain.mean() * _PER),
        gain_interval=gain,
        currency=desk.currency,
        latency=(
            measure_latency(desk.probabilities, texts, seconds=seconds, threads=desk.threads)
            if seconds > 0 and not desk.artifact.endpoints()
            else None
        ),
        size_bytes=desk.artifact.size_bytes,
    )


def _intervals(
    worth: NDArray[np.float64], repeat: int, seed: int
) -> tuple[tuple[float, float], ...]:
    """The 90 % interval of the mean per 1,000 of each row of ``(n_series, n)``."""
    rng = np.random.default_rng(seed)
    n = worth.shape[1]
    means = np.empty((repeat, len(worth)))
    step = max(1, _BLOCK_CELLS // n)
    for start in range(0, repeat, step):
        drawn = rng.integers(0, n, (min(step, repeat - start), n))
        means[start : start + len(drawn)] = worth[:, drawn].mean(axis=2).T
    low, high = np.quantile(means * _PER, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2], axis=0)
    return tuple((float(a), float(b)) for a, b in zip(low, high, strict=True))
