"""What a job at an endpoint would cost, told before it is begun and without asking anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from payoff.adapt.recipes import recipe_named
from payoff.adapt.recipes.api import Api
from payoff.adapt.recipes.api_job import ApiJob, job_of
from payoff.artifact.runtime.endpoint_budget import EndpointBudget
from payoff.artifact.runtime.endpoint_client import TRIES
from payoff.artifact.runtime.token_price import MILLION, TokenPrice
from payoff.core.errors import AdaptError, MachineError
from payoff.core.money import Money
from payoff.core.progress import Progress, Silent
from payoff.data.dataset import Dataset
from payoff.economics.endpoint_price import price_client
from payoff.learn.meter import Meter, today_utc
from payoff.plan.ladder import rung
from payoff.plan.tuning.tune import candidate_of, prepared

_PLACES = 6


@dataclass(frozen=True, slots=True)
class JobPrice:
    """A job, its price, and the caps that it would have to hold.

    Args:
        base_url: The endpoint.
        model: Name of the model there.
        job: Requests and tokens.
        price: Of a token; None where nobody knows.
        why: Why nobody knows; empty where there is a price.
        budgets: What may be spent.
        left: What is left of the month's budget that the project states; None without one.

    Example:
        >>> price = TokenPrice.parse("0.15 0.60 USD", where="here")
        >>> job = ApiJob(10, 10, 0, 5_000, 9_000, 40, 320, counted_by="")
        >>> JobPrice("https://one/v1", "small", job, price).expected
        Money(0.00077400 USD)
    """

    base_url: str
    model: str
    job: ApiJob
    price: TokenPrice | None
    why: str = ""
    budgets: tuple[EndpointBudget, ...] = ()
    left: Money | None = None

    @property
    def within_budget(self) -> bool | None:
        """Whether the month's budget holds the most; None where that is not known.

        Raises:
            EconomicsError: PF605 where the two are in different currencies.
        """
        if self.left is None or self.at_most is None:
            return None
        return self.at_most <= self.left

    @property
    def expected(self) -> Money | None:
        """Where every request is answered at its first attempt, as shortly as the labels are."""
        return None if self.price is None else self.price.cost(self.job.read, self.job.written)

    @property
    def at_most(self) -> Money | None:
        """Where every request is answered at its first attempt, and every answer is the longest."""
        job = self.job
        return (
            None if self.price is None else self.price.cost(job.read_at_most, job.written_at_most)
        )

    @property
    def at_most_repeated(self) -> Money | None:
        """Where besides every request is sent as often as any may be, and charged each time."""
        return None if self.at_most is None else self.at_most * TRIES

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; money is null where no price is known."""
        job, price, money = self.job, None, None
        if self.price is not None:
            names = ("read_per_million", "written_per_million")
            each = (float(amount * MILLION) for amount in self.price.amounts)
            price = dict(zip(names, each, strict=True)) | {
                "currency": self.price.currency,
                "source": self.price.source,
            }
            sums = {
                "expected": self.expected,
                "at_most": self.at_most,
                "at_most_repeated": self.at_most_repeated,
            }
            money = {"currency": self.price.currency} | {
                name: float(amount.rounded(_PLACES)) for name, amount in sums.items() if amount
            }
        return {
            "base_url": self.base_url,
            "model": self.model,
            "n_texts": job.n_texts,
            "n_questions": job.n_questions,
            "n_kept": job.n_kept,
            "n_requests": job.n_requests,
            "counted_by": job.counted_by or "bytes",
            "tokens_read": {"expected": job.read, "at_most": job.read_at_most},
            "tokens_written": {"expected": job.written, "at_most": job.written_at_most},
            "price": price,
            "unpriced": self.why,
            "money": money,
            "caps": [_cap(budget) for budget in self.budgets],
            "budget": None
            if self.left is None
            else {
                "currency": self.left.currency,
                "left": float(self.left.rounded(_PLACES)),
                "within": self.within_budget,
            },
        }


def job_price(
    dataset: Dataset,
    recipe: str,
    *,
    settings: Mapping[str, Any] | None = None,
    test: Dataset | None = None,
    backbone: str = "",
    unlabelled: Sequence[str] = (),
    descriptions: Mapping[str, str] | None = None,
    report: bool = False,
    seed: int = 0,
    runs: Path | str = "runs",
    progress: Progress | None = None,
    meter: Meter | None = None,
) -> JobPrice:
    """What `payoff.plan.tuning.tune.tune` would ask and pay with these arguments; nothing is sent.

    No key is needed.

    Args:
        dataset: As for `tune`, like all that follow but the last.
        recipe: One that asks an endpoint.
        settings: Its own.
        test: Rows to report on.
        backbone: Which pretrained model.
        unlabelled: More texts.
        descriptions: Label to what it means.
        report: Whether the test rows would be asked about too.
        seed: Seed of everything random.
        runs: Folder of runs.
        progress: Who listens.
        meter: Tells what is left of the month's budget; nothing is held.

    Raises:
        DataError, AdaptError, MachineError: As `tune`; AdaptError PF405 where the recipe asks no
            endpoint.

    Example:
        >>> job_price(tickets, "api", report=True).at_most  # doctest: +SKIP
        Money(0.4127 USD)
    """
    chosen = recipe_named(recipe)
    if not isinstance(chosen, Api):
        raise AdaptError(
            "PF405",
            f"a dry run of recipe '{recipe}'",
            "it asks no endpoint, so that there is nothing to price",
            expected="the recipe 'api'",
        )
    parts, run, bench = prepared(
        dataset,
        recipe,
        backbone=backbone,
        test=test,
        unlabelled=unlabelled,
        descriptions=descriptions,
        seed=seed,
        runs=runs,
        progress=progress or Silent(),
    )
    candidate = candidate_of(chosen, bench, settings or {})
    attempt = chosen.unasked(candidate, bench)
    key = rung(candidate, chosen.rungs[-1])
    if run.recorded(key) is not None:
        attempt.restore(run.attempt(key))
    texts = [bench.texts[row] for row in bench.validation]
    if report:
        texts += parts.test_texts
    why = ""
    try:
        price_client(attempt.client, on=today_utc())
    except MachineError as error:
        why = error.found
    client = attempt.client
    if client.price is None:
        why = why or f"nobody knows what a token of '{client.model}' costs"
    left = None if meter is None else meter.left()
    if left is not None and client.price is not None and meter is not None:
        left = meter.exchanged(left, client.price.currency)
    return JobPrice(
        client.base_url,
        client.model,
        job_of(attempt, texts),
        client.price,
        why,
        client.budgets,
        left,
    )


def _cap(budget: EndpointBudget) -> dict[str, Any]:
    """A cap and what is used of it."""
    used = budget.money_used
    money = None
    if budget.money is not None and used is not None:
        money = {
            "currency": budget.money.currency,
            "cap": float(budget.money),
            "used": float(used.rounded(_PLACES)),
        }
    tokens = {"cap": budget.tokens, "used": budget.tokens_used} if budget.tokens else None
    return {
        "book": str(budget.path),
        "monthly": budget.monthly,
        "money": money,
        "tokens": tokens,
    }
