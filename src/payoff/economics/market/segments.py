"""Segments in money: what each is worth, which to enter first, and what the next one needs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from payoff.core.errors import EconomicsError, ProjectError
from payoff.core.money import Money
from payoff.economics.decided import Decided
from payoff.economics.market.segment_quality import SegmentQuality, finite
from payoff.economics.market.segment_terms import SegmentTerms
from payoff.economics.uncertain_money import UncertainMoney
from payoff.economics.worlds import Worlds

Array = NDArray[np.float64]

_STREAM: Final = 12
_RISKY: Final = 0.05


@dataclass(frozen=True, eq=False, slots=True)
class SegmentProfit:
    """One segment in money a month.

    Args:
        name: Its name.
        n_rows: Rows that speak for it.
        requests: Requests of it a month that come to us, mean over the worlds and the horizon.
        terms: What the founder states of it.
        own_share: Weight of its own rows in what is said of its quality, 0 to 1; the rest is what
            all segments say together. None where quality was not measured.
        automated_share: Share of its requests that the service acts on by itself, shrunk; None
            where not measured.
        accuracy: Share of those that were right, shrunk; None where not measured.
        value_each: Worth of one decision before people's time and costs.
        serve_each: What serving one request costs: people's time, asking models where that is
            paid by the request, and the stated cost.
        fixed: Its costs that do not depend on requests.
        profit: ``requests × (value_each − serve_each) − fixed``, as a distribution.
        cumulative: The same with all segments before it, less what the service itself costs.
        break_even_requests: Requests a month from which it pays; None where no number does.
        break_even_accuracy: Accuracy of what the service acts on from which it pays; None where
            it was not measured or where even 100 % would not.
    """

    name: str
    n_rows: int
    requests: float
    terms: SegmentTerms
    own_share: float | None
    automated_share: float | None
    accuracy: float | None
    value_each: float
    serve_each: float
    fixed: float
    profit: UncertainMoney
    cumulative: UncertainMoney
    break_even_requests: float | None
    break_even_accuracy: float | None

    @property
    def pays(self) -> bool:
        """Whether entering it is expected to earn more than it costs."""
        return bool(self.profit.samples.mean() > 0)

    def as_dict(self) -> dict[str, Any]:
        """The same figures as plain values."""
        return {
            "name": self.name,
            "n_rows": self.n_rows,
            "requests_month": self.requests,
            "stated": self.terms.as_dict(),
            "own_share": self.own_share,
            "automated_share": self.automated_share,
            "accuracy_automated": self.accuracy,
            "value_each": self.value_each,
            "serve_each": self.serve_each,
            "fixed_month": self.fixed,
            "profit_month": _interval(self.profit),
            "probability_of_loss": self.profit.probability_below(),
            "cumulative_month": _interval(self.cumulative),
            "enter": self.pays,
            "break_even_requests_month": self.break_even_requests,
            "break_even_accuracy": self.break_even_accuracy,
        }


@dataclass(frozen=True, eq=False, slots=True)
class Market:
    """All segments in the order in which to enter them: the most profitable first.

    Args:
        segments: In that order.
        service_per_month: What the service costs whatever it serves: machines, training, labels.
        measured: Whether quality was measured; else the worth of a decision is as stated.
        prior_rows: Rows like the others' that each segment's own are diluted with; None where
            quality was not measured.

    Example:
        >>> from payoff.economics.traffic import Traffic
        >>> codes = np.repeat([0, 1], 50)
        >>> worlds = Worlds.draw(codes, 2, Traffic(1000, 1000, 1000), n_worlds=200, seed=0)
        >>> terms = [SegmentTerms("shops", value_each=2.0), SegmentTerms("clinics", value_each=3.0)]
        >>> found = Market.of(codes, terms, worlds, "EUR")
        >>> [one.name for one in found.segments], round(float(found.whole.mean), -2)
        (['clinics', 'shops'], 2500.0)
    """

    segments: tuple[SegmentProfit, ...]
    service_per_month: float
    measured: bool
    prior_rows: float | None

    @classmethod
    def of(
        cls,
        codes: NDArray[np.int64],
        terms: Sequence[SegmentTerms],
        worlds: Worlds,
        currency: str,
        *,
        decided: Decided | None = None,
        sizes: NDArray[Any] | None = None,
        person_each: float = 0.0,
        service_per_month: float = 0.0,
        weights: Array | None = None,
    ) -> Market:
        """Value segments from what the service did on their rows, or from what is stated.

        In world ``w``, segment ``s`` earns ``requests_w · mix_ws · won_s · (θ_ws − cost_s) −
        fixed_s`` a month. ``mix`` and the segment's mean worth of a decision come from a Bayesian
        bootstrap over the rows (`Worlds`, drawn with segments as its classes); ``θ`` is that mean
        after `Shrinkage`.

        Args:
            codes: Segment of each row, an index into ``terms``, shape ``(n,)``.
            terms: What is stated of each segment, in the order of the codes.
            worlds: Drawn with ``truth=codes``.
            currency: Of all amounts.
            decided: What the service did on the rows; None where that was not measured.
            sizes: Rows of each segment, shape ``(k,)``, where more rows than those that were judged
                tell how large it is; None counts ``codes``.
            person_each: What a person's time for one request costs, where ``decided`` has it
                taken off already.
            service_per_month: What the service costs whatever it serves.
            weights: How much each row counts, shape ``(n,)``, where the requests to come are
                another mix than the rows; None counts all alike.

        Raises:
            EconomicsError: PF618 where lengths differ or the worlds are of other segments.
            ProjectError: PF203 where the worth of a decision is both measured and stated, or
                neither.
        """
        k = len(terms)
        _check(codes, k, worlds, decided)
        _check_values(terms, measured=decided is not None)
        quality = SegmentQuality.of(
            codes, terms, worlds, decided=decided, person_each=person_each, weights=weights
        )
        won = np.array([one.won for one in terms])[:, None]
        requests = won * segment_shares(worlds, sizes) * worlds.requests.mean(axis=1)
        cost_each = np.array([one.cost_each for one in terms])
        fixed = np.array([one.fixed_per_month(worlds.months) for one in terms])
        margins = quality.drawn - cost_each[:, None] * worlds.price_factor
        profits = requests * margins - fixed[:, None]
        order = np.argsort(-profits.mean(axis=1), kind="stable")
        cumulative = np.cumsum(profits[order], axis=0) - service_per_month
        counts = np.bincount(codes, minlength=k)
        found = []
        for rank, s in enumerate(order):
            margin = float(quality.worth[s] - cost_each[s])
            volume = float(requests[s].mean())
            needed = float(cost_each[s]) + _ratio(float(fixed[s]), volume)
            found.append(
                SegmentProfit(
                    name=terms[s].segment,
                    n_rows=int(counts[s]),
                    requests=volume,
                    terms=terms[s],
                    own_share=quality.of_segment("own", s),
                    automated_share=quality.of_segment("automated", s),
                    accuracy=quality.of_segment("accuracy", s),
                    value_each=float(quality.worth[s] + quality.serve[s]),
                    serve_each=float(quality.serve[s] + cost_each[s]),
                    fixed=float(fixed[s]),
                    profit=UncertainMoney(profits[s], currency),
                    cumulative=UncertainMoney(cumulative[rank], currency),
                    break_even_requests=finite(_ratio(float(fixed[s]), margin)),
                    break_even_accuracy=quality.accuracy_for(s, needed),
                )
            )
        return cls(tuple(found), service_per_month, decided is not None, quality.prior_rows)

    @property
    def whole(self) -> UncertainMoney:
        """Profit of all segments together, less the service's own costs."""
        return self.segments[-1].cumulative

    @property
    def to_enter(self) -> tuple[SegmentProfit, ...]:
        """Those that are expected to pay, the most profitable first.

        None where all of them together do not carry the service's own costs.
        """
        paying = tuple(one for one in self.segments if one.pays)
        together = paying[-1].cumulative if paying else None
        return paying if together is not None and together.samples.mean() > 0 else ()

    def as_dict(self) -> dict[str, Any]:
        """The same figures as plain values."""
        return {
            "currency": self.whole.currency,
            "measured": self.measured,
            "prior_rows": self.prior_rows,
            "service_month": self.service_per_month,
            "whole_month": _interval(self.whole),
            "enter": [one.name for one in self.to_enter],
            "segments": [one.as_dict() for one in self.segments],
        }


