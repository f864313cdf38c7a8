"""Rehearsal: an experiment run on made-up customers, a look after every day, to see what it does.

The promises of this folder are held to account by thousands of these: see
``benchmarks/experiments.py`` and the tests.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
from numpy.typing import NDArray

from payoff.learn.experiments.course import EXAMPLE, Course, Stage
from payoff.learn.experiments.experiment import Experiment
from payoff.learn.experiments.look import Look, look_at
from payoff.learn.experiments.recommendation import Advice
from payoff.learn.experiments.requests import Requests
from payoff.learn.experiments.tally import Array

_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_BEFORE_DAYS = 28
_N_FOR_MEAN = 400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """Made-up customers who come again, differ, and make dear errors now and then.

    Args:
        requests_per_day: On average.
        customers: How many there are; they come with rates of their own.
        unevenness: Squared coefficient of variation of those rates; 0 is all the same.
        amounts: What a request may bring: right, wrong, dearly wrong.
        wrong: Chances of the last two, for a usual customer.
        differ: Squared coefficient of variation of customers' chances of errors.
        handed_over: Share of the requests that go to a person.
        handoff: What such a request brings.
        label_share: Share of the outcomes that are ever told.
        label_days: Mean delay of those; 0 tells them at once.
        boast: What the treatment claims to earn beyond the truth, a request.
    """

    requests_per_day: float = 200.0
    customers: int = 600
    unevenness: float = 1.0
    amounts: tuple[float, float, float] = (3.0, -8.0, -25.0)
    wrong: tuple[float, float] = (0.09, 0.03)
    differ: float = 0.5
    handed_over: float = 0.1
    handoff: float = -2.0
    label_share: float = 1.0
    label_days: float = 0.0
    boast: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Requests of a market with what either arm would make of them; arms are not chosen yet.

    Args:
        customer: Number of the customer, ``(n,)``.
        day: When, in days, ``(n,)``.
        control: What it brings with the control, ``(n,)``.
        treatment: What it brings with the treatment, ``(n,)``.
        expected: What a calibrated model expects of it, ``(n,)``.
        handed_over: Whether it goes to a person, ``(n,)``.
        told_day: When the outcome is told, ``(n,)``; infinite where never.
        earlier: What its customer brought before, ``(n,)``; NaN for new ones.
        bucket: Of each customer, ``(n_customers,)``.
    """

    customer: NDArray[np.int64]
    day: Array
    control: Array
    treatment: Array
    expected: Array
    handed_over: NDArray[np.bool_]
    told_day: Array
    earlier: Array
    bucket: Array


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """How one run ended.

    Args:
        advice: The last one: promoted, stopped, or ``wait`` where days ran out.
        day: On which it ended.
        lost: What treated requests lost by then, at the true effect; below 0 where they gained.
        look: The last one.
        missed: Whether any look's interval missed the true gain.
    """

    advice: Advice
    day: int
    lost: float
    look: Look
    missed: bool


def draw(market: Market, days: int, *, effect: float = 0.0, seed: int = 0) -> Drawn:
    """Draw the requests of some days.

    Args:
        market: Where they come from.
        days: How many.
        effect: What the treatment brings more than the control on average, a request. A gain makes
            some wrong answers right; a loss makes some answers dearly wrong.
        seed: Of the draw.

    Example:
        >>> drawn = draw(Market(), 5, effect=-1.0)
        >>> bool(drawn.treatment.mean() < drawn.control.mean())
        True
    """
    rng = np.random.default_rng(seed)
    n_all = market.customers
    rate = _positive(rng, market.unevenness, n_all)
    clumsy = _positive(rng, market.differ, n_all)
    n = rng.poisson(market.requests_per_day * days)
    customer = np.searchsorted(np.cumsum(rate) / rate.sum(), rng.random(n)).clip(0, n_all - 1)
    control, expected, handed = _outcomes(rng, market, clumsy[customer])
    # A request becomes the best or the worst that there is, with the chance that is needed.
    bound = market.amounts[0] if effect >= 0 else market.amounts[2]
    changed = rng.random(n) < (effect / (bound - _mean_of(market)) if effect else 0.0)
    delay = rng.exponential(1.0, n) * market.label_days
    delay[rng.random(n) >= market.label_share] = np.inf
    day = np.sort(rng.uniform(0.0, days, n))
    return Drawn(
        customer=customer,
        day=day,
        control=control,
        treatment=np.where(changed, bound, control),
        expected=expected,
        handed_over=handed,
        told_day=day + delay,
        earlier=_earlier(rng, market, rate, clumsy)[customer],
        bucket=rng.random(n_all),
    )


