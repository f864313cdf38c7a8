"""Expected loss: what requests are worth now against what was awaited, with or without labels."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from payoff.core.errors import ServiceError
from payoff.economics.label_mix import estimated_mix
from payoff.learn.watching.audit import audited_mean
from payoff.learn.watching.reference import Reference
from payoff.learn.watching.window import Flags, Floats, Window

CONFIDENCE = 0.9
_Z = 1.6448536269514722  # of 90 %
_LEAST_IN_STRATUM = 4
_STRATA = 6
_LEAST_WINDOW = 15
_LEAST_LABELS = 10
_SPIKE_SHARE = 0.3
_OWN_ERROR = 0.04


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedLoss:
    """The loss of a window of requests. Amounts are money a request, before costs.

    Args:
        awaited: What a request was to be worth.
        worth: What it is worth now.
        low: Lower end of the interval of ``worth``, 5 %.
        high: Upper end, 95 %.
        by_probabilities: What the probabilities alone say, under the estimated mix of labels.
        without_labels: What is told without labels: actions counted by the threshold.
        correction: What labels added to that.
        n_requests: Requests looked at.
        n_labels: Labels that were in hand.
        per_day: Requests a day.
        cost: What asking models cost more than before, money a request.

    Example:
        >>> loss = ExpectedLoss(awaited=2.0, worth=1.5, low=1.25, high=1.75, by_probabilities=1.6,
        ...                     without_labels=1.5, correction=0.0, n_requests=2000, n_labels=0,
        ...                     per_day=1000.0, cost=0.0)
        >>> loss.a_day, loss.interval_a_day
        (500.0, (250.0, 750.0))
    """

    awaited: float
    worth: float
    low: float
    high: float
    by_probabilities: float
    without_labels: float
    correction: float
    n_requests: int
    n_labels: int
    per_day: float
    cost: float

    @property
    def a_day(self) -> float:
        """Money lost a day; negative where more is earned than was awaited."""
        return (self.awaited - self.worth + self.cost) * self.per_day

    @property
    def interval_a_day(self) -> tuple[float, float]:
        """The interval of the loss a day, 5 to 95 %."""
        low = (self.awaited - self.high + self.cost) * self.per_day
        return low, (self.awaited - self.low + self.cost) * self.per_day

    def as_dict(self) -> dict[str, Any]:
        """The same facts as plain values."""
        low, high = self.interval_a_day
        return asdict(self) | {"a_day": self.a_day, "a_day_low": low, "a_day_high": high}


def expected_loss(
    window: Window, reference: Reference, *, mix: Floats | None = None
) -> ExpectedLoss:
    """What requests are worth, from their probabilities and from such labels as there are.

    Without labels the worth of each decision is expected under its own calibrated probabilities,
    as NannyML's CBPE does for metrics, twice: under the mix of labels that fits the requests
    (Saerens et al. 2002, by `payoff.economics.label_mix`), and by counting actions as right above
    a threshold (`Threshold`), which is what is told, since it keeps up where texts become
    strange. How far the two differ widens the interval.

    **What cannot be seen without labels**: texts that look as before and mean something else
    (concept drift). No figure made from the texts alone moves then.

    Labels correct it: the mean over all requests of what was told without labels, plus the mean
    over the labelled ones of what came out less what was told (Angelopoulos et al. 2023,
    "Prediction-powered inference", Science 382). Where some were asked for by chance, these chances
    weigh them (`payoff.learn.watching.audit.audited_mean`), and other labels tell nothing of all;
    else requests are put into strata of like sureness, each of which
    counts by its share of all requests (Holt and Smith 1979, "Post stratification", JRSS A
    142(1)), so that a review queue of unsure requests does not stand for all. That holds as far
    as within a stratum the choice had nothing to do with the outcome.

    A few labels are noisy, so the correction is believed by degrees: it is either as small as the
    readings without labels leave room for, or as large as outcomes vary, with odds of three to
    seven beforehand (a spike and a slab, Mitchell and Beauchamp 1988, JASA 83(404)). The interval
    covers what the labels alone would say, too.

    Args:
        window: Requests of now.
        reference: What was awaited.
        mix: Share of each label now, where `mix_now` was asked already.

    Raises:
        ServiceError: PF751 where there is no request, or the labels are others.

    Example:
        >>> from payoff.economics.value_tables import ValueTables
        >>> tables = ValueTables(np.array([[3.0, -7.0, -1.0], [-7.0, 3.0, -1.0]]))
        >>> rng = np.random.default_rng(0)
        >>> p = rng.beta(8, 1, 1000)
        >>> p = np.stack([p, 1 - p], axis=1)
        >>> before = Window(probabilities=p, actions=p.argmax(axis=1), tables=tables)
        >>> reference = Reference.of(before, ("billing", "refund"))
        >>> unsure = np.sqrt(p) / np.sqrt(p).sum(axis=1, keepdims=True)
        >>> now = Window(probabilities=unsure, actions=p.argmax(axis=1), tables=tables)
        >>> loss = expected_loss(now, reference)
        >>> loss.low < loss.worth < loss.awaited
        True
    """
    if not len(window) or window.n_labels != len(reference.labels):
        raise ServiceError(
            "PF751",
            "requests that are watched",
            f"{len(window)} requests of {window.n_labels} labels",
            expected=f"at least one, of {len(reference.labels)} labels",
        )
    n = len(window)
    told = reference.threshold.worth(window)
    shares = mix_now(window, reference) if mix is None else mix
    shifted = shifted_worth(window, reference, shares) + reference.bias
    free, said = float(told.mean()), float(shifted.mean())
    gap = abs(free - said) if n >= _LEAST_WINDOW else 0.0
    sampling = float(window.expected.var() + window.variance.mean()) / n
    own = np.hypot(gap, _OWN_ERROR * reference.outcome_sd)
    labelled = ~np.isnan(window.realised)
    n_labels = int(labelled.sum())
    correction = 0.0
    half = _Z * float(np.sqrt(sampling + reference.bias_se**2 + own**2))
    low, high = free - half, free + half
    if n_labels >= _LEAST_LABELS:
        found, squared = _correction(window, labelled, reference.outcome_sd)
        found += float(window.expected.mean()) - free
        correction, variance = _believed(found, squared, float(own), reference.outcome_sd)
        left = sampling * (1 - n_labels / n)
        half, apart = (_Z * float(np.sqrt(left + v)) for v in (variance, squared))
        low = free + min(correction - half, found - apart)
        high = free + max(correction + half, found + apart)
    worth = free + correction
    return ExpectedLoss(
        awaited=reference.awaited,
        worth=worth,
        low=low,
        high=high,
        by_probabilities=said,
        without_labels=free,
        correction=correction,
        n_requests=n,
        n_labels=n_labels,
        per_day=window.per_day,
        cost=float(window.spent.mean()) - reference.cost,
    )


def shifted_worth(window: Window, reference: Reference, mix: Floats) -> Floats:
    """Expected worth of each decision under another mix of labels, ``(n,)``.

    Source: Saerens et al. 2002, eq. 2.4.

    Args:
        window: The requests.
        reference: Whose mix the probabilities were made for.
        mix: Share of each label now, ``(k,)``.

    Example:
        >>> from payoff.economics.value_tables import ValueTables
        >>> tables = ValueTables(np.array([[3.0, -7.0, -1.0], [-7.0, 3.0, -1.0]]))
        >>> p = np.tile([[0.5, 0.5]], (200, 1))
        >>> window = Window(probabilities=p, actions=np.zeros(200, np.int64), tables=tables)
        >>> reference = Reference.of(window, ("billing", "refund"))
        >>> float(shifted_worth(window, reference, np.array([0.9, 0.1])).mean().round(6))
        2.0
    """
    ratio = mix / np.maximum(reference.mix, 1e-9)
    weighed = window.probabilities * ratio
    weighed /= np.maximum(weighed.sum(axis=1, keepdims=True), 1e-12)
    worth: Floats = np.einsum("ij,ij->i", weighed, window.outcomes)
    return worth


def mix_now(window: Window, reference: Reference) -> Floats:
    """Share of each label among requests whose labels nobody knows, ``(k,)``.

    Example:
        >>> from payoff.economics.value_tables import ValueTables
        >>> tables = ValueTables(np.array([[3.0, -7.0, -1.0], [-7.0, 3.0, -1.0]]))
        >>> p = np.tile([[0.99, 0.01], [0.01, 0.99]], (100, 1))
        >>> before = Window(probabilities=p, actions=p.argmax(axis=1), tables=tables)
        >>> reference = Reference.of(before, ("billing", "refund"))
        >>> now = before.rows(np.arange(200) % 10 < 2)  # as many of both
        >>> mix_now(now, reference).round(2).tolist()
        [0.5, 0.5]
    """
    before = np.maximum(reference.mix, 1e-9)
    return estimated_mix(window.probabilities, reference.labels, training_mix=before)


def _correction(window: Window, labelled: Flags, outcome_sd: float) -> tuple[float, float]:
    """Mean over all requests of what came out less what was expected, and its squared error.

    Requests that are worth the same under any label, such as most handovers, need none.
    """
    open_ones = np.ptp(window.outcomes, axis=1) > 0
    labelled = labelled & open_ones
    gaps = window.realised - window.expected
    if labelled.sum() < _LEAST_LABELS:
        return 0.0, outcome_sd**2
    asked = window.inclusion
    if asked is not None and (labelled & (asked > 0)).sum() >= _LEAST_LABELS:
        taken_for = window.probabilities.argmax(axis=1).astype(np.int64)
        return audited_mean(gaps, asked, taken_for, open_ones)
    return _stratified(gaps[labelled], window.sureness, labelled, open_ones, outcome_sd)


def _stratified(
    gaps: Floats, sureness: Floats, labelled: Flags, of_all: Flags, outcome_sd: float
) -> tuple[float, float]:
    """The mean over strata of like sureness, each by its share of the requests.

    A stratum of which too few labels are known adds nothing but doubt.
    """
    n = len(sureness)
    edges = np.unique(np.quantile(sureness[of_all], np.linspace(0, 1, _STRATA + 1)[1:-1]))
    strata = np.digitize(sureness, edges)
    mean = squared = 0.0
    for stratum in range(len(edges) + 1):
        share = float(((strata == stratum) & of_all).sum()) / n
        own = gaps[strata[labelled] == stratum]
        if len(own) < _LEAST_IN_STRATUM:
            squared += (share * outcome_sd) ** 2 / (1 + len(own))
            continue
        mean += share * float(own.mean())
        left = max(1 - len(own) / (share * n), 0.0)
        squared += share**2 * float(own.var(ddof=1)) / len(own) * left
    return mean, squared


def _believed(found: float, squared: float, own: float, outcome_sd: float) -> tuple[float, float]:
    """Mean and variance of the correction after the labels, from a spike and a slab before.

    Args:
        found: What the labels say.
        squared: Its squared error.
        own: Standard deviation of the spike: how far the readings without labels may be off.
        outcome_sd: Standard deviation of the slab.
    """
    noise = squared + 1e-18
    log_odds, means, variances = [], [], []
    for share, prior in ((_SPIKE_SHARE, own**2), (1 - _SPIKE_SHARE, outcome_sd**2)):
        total = prior + noise
        log_odds.append(np.log(share) - 0.5 * np.log(total) - 0.5 * found**2 / total)
        means.append(found * prior / total)
        variances.append(prior * noise / total)
    odds = np.exp(np.array(log_odds) - max(log_odds))
    odds /= odds.sum()
    mean = float(odds @ means)
    return mean, float(odds @ (np.array(variances) + (np.array(means) - mean) ** 2))