def _ratio(amount: float, each: float) -> float:
    """How many times ``each`` makes the amount; infinite where it never does."""
    return amount / each if each > 0 else math.inf


def _interval(amount: UncertainMoney) -> dict[str, float]:
    low, high = amount.interval(0.9)
    return {"mean": float(amount.samples.mean()), "low": float(low), "high": float(high)}


def segment_shares(worlds: Worlds, sizes: NDArray[Any] | None = None) -> Array:
    """Share of the requests of each segment in each world, shape ``(k, n_worlds)``.

    Args:
        worlds: Drawn with segments as classes; its mix counts where no sizes are given.
        sizes: Rows of each segment, shape ``(k,)``: the shares are then ``Dirichlet(sizes)``, the
            Bayesian bootstrap of those rows.

    Example:
        >>> from payoff.economics.traffic import Traffic
        >>> worlds = Worlds.draw(np.array([0, 1]), 2, Traffic(1), n_worlds=400, seed=0)
        >>> segment_shares(worlds, np.array([900, 100])).mean(axis=1).round(2).tolist()
        [0.9, 0.1]
    """
    if sizes is None:
        return worlds.mix.T
    rng = np.random.default_rng([worlds.seed, _STREAM])
    return rng.dirichlet(sizes.astype(np.float64), size=worlds.n_worlds).T


