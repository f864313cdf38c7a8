"""Terms: everything about the business that a search needs and cannot measure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from payoff.core.errors import ProjectError, did_you_mean
from payoff.economics.build_work import BuildWork
from payoff.economics.floor import Floor
from payoff.economics.own_machine import OwnMachine
from payoff.economics.payoff import Payoff
from payoff.economics.prices.book import PriceBook
from payoff.economics.prices.exchange import ExchangeRates
from payoff.economics.traffic import Traffic


@dataclass(frozen=True)
class Terms:
    """What decisions are worth, how many there are, and what may be rented.

    Args:
        payoff: Worth of each right, wrong and handed-over request.
        traffic: Requests a month.
        label_price: What one label costs, in the payoff's currency; the labels at hand are a cost
            of the plan only where this is given.
        horizon_months: Months over which a plan is judged.
        months_until_retraining: Months that one training serves.
        latency_limit_ms: Longest time that 95 % of the answers may take.
        risk_aversion: λ of ``mean − λ · CVaR₅``; 0 chooses by the mean.
        llm: ``{"model": …, "accuracy": …}`` of the API to compare with; accuracy may be missing.
        rates: Dated rates of exchange; without them only prices in the payoff's currency count.
        providers: Clouds that may be used; empty for all in the price book.
        region: Region that may be used; empty for all.
        prices: The price book.
        on: Date whose prices count.
        expected_mix: Share of each label among the requests to come, where it differs from that
            of the data.
        hour_of_waiting: What an hour of searching costs beside the machine.
        floors: Limits on errors that the chosen plan must keep.
        own_machine: A machine of one's own, offered beside what can be rented.
        build: People's hours until a plan runs; a cost of every plan with a model.
        speed_ratio: How many times faster than this machine a rented one is, per processor; None
            takes it to be as fast, and says so in every line.
        retention_months: Months that requests and their answers are kept.

    Example:
        >>> worth = Payoff(correct=3, wrong=-7, handoff=-2, currency="USD")
        >>> Terms(worth, Traffic(per_month=1000)).currency
        'USD'
    """

    payoff: Payoff
    traffic: Traffic
    label_price: float | None = field(default=None, kw_only=True)
    horizon_months: int = field(default=12, kw_only=True)
    months_until_retraining: int = field(default=6, kw_only=True)
    latency_limit_ms: float | None = field(default=None, kw_only=True)
    risk_aversion: float = field(default=0.0, kw_only=True)
    llm: Mapping[str, Any] = field(default_factory=dict, kw_only=True)
    rates: ExchangeRates | None = field(default=None, kw_only=True)
    providers: tuple[str, ...] = field(default=(), kw_only=True)
    region: str = field(default="", kw_only=True)
    prices: PriceBook = field(default_factory=PriceBook.builtin, kw_only=True)
    on: date = field(default_factory=date.today, kw_only=True)
    expected_mix: Mapping[str, float] | None = field(default=None, kw_only=True)
    hour_of_waiting: float = field(default=0.0, kw_only=True)
    floors: tuple[Floor, ...] = field(default=(), kw_only=True)
    own_machine: OwnMachine | None = field(default=None, kw_only=True)
    build: BuildWork | None = field(default=None, kw_only=True)
    speed_ratio: float | None = field(default=None, kw_only=True)
    retention_months: float = field(default=12.0, kw_only=True)

    def __post_init__(self) -> None:
        unknown = [name for name in self.providers if name not in self.prices.providers]
        if unknown:
            raise ProjectError(
                "PF203",
                "payoff.toml [hosting.providers]",
                f"the price book has no '{unknown[0]}'",
                expected=f"some of {', '.join(self.prices.providers)}",
                mend=did_you_mean(unknown[0], self.prices.providers)
                or f"Add its prices: payoff prices add {unknown[0]} …, and name the file in "
                "[hosting] prices.",
            )
        regions = {price.region for price in self.prices.prices}
        if self.region and self.region not in regions:
            raise ProjectError(
                "PF203",
                "payoff.toml [hosting.region]",
                f"the price book has no '{self.region}'",
                mend=did_you_mean(self.region, regions) or "`payoff prices list` shows them.",
            )

    @property
    def currency(self) -> str:
        """Currency of every figure."""
        return self.payoff.currency

    @property
    def requests(self) -> float:
        """Requests over the horizon, as many as are likely, without growth."""
        return self.traffic.per_month * self.horizon_months

    @property
    def most_handed(self) -> float | None:
        """Share of the requests that people can take; None where nothing limits them."""
        person = self.payoff.person
        if person is None or person.capacity_per_month is None:
            return None
        return person.capacity_per_month / self.traffic.per_month

    def as_dict(self) -> dict[str, Any]:
        """Plain values: with the data and the seed, all that determines a run."""
        return {
            "payoff": self.payoff.as_dict(),
            "traffic": asdict(self.traffic),
            "label_price": self.label_price,
            "horizon_months": self.horizon_months,
            "months_until_retraining": self.months_until_retraining,
            "latency_limit_ms": self.latency_limit_ms,
            "risk_aversion": self.risk_aversion,
            "llm": dict(self.llm),
            "providers": list(self.providers),
            "region": self.region,
            "prices": self.prices.fingerprint(),
            "on": self.on.isoformat(),
            "rates": None if self.rates is None else str(self.rates),
            "expected_mix": None if self.expected_mix is None else dict(self.expected_mix),
            "hour_of_waiting": self.hour_of_waiting,
            "floors": [floor.as_dict() for floor in self.floors],
            "own_machine": self.own_machine and self.own_machine.as_dict(),
            "build": self.build and self.build.as_dict(),
            "speed_ratio": self.speed_ratio,
            "retention_months": self.retention_months,
        }
