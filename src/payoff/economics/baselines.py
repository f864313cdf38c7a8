"""Baselines: doing nothing, leaving it to people, and buying an LLM API."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from payoff.core.errors import EconomicsError
from payoff.economics.case import Case
from payoff.economics.charge import Charge, PerRequest
from payoff.economics.costs import PlanCosts, Step
from payoff.economics.forecast import Forecast
from payoff.economics.forecasts import forecasts
from payoff.economics.hosting import Hosting
from payoff.economics.offer import exchange
from payoff.economics.outcome import Outcome
from payoff.economics.payoff import Payoff
from payoff.economics.person import Person
from payoff.economics.prices.llm import price_llm_call
from payoff.economics.uncertain_money import UncertainMoney
from payoff.economics.value_tables import Segments
from payoff.economics.worlds import Worlds

if TYPE_CHECKING:
    from payoff.economics.prices.exchange import ExchangeRates

CHARACTERS_PER_TOKEN: Final = 4.0
_INSTRUCTION: Final = "Answer with the one label that fits the text best. Labels: {labels}. Text: "


@dataclass(frozen=True, eq=False)
class Baseline:
    """A plan without a model of one's own.

    Args:
        name: What people call it.
        forecast: What it earns; None where that cannot be said.
        costs: What it pays.
        reason: Why there is no forecast; empty where there is one.
        case: What the forecast was made from; None where there is none.

    Example:
        >>> Baseline("LLM API", None, PlanCosts(), reason="its quality was not stated").reason
        'its quality was not stated'
    """

    name: str
    forecast: Forecast | None
    costs: PlanCosts = field(default_factory=PlanCosts)
    reason: str = field(default="", kw_only=True)
    case: Case | None = field(default=None, kw_only=True)

    @property
    def profit(self) -> UncertainMoney | None:
        """What it earns a month; None where that cannot be said."""
        return None if self.forecast is None else self.forecast.profit

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        told = None if self.forecast is None else self.forecast.as_dict()
        return {"name": self.name, "forecast": told, "reason": self.reason}


def do_nothing(payoff: Payoff, worlds: Worlds) -> Baseline:
    """Every request stays unanswered: worth ``payoff.nothing``, at no cost.

    Example:
        >>> from payoff.economics.traffic import Traffic
        >>> worlds = Worlds.draw(np.array([0, 1]), 2, Traffic(100, 100, 100), seed=0)
        >>> left = do_nothing(Payoff(3, -7, -4, currency="USD", nothing=-1.0), worlds)
        >>> left.forecast.profit.mean.rounded()
        Money(-100.00 USD)
    """
    # The same as handing all requests to people who can answer none: all stay unanswered.
    n = worlds.n_rows
    outcome = Outcome(np.zeros(n), np.ones(n, dtype=np.bool_), np.zeros(n))
    nobody = PlanCosts(person=Person(0.0, 0.0, capacity_per_month=0.0))
    return _told(Case("do nothing", outcome, nobody), payoff, worlds)


def people_only(
    payoff: Payoff, labels: Sequence[str], worlds: Worlds, segments: Segments | None = None
) -> Baseline:
    """Every request goes to a person, up to their capacity.

    Args:
        payoff: Worth of handing over; its person, if any, is paid.
        labels: The ``k`` labels.
        worlds: The worlds, whose test rows are handed over.
        segments: Segment of each of those rows; None where none is known.

    Example:
        >>> from payoff.economics.traffic import Traffic
        >>> worlds = Worlds.draw(np.array([0, 1]), 2, Traffic(100, 100, 100), seed=0)
        >>> worth = Payoff(3, -7, -4, currency="USD")
        >>> people_only(worth, ("a", "b"), worlds).forecast.profit.mean.rounded()
        Money(-400.00 USD)
    """
    everything = np.full(worlds.n_rows, len(labels), dtype=np.int64)
    outcome = Outcome.of_actions(payoff, labels, worlds.truth, everything, segments)
    return _told(Case("people only", outcome, PlanCosts(person=payoff.person)), payoff, worlds)


def llm_api(
    payoff: Payoff,
    labels: Sequence[str],
    worlds: Worlds,
    *,
    hosting: Hosting,
    accuracy: float | None,
    segments: Segments | None = None,
) -> Baseline:
    """An LLM answers every request, right as often as the founder states.

    Args:
        payoff: Worth of right and wrong answers.
        labels: The ``k`` labels.
        worlds: The worlds.
        hosting: What the API costs, from `llm_hosting`.
        accuracy: Stated share of right answers; its errors fall on all other labels alike. None
            gives a plan with its cost only: payoff does not guess how good an API is.
        segments: Segment of each test row; None where none is known.

    Raises:
        EconomicsError: PF614 where the accuracy is not between 0 and 1.

    Example:
        >>> from payoff.economics.traffic import Traffic
        >>> worlds = Worlds.draw(np.array([0, 1]), 2, Traffic(100, 100, 100), seed=0)
        >>> worth, labels = Payoff(3, -7, -4, currency="USD"), ("a", "b")
        >>> api = llm_hosting("gpt-4o-mini", labels=labels, currency="USD",
        ...                   on=date(2026, 11, 22), characters_per_text=200)
        >>> llm_api(worth, labels, worlds, hosting=api, accuracy=None).forecast is None
        True
    """
    costs = PlanCosts(hosting=hosting)
    if accuracy is None:
        return Baseline(hosting.name, None, costs, reason="its quality was not stated")
    outcome = Outcome.of_accuracy(payoff, labels, worlds.truth, accuracy, segments)
    return _told(Case(hosting.name, outcome, costs), payoff, worlds)


def llm_hosting(
    model: str,
    provider: str | None = None,
    *,
    labels: Sequence[str],
    currency: str,
    on: date,
    rates: ExchangeRates | None = None,
    characters_per_text: float,
    count_tokens: Callable[[str], int] | None = None,
    tokens_per_text: float | None = None,
    retry_share: float = 0.0,
) -> Hosting:
    """What calls to an LLM API cost: the text, a prompt that lists the labels, and one label back.

    Args:
        model: Name of the model as one writes it in a request.
        provider: Id of the provider; guessed from the model where it is None.
        labels: The ``k`` labels, all of which the prompt lists.
        currency: Currency of the plan.
        on: Day whose prices hold.
        rates: Dated exchange rates; needed where the plan is not in US dollars.
        characters_per_text: Mean length of a text.
        count_tokens: The model's tokenizer; None assumes four characters a token.
        tokens_per_text: Mean tokens of a text, where they were counted.
        retry_share: Share of the calls that are made once more.

    Raises:
        EconomicsError: PF607 where the model has no price, PF605 without a needed rate, PF604
            where a figure is negative.

    Example:
        >>> api = llm_hosting("gpt-4o-mini", "openai", labels=("billing", "refund"),
        ...                   currency="USD", on=date(2026, 11, 22), characters_per_text=200)
        >>> [charge.what for charge in api.charges]
        ['gpt-4o-mini, 71 tokens read', 'gpt-4o-mini, 2 tokens written']
    """
    figures = {
        "characters_per_text": characters_per_text,
        "retry_share": retry_share,
        "tokens_per_text": tokens_per_text or 0.0,
    }
    for name, figure in figures.items():
        if not (math.isfinite(figure) and figure >= 0):
            raise EconomicsError("PF604", name, f"it is {figure}", expected="0 or more")
    count = count_tokens or _assumed_tokens
    assumed = characters_per_text / CHARACTERS_PER_TOKEN
    text = math.ceil(assumed if tokens_per_text is None else tokens_per_text)
    read = count(_INSTRUCTION.format(labels=", ".join(labels))) + text
    written = max(count(label) for label in labels)
    priced = price_llm_call(model, provider, input_tokens=read, output_tokens=written, on=on)
    measured = count_tokens is not None and tokens_per_text is not None
    parts = ((read, "read", priced.input_cost), (written, "written", priced.output_cost))
    charges = tuple(
        Charge(
            Step.API,
            f"{priced.model}, {tokens} tokens {what}",
            PerRequest(1.0 + retry_share),
            "request",
            exchange(cost, currency, rates=rates, on=on),
            as_of=priced.on,
            source=priced.source,
            measured=measured,
            note="" if measured else f"assumed: {CHARACTERS_PER_TOKEN:g} characters a token",
        )
        for tokens, what, cost in parts
    )
    return Hosting(
        f"LLM API {priced.model}",
        priced.provider,
        priced.model,
        "",
        currency=currency,
        charges=charges,
        notes=("its latency and rate limits are not checked",),
    )


def _assumed_tokens(text: str) -> int:
    return math.ceil(len(text) / CHARACTERS_PER_TOKEN)


def _told(case: Case, payoff: Payoff, worlds: Worlds) -> Baseline:
    told = forecasts([case], worlds, currency=payoff.currency, nothing=payoff.nothing)[0]
    return Baseline(case.name, told, case.costs, case=case)