def _check(codes: NDArray[np.int64], k: int, worlds: Worlds, decided: Decided | None) -> None:
    same = worlds.mix.shape[1] == k and np.array_equal(worlds.truth, codes)
    if not same or (decided is not None and len(decided.values) != len(codes)):
        raise EconomicsError(
            "PF618",
            "segments",
            f"{len(codes)} rows in {k} segments do not fit the worlds or the answers",
            expected="worlds drawn with the segments as classes, and one answer per row",
        )


def _check_values(terms: Sequence[SegmentTerms], *, measured: bool) -> None:
    for one in terms:
        if measured == (one.value_each is not None):
            raise ProjectError(
                "PF203",
                f"segment '{one.segment}'",
                "the worth of a decision is both measured and stated"
                if measured
                else "the worth of a decision is neither measured nor stated",
                expected="one of the two",
                mend="Leave value_each out."
                if measured
                else "State value_each, or measure it: --with NAME.payoff.",
            )


def entry_sentence(market: Market) -> str:
    """What to do, in one sentence.

    Example:
        >>> from payoff.economics.traffic import Traffic
        >>> codes = np.repeat([0, 1], 50)
        >>> worlds = Worlds.draw(codes, 2, Traffic(100, 100, 100), n_worlds=200, seed=0)
        >>> terms = [SegmentTerms("shops", value_each=2.0),
        ...          SegmentTerms("clinics", value_each=3.0, cost_month=900.0)]
        >>> entry_sentence(Market.of(codes, terms, worlds, "EUR"))[:66]
        "Enter 'shops'; leave 'clinics' until 300 of its requests come a mo"
    """
    entered = market.to_enter
    left = next((one for one in market.segments if one not in entered), None)
    if not entered:
        paying = [one for one in market.segments if one.pays]
        if paying:
            cost = Money.of(market.service_per_month, market.whole.currency)
            return f"Enter none: together they do not carry the {cost} a month of the service."
        return f"Enter none: each loses money; {_needs(market.segments[0])}."
    names = ", then ".join(f"'{one.name}'" for one in entered[:3])
    more = f" and {len(entered) - 3} more in the order of the table" if len(entered) > 3 else ""
    first = f"Enter {names}{more}"
    risks = [(one.profit.probability_below(), one.name) for one in entered]
    risky = [f"'{name}' ({risk:.0%})" for risk, name in risks if risk > _RISKY]
    unsure = (
        f" Not sure to pay, with the probability of a loss: {', '.join(risky)}." if risky else ""
    )
    told = (
        f"{first}: all are expected to pay." if left is None else f"{first}; leave {_needs(left)}."
    )
    return told + unsure


def _needs(one: SegmentProfit) -> str:
    """What must be true for a segment to pay."""
    ways = []
    if one.break_even_requests is not None:
        come = f"{one.break_even_requests:,.0f} of its requests come a month"
        ways.append(f"{come} (now {one.requests:,.0f})")
    if one.break_even_accuracy is not None and one.accuracy is not None:
        right = f"{one.break_even_accuracy:.0%} of what it answers alone is right"
        ways.append(f"{right} (now {one.accuracy:.0%})")
    if ways:
        return f"'{one.name}' until {' or '.join(ways)}"
    return f"'{one.name}': no volume and no quality makes it pay on these terms"
