"""Reference: what was expected of requests, before anything could have changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from payoff.core.errors import ServiceError
from payoff.learn.watching.feature import FEATURES, Feature
from payoff.learn.watching.known_words import KnownWords
from payoff.learn.watching.threshold import Threshold
from payoff.learn.watching.window import Floats, Window

LEAST_REQUESTS = 200
"""Requests below which no reference is made."""
_FORMAT = 1
_UNSURE = 0.1


@dataclass(frozen=True, eq=False, kw_only=True)
class Reference:
    """What requests were worth and what they looked like in a quiet period, frozen.

    Args:
        labels: The ``k`` labels.
        n: Requests it was made from.
        worth: What a request is worth: as measured by labels where there are any, else as the
            probabilities say. Money a request, before costs.
        worth_se: Standard error of that.
        expected: What the probabilities say, mean.
        expected_sd: Standard deviation over the requests, costs taken off.
        outcome_sd: Standard deviation of what a request earns once its label is known.
        bias: How far the labelled requests earned more than their probabilities said, mean.
        bias_se: Its standard error; where there is no label, how far it may be off for all that
            is known.
        n_labels: How many labels it rests on.
        forecast: What the artifact's forecast says a request is worth, before costs; None where
            there is none.
        cost: What asking models cost, mean.
        mix: Share of each label as the probabilities say, ``(k,)``.
        worth_by_label: Expected worth of the requests of each label, ``(k,)``.
        threshold: What an action counts as right by.
        unsure_below: Probability of the most likely label below which a tenth of them were.
        most: The most that a request can be worth.
        most_gap: The most that a request can earn above what was expected of it.
        least_gap: The smallest difference worth speaking of, money a request: a share of its worth,
            or half a percent of the range of outcomes, or a twentieth of their standard deviation
            where that is less.
        features: What can drift.
        words: Words seen; None where no text is kept.

    Example:
        >>> from payoff.economics.value_tables import ValueTables
        >>> tables = ValueTables(np.array([[3.0, -7.0, -1.0], [-7.0, 3.0, -1.0]]))
        >>> p = np.tile([[0.9, 0.1], [0.2, 0.8]], (100, 1))
        >>> window = Window(probabilities=p, actions=p.argmax(axis=1), tables=tables)
        >>> reference = Reference.of(window, ("billing", "refund"), forecast=1.6)
        >>> round(reference.worth, 2), reference.mix.round(2).tolist()
        (1.5, [0.55, 0.45])
        >>> again = Reference.from_dict(reference.to_dict())
        >>> again.to_dict() == reference.to_dict()
        True
    """

    labels: tuple[str, ...]
    n: int
    worth: float
    worth_se: float
    expected: float
    expected_sd: float
    outcome_sd: float
    bias: float
    bias_se: float
    n_labels: int
    forecast: float | None
    cost: float
    mix: Floats
    worth_by_label: Floats
    threshold: Threshold
    unsure_below: float
    most: float
    most_gap: float
    least_gap: float
    features: tuple[Feature, ...]
    words: KnownWords | None = None

    @classmethod
    def of(
        cls,
        window: Window,
        labels: tuple[str, ...],
        *,
        forecast: float | None = None,
        calibration_error: float = 0.0,
        least_share: float = 0.05,
        key: str = "",
        keep_words: bool = True,
    ) -> Reference:
        """Make one from requests of a quiet period, or from the rows a model was measured on.

        Args:
            window: The requests, with true labels where they are known.
            labels: The ``k`` labels.
            forecast: What a request was forecast to be worth, before costs.
            calibration_error: Expected calibration error of the probabilities as it was measured:
                how far the worth may be off where there are no labels, times the range of worth.
            least_share: Share of a request's worth below which a loss is not worth an alert.
            key: What words are hashed with.
            keep_words: Whether to keep which words were seen, as hashes under the key: only where
                nobody has the key but the journal, since whoever has it can try words.

        Raises:
            ServiceError: PF750 where there are too few requests.
        """
        if len(window) < LEAST_REQUESTS:
            raise ServiceError(
                "PF750",
                "reference",
                f"{len(window)} requests",
                expected=f"at least {LEAST_REQUESTS}",
                mend="Let the service run longer before it is watched.",
            )
        spread = window.tables.spread
        net = window.expected - window.spent
        bias, bias_se, n_labels = _bias(window, calibration_error * spread)
        expected = float(window.expected.mean())
        worth = expected + bias
        sampled = float(net.std()) / len(window) ** 0.5
        scale = abs(worth if forecast is None else forecast)
        has_words = window.texts is not None and keep_words
        words = KnownWords.of(window.texts or (), key=key) if has_words else None
        made = (Feature.of(name, window, labels=labels, words=words) for name in FEATURES)
        outcome_sd = float(np.sqrt(window.expected.var() + window.variance.mean()))
        # One label that costs a hundred times the others widens the range, and what a usual
        # request says is as clear as before.
        noise = min(0.005 * spread, 0.05 * outcome_sd)
        weights = window.probabilities.sum(axis=0)
        by_label = window.probabilities.T @ window.expected / np.maximum(weights, 1e-12)
        return cls(
            labels=labels,
            n=len(window),
            worth=worth,
            worth_se=float(np.hypot(sampled, bias_se)),
            expected=expected,
            expected_sd=float(net.std()),
            outcome_sd=outcome_sd,
            bias=bias,
            bias_se=bias_se,
            n_labels=n_labels,
            forecast=forecast,
            cost=float(window.spent.mean()),
            mix=weights / len(window),
            worth_by_label=np.where(weights > 0, by_label, expected),
            threshold=Threshold.of(window, worth),
            unsure_below=float(np.quantile(window.probabilities.max(axis=1), _UNSURE)),
            most=float(window.tables.stacked.max()),
            most_gap=float(np.ptp(window.tables.stacked, axis=1).max()),
            least_gap=max(least_share * scale, noise),
            features=tuple(feature for feature in made if feature is not None),
            words=words,
        )

    @property
    def awaited(self) -> float:
        """What a request is held to, before costs: the forecast, or the quiet period."""
        return self.worth if self.forecast is None else self.forecast

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON: no text, no word, nobody's data."""
        plain = {
            name: getattr(self, name)
            for name in self.__dataclass_fields__
            if name not in ("mix", "worth_by_label", "threshold", "features", "words", "labels")
        }
        return plain | {
            "format": _FORMAT,
            "labels": list(self.labels),
            "mix": self.mix.tolist(),
            "worth_by_label": self.worth_by_label.tolist(),
            "threshold": self.threshold.to_dict(),
            "features": [feature.to_dict() for feature in self.features],
            "words": None if self.words is None else self.words.to_text(),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], *, key: str = "") -> Reference:
        """The inverse of `to_dict`.

        Args:
            content: What that gave.
            key: What words are hashed with.

        Raises:
            ServiceError: PF750 where it is no reference, or one of a later format.
        """
        if content.get("format") != _FORMAT:
            raise ServiceError(
                "PF750", "reference", f"format {content.get('format')!r}", expected=f"{_FORMAT}"
            )
        try:
            parts = {name: content[name] for name in cls.__dataclass_fields__}
            words = parts["words"]
            parts |= {
                "labels": tuple(parts["labels"]),
                "mix": np.array(parts["mix"], dtype=np.float64),
                "worth_by_label": np.array(parts["worth_by_label"], dtype=np.float64),
                "threshold": Threshold(**parts["threshold"]),
                "features": tuple(Feature.from_dict(one) for one in parts["features"]),
                "words": None if words is None else KnownWords.from_text(words, key=key),
            }
            return cls(**parts)
        except (KeyError, TypeError, ValueError) as error:
            raise ServiceError("PF750", "reference", f"it cannot be read ({error!r})") from error


def _bias(window: Window, allowed: float) -> tuple[float, float, int]:
    """How far labels and probabilities differ, its standard error, and how many labels tell."""
    gaps = (window.realised - window.expected)[~np.isnan(window.realised)]
    if len(gaps) < LEAST_REQUESTS:
        return 0.0, allowed, 0
    return float(gaps.mean()), float(gaps.std(ddof=1)) / len(gaps) ** 0.5, len(gaps)