def rehearse(
    experiment: Experiment, market: Market, *, effect: float = 0.0, seed: int = 0
) -> Rehearsal:
    """Run an experiment to its end: look after every day, and do what the look says.

    Args:
        experiment: The rules.
        market: Where its requests come from.
        effect: What the treatment truly brings more, a request.
        seed: Of the draw.

    Example:
        >>> from payoff.learn.experiments.course import EXAMPLE
        >>> rehearse(EXAMPLE.experiment, Market(), effect=-4.0).advice.value
        'stop: harmful'
    """
    days = round(experiment.horizon_days)
    drawn = draw(market, days, effect=effect, seed=seed)
    ends = np.searchsorted(drawn.day, np.arange(1, days + 1))
    treated = np.zeros(len(drawn.day), dtype=np.bool_)
    stage = np.zeros(len(drawn.day), dtype=np.int64)
    course = _begun(experiment)
    begin, missed = 0, False
    for day, end in enumerate(ends, 1):
        today = slice(begin, end)
        treated[today] = drawn.bucket[drawn.customer[today]] < course.share
        stage[today] = len(course.stages) - 1
        begin = end
        now = _at(day)
        requests = _known(drawn, market, treated, stage, int(end), day)
        look = look_at(course, requests, now, requests_per_month=0.0)
        missed |= not look.gain.low <= effect <= look.gain.high
        advice = look.recommendation
        if advice.share is not None:
            course = replace(course, stages=(*course.stages, Stage(now, advice.share)))
        elif advice.advice is not Advice.WAIT:
            break
    lost = -effect * float(treated.sum())
    return Rehearsal(advice.advice, day, lost, look, missed)


def _known(
    drawn: Drawn,
    market: Market,
    treated: NDArray[np.bool_],
    stage: NDArray[np.int64],
    end: int,
    day: int,
) -> Requests:
    """What the journal would have on an evening."""
    mine = treated[:end]
    outcome = np.where(mine, drawn.treatment[:end], drawn.control[:end])
    told = drawn.told_day[:end] <= day
    return Requests(
        customer=drawn.customer[:end],
        treated=mine,
        stage=stage[:end],
        day=drawn.day[:end],
        expected=drawn.expected[:end] + market.boast * mine,
        realised=np.where(told, outcome, np.nan),
        handed_over=drawn.handed_over[:end],
        latency_ms=np.zeros(end),
        earlier=drawn.earlier[:end],
    )


def _begun(experiment: Experiment) -> Course:
    stage = Stage(_at(0), experiment.first_share)
    return Course(experiment=experiment, policy=EXAMPLE.policy, stages=(stage,))


def _at(day: int) -> str:
    return (_BEGIN + timedelta(days=day)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _positive(rng: np.random.Generator, variation: float, n: int) -> Array:
    """Gamma numbers of mean 1 and a squared coefficient of variation."""
    return rng.gamma(1.0 / variation, variation, n) if variation > 0 else np.ones(n)


def _outcomes(
    rng: np.random.Generator, market: Market, clumsy: Array
) -> tuple[Array, Array, NDArray[np.bool_]]:
    """What requests bring, what a calibrated model expects of them, and which go to a person."""
    n = len(clumsy)
    chances = np.outer(clumsy * _positive(rng, 1.0, n), market.wrong)
    chances *= np.minimum(1.0, 0.9 / np.maximum(chances.sum(axis=1), 1e-9))[:, None]
    amounts = np.array(market.amounts)
    below = rng.random(n)
    dear = below < chances[:, 1]
    wrong = below < chances.sum(axis=1)
    outcome = np.where(dear, amounts[2], np.where(wrong, amounts[1], amounts[0]))
    expected = amounts[0] + chances @ (amounts[1:] - amounts[0])
    handed = rng.random(n) < market.handed_over
    outcome[handed], expected[handed] = market.handoff, market.handoff
    return outcome, expected, handed


@cache
def _mean_of(market: Market) -> float:
    """What a request brings on average, found by drawing many."""
    rng = np.random.default_rng(0)
    clumsy = _positive(rng, market.differ, _N_FOR_MEAN)
    return float(_outcomes(rng, market, clumsy)[0].mean())


def _earlier(rng: np.random.Generator, market: Market, rate: Array, clumsy: Array) -> Array:
    """Mean profit of each customer in the four weeks before; NaN for those who did not come."""
    per_customer = market.requests_per_day * _BEFORE_DAYS / market.customers
    n = rng.poisson(rate / rate.mean() * per_customer)
    right, wrong, dear = market.amounts
    n_wrong = rng.binomial(n, np.minimum(0.5, clumsy * market.wrong[0]))
    n_dear = rng.binomial(n - n_wrong, np.minimum(0.5, clumsy * market.wrong[1]))
    total = right * n + (wrong - right) * n_wrong + (dear - right) * n_dear
    return np.where(n > 0, total / np.maximum(n, 1), np.nan)
