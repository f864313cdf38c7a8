"""Asking: a model that somebody else serves, in a run: priced before, asked once, booked after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from payoff.adapt.recipes.api import Api, ApiAttempt
from payoff.adapt.recipes.api_job import job_of
from payoff.adapt.recipes.recipe import Candidate, Recipe
from payoff.adapt.workbench import Workbench
from payoff.artifact.runtime import Runtime, open_tier
from payoff.artifact.runtime.endpoint import EndpointRuntime
from payoff.artifact.tier import TierSpec
from payoff.economics.endpoint_price import price_client
from payoff.evidence.asked_latency import asked_latency
from payoff.evidence.latency import Latency
from payoff.learn.meter import today_utc
from payoff.learn.spending import unpriced_budget
from payoff.plan.runs import Run


def asks_endpoint(recipe: Recipe) -> bool:
    """Whether a recipe's models are somebody else's.

    Example:
        >>> asks_endpoint(Api())
        True
    """
    return isinstance(recipe, Api)


def price_attempt(attempt: Any) -> None:
    """Tell an attempt that asks an endpoint what a token costs today; others need nothing.

    Raises:
        MachineError: PF817 where money is capped and there is no price in that currency.

    Example:
        >>> price_attempt("a training on this machine")
    """
    if isinstance(attempt, ApiAttempt):
        price_client(attempt.client, on=today_utc())


def allow(
    run: Run,
    recipe: Recipe,
    candidate: Candidate,
    bench: Workbench,
    seconds: float,
    *,
    texts: Sequence[str] = (),
) -> None:
    """Ask the budget before a candidate is begun: for the machine's time and for what is asked.

    Of an endpoint's answers the most that they may cost is held, each at its first attempt; what
    is answered already costs nothing more.

    Args:
        run: With its meter; nothing is asked where it has none.
        recipe: Of the candidate.
        candidate: Which.
        bench: The rows; an endpoint is asked about its validation rows.
        seconds: How long it is expected to take on this machine.
        texts: What an endpoint will be asked about beside them.

    Raises:
        EconomicsError: PF620 where the month's budget does not hold it; PF629 where there is a
            budget and nobody knows what a token costs; PF605 without a needed rate.

    Example:
        >>> allow(run, recipe, candidate, bench, 40.0)  # doctest: +SKIP
    """
    meter = run.meter
    if meter is None:
        return
    if not isinstance(recipe, Api) or meter.terms.per_month is None:
        meter.allow(candidate.name, seconds)
        return
    attempt = attempt_of(run, recipe, candidate, bench)
    job = job_of(attempt, [*_validation(bench), *texts])
    price, client = attempt.client.price, attempt.client
    if price is None:
        raise unpriced_budget(client.model, client.base_url)
    expected, most = (
        price.cost(job.read, job.written),
        price.cost(job.read_at_most, job.written_at_most),
    )
    what = (
        f"asking {client.model} about {job.n_requests:,} texts (expected "
        f"{expected.rounded(4).amount:f} {expected.currency}, held is the most)"
    )
    meter.allow(what, seconds, besides=most)


def texts_to_ask(recipe: Recipe, bench: Workbench, texts: Sequence[str]) -> list[str]:
    """Those of some texts that an endpoint is asked about beside its validation rows, each once.

    Args:
        recipe: None for any that asks no endpoint.
        bench: The rows.
        texts: Such as those of the test rows.

    Example:
        >>> texts_to_ask(recipe_named("lora"), bench, ["where is it?"])  # doctest: +SKIP
        []
    """
    if not isinstance(recipe, Api):
        return []
    known = set(_validation(bench))
    return [text for text in dict.fromkeys(texts) if text not in known]


@contextmanager
def booked(
    run: Run, recipe: Recipe, candidate: Candidate, bench: Workbench, texts: Sequence[str] = ()
) -> Iterator[None]:
    """Book the time that the block took and the answers that it paid for, also where it fails.

    Args:
        run: With its meter; nothing is booked where it has none.
        recipe: Of the candidate.
        candidate: Which.
        bench: The rows; an endpoint is asked about its validation rows.
        texts: What an endpoint is asked about beside them.

    Raises:
        ServiceError: PF703 to PF706 where the journal fails.

    Example:
        >>> with booked(run, recipe, candidate, bench):  # doctest: +SKIP
        ...     attempt.advance(1.0)
    """
    try:
        yield
    finally:
        if run.meter is not None:
            run.meter.book(candidate.name)
            if isinstance(recipe, Api):
                asked = attempt_of(run, recipe, candidate, bench)
                answers = asked.paid_about([*_validation(bench), *texts])
                run.meter.book_paid(
                    answers,
                    model=asked.client.model,
                    base_url=asked.client.base_url,
                    within=run.trained.name,
                    on=today_utc(),
                    price=asked.stated_price,
                )


def attempt_of(run: Run, recipe: Api, candidate: Candidate, bench: Workbench) -> ApiAttempt:
    """An endpoint's attempt with all that it was answered so far; nothing is asked.

    Args:
        run: Where it is kept.
        recipe: Its recipe.
        candidate: Which.
        bench: The rows.

    Raises:
        MachineError: PF817 where money is capped and there is no price in that currency.

    Example:
        >>> attempt_of(run, Api(), candidate, bench).usage()["n_answers"]  # doctest: +SKIP
        40
    """
    attempt = recipe.unasked(candidate, bench)
    if run.recorded(candidate.key) is not None:
        attempt.restore(run.attempt(candidate.key))
    price_attempt(attempt)
    return attempt


def _validation(bench: Workbench) -> list[str]:
    return [bench.texts[row] for row in bench.validation]


def opened(
    spec: TierSpec,
    folder: Path,
    *,
    run: Run,
    recipe: Recipe,
    candidate: Candidate,
    bench: Workbench,
) -> Runtime:
    """A candidate's tier, ready to be measured; an endpoint within the caps of its run.

    No answer is paid for twice: those of the run are there, and new ones are kept beside them.

    Args:
        spec: The tier.
        folder: Where its files are.
        run: Where the attempt is kept.
        recipe: Of the candidate.
        candidate: Which.
        bench: The rows.

    Raises:
        ArtifactError: PF504 where the tier cannot be opened.
        MachineError: PF811 or PF817 where an endpoint could not be asked.

    Example:
        >>> runtime = opened(spec, folder, run=run, recipe=recipe, candidate=candidate,
        ...                  bench=bench)  # doctest: +SKIP
    """
    runtime = open_tier(spec, lambda name: (folder / name).read_bytes())
    if isinstance(runtime, EndpointRuntime) and isinstance(recipe, Api):
        runtime.client = attempt_of(run, recipe, candidate, bench).client
    return runtime


def latency_of_answers(runtime: EndpointRuntime, texts: Sequence[str]) -> Latency:
    """What an endpoint's answers took when they were paid for: measuring costs no more.

    Args:
        runtime: The tier.
        texts: What it has answered.

    Example:
        >>> latency_of_answers(runtime, texts).p95_ms  # doctest: +SKIP
        412.0
    """
    taken = [answer.seconds for answer in runtime.answers(texts)]
    return asked_latency(taken, parallel=runtime.client.max_parallel)
