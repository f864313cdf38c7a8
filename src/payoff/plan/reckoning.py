"""Reckoning: from what was measured of a model to what it earns under some terms."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.core.errors import EconomicsError
from payoff.core.money import Money
from payoff.economics.baselines import Baseline, do_nothing, llm_api, llm_hosting, people_only
from payoff.economics.case import Case
from payoff.economics.charge import Charge, PerInstance
from payoff.economics.costs import CostLine, PlanCosts, labels_line, training_line
from payoff.economics.forecast import Forecast
from payoff.economics.forecasts import forecasts
from payoff.economics.hosting import Hosting, cheapest, options_in
from payoff.economics.offer import exchange
from payoff.economics.outcome import Outcome
from payoff.economics.own_machine import PROVIDER
from payoff.economics.policy import Policy
from payoff.economics.priced_book import PricedBook
from payoff.economics.prices.price import Price
from payoff.economics.requirement import Requirement
from payoff.economics.tokens import Tokens
from payoff.economics.value_tables import Segments
from payoff.economics.worlds import Worlds
from payoff.evidence.footprint import Footprint
from payoff.evidence.latency import Latency
from payoff.plan.search_runs import SearchRuns
from payoff.plan.terms import Terms

_Machine = tuple[str, Money, date, str]  # name, rent an hour, its day and source

_ANY_MODEL = Requirement(1e6, 0.001, 1.0, 1.0, 0.001, 1.0)
"""Of a model so small and fast that only prices can stand in its way."""

_NO_RATE = "rate"
"""Is in what PF605 says."""

UNSTATED_LLM = "gpt-5-mini"
"""The API that is priced where the terms name none; its accuracy is then unknown."""


@dataclass(frozen=True)
class Reckoning:
    """All that follows from the terms once the measuring is done; nothing here needs torch.

    A search and a later what-if both reckon by it, so that the same evidence under the same terms
    gives the same money.

    Args:
        terms: Value, traffic, prices.
        labels: The ``k`` labels.
        n_labelled: Labelled rows, which cost what a label costs.
        training_counts: Rows of each label that training saw, shape ``(k,)``.
        request_bytes: Mean size of a request.
        characters_per_text: Mean length of a text.
        searched: What the search trained; None where a plan's own training is all there is.
    """

    terms: Terms
    labels: tuple[str, ...]
    n_labelled: int
    training_counts: NDArray[np.int64]
    request_bytes: float
    characters_per_text: float
    searched: SearchRuns | None = None

    def policy(self) -> Policy:
        """What is done at which probabilities."""
        mix = dict(zip(self.labels, self.training_counts.tolist(), strict=True))
        expected = self.terms.expected_mix
        return Policy.from_payoff(
            self.terms.payoff,
            self.labels,
            expected_mix=expected,
            training_mix=mix if expected is not None else None,
        )

    def worlds(self, truth: NDArray[np.integer[Any]], seed: int) -> Worlds:
        """Worlds over held-out rows of these labels."""
        mix = None
        if self.terms.expected_mix is not None:
            mix = np.array([self.terms.expected_mix.get(label, 0.0) for label in self.labels])
        return Worlds.draw(
            truth,
            len(self.labels),
            self.terms.traffic,
            months=self.terms.horizon_months,
            seed=seed,
            expected_mix=mix,
        )

    def hosting(
        self, latency: Latency, footprint: Footprint, *, service_scv: float = 1.0
    ) -> tuple[Hosting, Hosting]:
        """The cheapest host that holds the limits, and the cheapest rented machine beside it.

        Args:
            latency: Its speed.
            footprint: Its size, memory and start.
            service_scv: Squared coefficient of variation of the time that a request takes.

        Raises:
            EconomicsError: PF616 where no host holds them, with the reasons.
        """
        assert footprint.peak_rss_bytes is not None
        assert footprint.start_s is not None
        requirement = Requirement(
            texts_per_s=latency.texts_per_s,
            single_latency_ms=latency.p95_ms,
            memory_bytes=footprint.peak_rss_bytes,
            package_bytes=footprint.artifact_bytes,
            start_s=footprint.start_s,
            peak_factor=self.terms.traffic.peak_factor,
            latency_limit_ms=self.terms.latency_limit_ms,
            request_bytes=self.request_bytes,
            threads=latency.threads,
            service_scv=service_scv,
            at_once=self.terms.traffic.at_once,
            by_hour=self.terms.traffic.by_hour,
            speed_ratio=self.terms.speed_ratio,
            retention_months=self.terms.retention_months,
            data_bytes=self.n_labelled * self.request_bytes,
        )
        near = self._near(requirement)
        requests = self.terms.traffic.per_month
        rented = [o for o in near if o.meets_limits and o.priced and _is_rented(o)]
        if not rented:
            chosen = cheapest(near, requests)
            return chosen, chosen
        reference = cheapest(rented, requests)
        others = [option for option in near if not _is_rented(option)]
        return cheapest([reference, *others], requests), reference

    def _near(self, requirement: Requirement) -> list[Hosting]:
        """What the terms allow: what can be rented in the region, and one's own machine."""
        options = options_in(self._prices, requirement, self.terms.traffic)
        near = [option for option in options if self.terms.region in ("", option.region)]
        own = self.terms.own_machine
        return near if own is None else [*near, own.hosting(requirement, self.terms.currency)]

    def token_charges(self, tokens: Tokens, share: float) -> tuple[Charge, ...]:
        """What is paid for somebody else's model that this share of the requests reaches.

        Raises:
            EconomicsError: PF607 or PF605 where its tokens have no price in the currency.
        """
        terms = self.terms
        return tokens.charges(share, currency=terms.currency, on=terms.on, rates=terms.rates)

    def check_hosts(self) -> None:
        """Make sure that some host has a price, before anything is measured of a model.

        Raises:
            EconomicsError: PF605 where prices are in other currencies and a rate is missing, PF601
                where the price book has none on that day.
        """
        near = self._near(_ANY_MODEL)
        if any(option.priced for option in near):
            return
        unrated = [option.why_not for option in near if _NO_RATE in option.why_not]
        if not unrated:
            region = f" in {self.terms.region}" if self.terms.region else ""
            why = f": {near[0].why_not}" if near else ""
            raise EconomicsError(
                "PF601",
                "payoff.toml [hosting]",
                f"no price of a host{region} is known on {self.terms.on}{why}",
                mend="Take a later [search] prices_on, name other providers, or add prices of "
                "your own: payoff prices add.",
            )
        foreign = sorted({price.currency for price in self._host_prices()} - {self.terms.currency})
        rates = ", ".join(f"{name} = …" for name in foreign)
        raise EconomicsError(
            "PF605",
            "payoff.toml [currency]",
            f"no host can be priced in {self.terms.currency}: {unrated[0]}",
            mend=f"Give dated rates: as_of, source, rates = {{ {rates} }}; or name providers with "
            f"prices in {self.terms.currency}.",
        )

    def _host_prices(self) -> list[Price]:
        """Prices of hosts, storage and traffic that the terms allow."""
        prices = self.terms.prices.find(on=self.terms.on)
        allowed = self.terms.providers or self.terms.prices.providers
        return [p for p in prices if p.provider in allowed and p.kind != "gpu_instance"]

    def costs(self, hosting: Hosting, training_s: float) -> PlanCosts:
        """All that a plan with this host and training costs.

        Training is that of the whole search, once there was one: it was paid to find this plan, and
        a retraining that searches again pays it again.
        """
        runs = self.searched or SearchRuns(1, training_s)
        once: list[CostLine] = [_training(self.terms, self._machine, runs)]
        if self.terms.label_price is not None:
            price = Money.of(self.terms.label_price, self.terms.currency)
            once.append(labels_line(self.n_labelled, price, source="payoff.toml [labels]"))
        if self.terms.build is not None:
            once.append(self.terms.build.line(self.terms.currency))
        return PlanCosts(
            once=tuple(once),
            hosting=hosting,
            person=self.terms.payoff.person,
            months_until_retraining=self.terms.months_until_retraining,
        )

    @cached_property
    def _prices(self) -> PricedBook:
        """The prices that the terms allow, the same for all models."""
        terms = self.terms
        return PricedBook(
            terms.prices,
            terms.currency,
            on=terms.on,
            rates=terms.rates,
            providers=terms.providers or None,
        )

    @cached_property
    def _machine(self) -> _Machine | None:
        """Where training is priced; the same for all plans."""
        return _training_machine(self.terms)

    def forecast(
        self, name: str, outcome: Outcome, worlds: Worlds, costs: PlanCosts, reference: Hosting
    ) -> Forecast:
        """What an outcome earns in some worlds."""
        return self.forecast_of(Case(name, outcome, costs, reference), worlds)

    def forecast_of(self, case: Case, worlds: Worlds) -> Forecast:
        """What a plan earns in some worlds."""
        terms = self.terms
        found = forecasts([case], worlds, currency=terms.currency, nothing=terms.payoff.nothing)
        return found[0]

    def baselines(
        self, worlds: Worlds, segments: Segments | None = None, *, cost_alone: bool = True
    ) -> tuple[Baseline, ...]:
        """Doing nothing, people only, and an API: what a model of one's own is compared with.

        Args:
            worlds: The worlds.
            segments: Segment of each row that they were drawn over; None where none is known.
            cost_alone: Whether an API that the terms neither name nor value is priced all the
                same; reading the prices of language models takes longer than all else here.
        """
        payoff = self.terms.payoff
        api = Baseline(f"LLM API {UNSTATED_LLM}", None, reason="its quality was not stated")
        if cost_alone or self.terms.llm:
            api = self._api(worlds, segments)
        people = people_only(payoff, self.labels, worlds, segments)
        return do_nothing(payoff, worlds), people, api

    @property
    def machine_per_hour(self) -> float:
        """What an hour of training costs; 0 where no machine has a price in the currency."""
        machine = _training_machine(self.terms)
        return 0.0 if machine is None else float(machine[1])

    def price_api(self) -> Hosting:
        """What the API that the terms name would cost, or one that stands for it.

        Raises:
            EconomicsError: PF605 or PF607 where it cannot be priced.
        """
        return llm_hosting(
            self.terms.llm.get("model", UNSTATED_LLM),
            labels=self.labels,
            currency=self.terms.currency,
            on=self.terms.on,
            rates=self.terms.rates,
            characters_per_text=self.characters_per_text,
        )

    def _api(self, worlds: Worlds, segments: Segments | None) -> Baseline:
        """An LLM API; priced where it can be, valued where its accuracy is stated."""
        terms = self.terms
        try:
            hosting = self.price_api()
        except EconomicsError as error:
            if "model" in terms.llm:
                raise
            return Baseline(f"LLM API {UNSTATED_LLM}", None, reason=str(error))
        return llm_api(
            terms.payoff,
            self.labels,
            worlds,
            hosting=hosting,
            accuracy=terms.llm.get("accuracy"),
            segments=segments,
        )


