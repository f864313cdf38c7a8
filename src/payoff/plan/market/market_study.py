"""A study of the market: segments, what each is worth, and what to do, ready to be shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from payoff.core.errors import ProjectError, did_you_mean
from payoff.core.money import format_money
from payoff.data.dataset import Dataset
from payoff.data.segments.segmentation import Segmentation
from payoff.data.segments.stability import STABLE
from payoff.economics.label_mix import label_mix
from payoff.economics.market.segment_models import NOT_MEASURED, OWN, ModelChoice, choose_models
from payoff.economics.market.segment_terms import SegmentTerms, terms_by_segment
from payoff.economics.market.segments import Market, entry_sentence
from payoff.economics.traffic import Traffic
from payoff.economics.worlds import Worlds
from payoff.plan.market.held_out import HeldOut
from payoff.plan.market.measured_service import MeasuredService

PER: Final = 1000
"""Requests that amounts are for where no traffic is known."""


@dataclass(frozen=True, eq=False, slots=True)
class MarketStudy:
    """Segments, and their money where something is known of it. Make it with `study_market`.

    Args:
        segmentation: The segments.
        market: Their money; None where neither quality was measured nor worth stated.
        models: One model or one each, by segment; empty where there is no model.
        traffic: That amounts are for; None where they are for 1,000 requests.
        notes: What to know when reading it.
    """

    segmentation: Segmentation
    market: Market | None
    models: tuple[ModelChoice, ...]
    traffic: Traffic | None
    notes: tuple[str, ...]

    @property
    def period(self) -> str:
        """What amounts are for: ``"a month"``, or ``"for 1,000 requests"``."""
        return "a month" if self.traffic is not None else f"for {PER:,} requests"

    @property
    def sentence(self) -> str:
        """What to do, in one sentence or two."""
        if self.market is None:
            largest = self.segmentation.segments[0]
            return (
                f"The largest segment is '{largest.name}' with {largest.share:.0%} of the rows;"
                " which one to enter first is not known: quality not measured and no worth stated"
                " (add --with NAME.payoff, or --value-each)."
            )
        return f"{entry_sentence(self.market)} {self._models_sentence()}".rstrip()

    def _models_sentence(self) -> str:
        if not self.models:
            return ""
        if all(one.verdict == NOT_MEASURED for one in self.models):
            return "One model for all or one each: not measured, only the shared one was."
        own = [one for one in self.models if one.verdict == OWN]
        gains = ", ".join(f"'{one.segment}' ({_amount(one)} {self.period} more)" for one in own)
        unknown = sum(one.verdict == NOT_MEASURED for one in self.models)
        rest = f" Of {unknown} segments a model of their own is not measured." if unknown else ""
        if not own:
            return f"One model for all of those measured.{rest}"
        return f"A model of its own for {gains}.{rest}"

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            **self.segmentation.as_dict(),
            "sentence": self.sentence,
            "notes": list(self.notes),
            "per": "month" if self.traffic is not None else f"{PER} requests",
            "traffic": self.traffic.as_dict() if self.traffic is not None else None,
            "market": self.market.as_dict() if self.market is not None else None,
            "models": [one.as_dict() for one in self.models],
        }


def study_market(
    dataset: Dataset,
    segmentation: Segmentation,
    *,
    service: MeasuredService | None = None,
    judged: HeldOut | None = None,
    own: Mapping[str, MeasuredService] | None = None,
    stated: Sequence[SegmentTerms] = (),
    value_each: float | None = None,
    currency: str = "",
    traffic: Traffic | None = None,
    expected_mix: Mapping[str, float] | None = None,
    months: int = 12,
    seed: int = 0,
) -> MarketStudy:
    """Put the segments of a data set in money, as far as something is known of it.

    Args:
        dataset: The rows that were segmented; labelled where a service is judged.
        segmentation: Their segments.
        service: One model for all segments; None leaves quality unmeasured.
        judged: Rows on which the service may be judged; all where None.
        own: Models of single segments, by name, to compare with.
        stated: What the founder states of single segments.
        value_each: Worth of a decision in the segments of which none is stated.
        currency: Of stated amounts; a service knows its own.
        traffic: Requests a month of all segments; else that of the service, else amounts are for
            1,000 requests.
        expected_mix: Share of each label among the requests to come, where it differs from that
            of the rows; where it is None, the mix that the service was made for holds.
        months: Horizon over which one-off costs are spread.
        seed: Of the worlds.

    Raises:
        ProjectError: PF203 where what is stated does not fit; PF290 where costs a month are stated
            and traffic is not known, or a currency is missing.
        DataError: PF103 or PF104 where the rows have no labels, or others than the service.
        EconomicsError: PF612 where the expected mix is of other labels than the rows.
    """
    terms = list(terms_by_segment(stated, segmentation.names, source=segmentation.source).values())
    _check_own(own or {}, segmentation)
    if service is None and value_each is not None:
        terms = [
            one if one.value_each is not None else replace(one, value_each=value_each)
            for one in terms
        ]
    notes = _notes(segmentation, judged if service is not None else None)
    traffic = traffic or (service.traffic if service is not None else None)
    if service is None and all(one.value_each is None for one in terms):
        return MarketStudy(segmentation, None, (), traffic, notes)
    unit = service.desk.currency if service is not None else currency
    _check_stated(terms, unit, traffic)
    per = traffic or Traffic(PER, PER, PER)
    rows = judged.rows if service is not None and judged is not None else np.arange(len(dataset))
    codes, k = segmentation.codes[rows], len(terms)
    worlds = Worlds.draw(codes, k, per, months=months, seed=seed)
    weights = _weights(dataset, service, expected_mix)
    sizes = _sizes(segmentation, weights)
    if weights is not None:
        notes = (*notes, "rows count as the label shares of the requests to come say")
        weights = weights[rows]
    if service is None:
        market = Market.of(codes, terms, worlds, unit, sizes=sizes)
        return MarketStudy(segmentation, market, (), traffic, notes)
    shared = service.decided(dataset.take(rows))
    per_month = (service.per_month or 0.0) if traffic is not None else 0.0
    market = Market.of(
        codes,
        terms,
        worlds,
        unit,
        decided=shared,
        sizes=sizes,
        person_each=service.person_each,
        service_per_month=per_month,
        weights=weights,
    )
    answers = {
        name: one.decided(dataset.take(rows[codes == segmentation.names.index(name)]))
        for name, one in (own or {}).items()
    }
    models = choose_models(
        codes,
        terms,
        worlds,
        unit,
        shared=shared,
        own=answers,
        sizes=sizes,
        model_per_month=per_month,
        weights=weights,
    )
    if traffic is None:
        notes = (
            *notes,
            f"no traffic is stated, so amounts are for {PER:,} requests and leave out"
            " what the service costs a month",
        )
    elif service.per_month is None:
        notes = (*notes, "the artifact does not say what it costs a month; that is left out")
    return MarketStudy(segmentation, market, models, traffic, notes)


def _weights(
    dataset: Dataset, service: MeasuredService | None, expected_mix: Mapping[str, float] | None
) -> NDArray[np.float64] | None:
    """How much each row counts, of mean 1, so that labels come as they are expected."""
    if expected_mix is not None:
        labels = service.desk.labels if service is not None else dataset.labels
        truth = dataset.codes(labels)
        found = np.bincount(truth, minlength=len(labels)) / len(truth)
        wanted = label_mix(expected_mix, labels, "payoff.toml [mix]")
        ratio = np.divide(wanted, found, out=np.zeros(len(labels)), where=found > 0)
    elif service is not None and service.desk.policy.prior_shift is not None:
        truth, ratio = dataset.codes(service.desk.labels), service.desk.policy.prior_shift
    else:
        return None
    weights: NDArray[np.float64] = ratio[truth] / ratio[truth].mean()
    return weights


def _sizes(segmentation: Segmentation, weights: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """Rows of each segment; weighted, as many in all as the weights are worth."""
    if weights is None:
        return np.array([float(len(segment.rows)) for segment in segmentation.segments])
    sums = np.bincount(segmentation.codes, weights=weights, minlength=len(segmentation.segments))
    sizes: NDArray[np.float64] = sums * weights.sum() / (weights**2).sum()
    return sizes


def _notes(segmentation: Segmentation, judged: HeldOut | None) -> tuple[str, ...]:
    """What to know of how the segments and the figures came about."""
    notes = [f"segments: {segmentation.how}; map and examples by {segmentation.vectors_of}"]
    found = segmentation.stability
    if found is not None:
        notes.append(
            f"{found.k} clusters come again under resampling with an adjusted Rand index of"
            f" {found.agreement:.2f}"
            + ("" if found.agreement >= STABLE else f", below {STABLE}: not stable, take care")
        )
    if judged is not None:
        notes.append(judged.note)
    return tuple(notes)


def _check_own(own: Mapping[str, MeasuredService], segmentation: Segmentation) -> None:
    for name in own:
        if name not in segmentation.names:
            raise ProjectError(
                "PF203",
                f"segment '{name}'",
                f"it is not in {segmentation.source}",
                expected=f"one of {', '.join(segmentation.names[:20])}",
                mend=did_you_mean(name, segmentation.names),
            )


def _check_stated(terms: Sequence[SegmentTerms], unit: str, traffic: Traffic | None) -> None:
    if not unit:
        raise ProjectError(
            "PF290",
            "segments",
            "amounts are stated without a currency",
            mend="Add: --currency USD",
        )
    if traffic is None and any(one.fixed_per_month(1) for one in terms):
        raise ProjectError(
            "PF290",
            "segments",
            "costs a month are stated, and how many requests come is not",
            mend="Add: --per-month N",
        )


def _amount(one: ModelChoice) -> str:
    assert one.gain is not None
    return format_money(float(one.gain.mean), one.gain.currency)
