"""Asking: a model that somebody else serves, in a run: priced before, asked once, booked after."""

from __future__ import annotations

from collections.abc import Sequence
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
    attempt = recipe.unasked(candidate, bench)
    price_attempt(attempt)
    if run.recorded(candidate.key) is not None:
        attempt.restore(run.attempt(candidate.key))
    job = job_of(attempt, [*(bench.texts[row] for row in bench.validation), *texts])
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
    known = {bench.texts[row] for row in bench.validation}
    return [text for text in dict.fromkeys(texts) if text not in known]


def book_attempt(run: Run, candidate: Candidate, attempt: Any, key: str) -> None:
    """Book the time of a rung, and the answers of an endpoint once for ever.

    Args:
        run: With its meter; nothing is booked where it has none.
        candidate: Which.
        attempt: Its training, or its questions.
        key: Of the rung.

    Example:
        >>> book_attempt(run, candidate, attempt, candidate.key)  # doctest: +SKIP
    """
    if run.meter is None:
        return
    run.meter.book(candidate.name)
    asked = getattr(attempt, "attempt", attempt)
    if isinstance(asked, ApiAttempt):
        name = f"{run.trained.name}/{key}"
        run.meter.book_answers(asked.usage(), name, on=today_utc(), price=asked.stated_price)


def opened(
    spec: TierSpec,
    folder: Path,
    *,
    recipe: Recipe,
    candidate: Candidate,
    bench: Workbench,
    saved: Path,
) -> Runtime:
    """A candidate's tier, ready to be measured; an endpoint within the caps of its run.

    No answer is paid for twice: those that the attempt saved are there, and new ones are kept
    beside them.

    Args:
        spec: The tier.
        folder: Where its files are.
        recipe: Of the candidate.
        candidate: Which.
        bench: The rows.
        saved: Where the attempt was saved.

    Raises:
        ArtifactError: PF504 where the tier cannot be opened.
        MachineError: PF811 or PF817 where an endpoint could not be asked.

    Example:
        >>> opened(spec, folder, recipe=recipe, candidate=candidate, bench=bench,
        ...        saved=run.attempt(candidate.key)).logits(["where is it?"])  # doctest: +SKIP
    """
    runtime = open_tier(spec, lambda name: (folder / name).read_bytes())
    if isinstance(runtime, EndpointRuntime) and isinstance(recipe, Api):
        attempt = recipe.unasked(candidate, bench)
        price_attempt(attempt)
        runtime.client = attempt.client
        runtime.remember(saved)
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


def book_test_texts(
    run: Run,
    runtime: Runtime,
    texts: Sequence[str],
    *,
    recipe: Recipe,
    candidate: Candidate,
    bench: Workbench,
) -> None:
    """Book what an endpoint's answers about test texts cost, once for ever; others cost nothing.

    Args:
        run: With its meter; nothing is booked where it has none.
        runtime: The tier, which has answered.
        texts: As `texts_to_ask` gives them.
        recipe: Of the candidate.
        candidate: Which.
        bench: The rows.

    Example:
        >>> book_test_texts(run, runtime, texts, recipe=recipe, candidate=candidate,
        ...                 bench=bench)  # doctest: +SKIP
    """
    if run.meter is None or not isinstance(runtime, EndpointRuntime) or not isinstance(recipe, Api):
        return
    answers = runtime.answers(texts)
    usage = {
        "base_url": runtime.client.base_url,
        "model": runtime.client.model,
        "n_answers": len(answers),
        "n_unmetered": sum(not answer.metered for answer in answers),
        "input_tokens": sum(answer.input_tokens for answer in answers),
        "output_tokens": sum(answer.output_tokens for answer in answers),
    }
    price = recipe.unasked(candidate, bench).stated_price
    name = f"{run.trained.name}/{candidate.key}/test"
    run.meter.book_answers(usage, name, on=today_utc(), price=price)