def _is_rented(hosting: Hosting) -> bool:
    """Whether it is a machine that is rented by the hour."""
    if hosting.provider == PROVIDER:
        return False
    return any(isinstance(charge.quantity, PerInstance) for charge in hosting.charges)


def _training(terms: Terms, machine: _Machine | None, runs: SearchRuns) -> CostLine:
    if machine is None:
        return training_line(
            runs.mean_s,
            runs.n_runs,
            machine="this machine",
            as_of=None,
            source="no price in the currency",
            price_per_hour=Money.of(0, terms.currency),
        )
    name, price, as_of, source = machine
    return training_line(
        runs.mean_s,
        runs.n_runs,
        machine=name,
        price_per_hour=price,
        as_of=as_of,
        source=source,
        speed_ratio=terms.speed_ratio,
    )


def _training_machine(terms: Terms) -> _Machine | None:
    """The cheapest rented machine of at least two processors, in the terms' currency."""
    found = []
    for price in terms.prices.find(kind="instance", on=terms.on):
        if (price.vcpu or 0) < 2 or (terms.providers and price.provider not in terms.providers):
            continue
        try:
            hourly = exchange(price.per_hour, terms.currency, rates=terms.rates, on=terms.on)
        except EconomicsError:  # in a currency without a rate, or no rent by the hour or month
            continue
        found.append((hourly, price))
    if not found:
        return None
    hourly, price = min(found, key=lambda pair: pair[0])
    return f"{price.provider} {price.item}", hourly, price.as_of, price.source
