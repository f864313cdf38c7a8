"""Gain: what the treatment brings more than the control, a request, and how sure that is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from payoff.learn.experiments.tally import Array, Tally

LEAST_CUSTOMERS = 30
"""With fewer customers in an arm there is no standard error that could be trusted."""

_LARGEST_LEVER = 0.999


@dataclass(frozen=True, slots=True)
class Gain:
    """A difference of means, with its standard error.

    Args:
        gain: Treatment less control, a request.
        standard_error: Of it; infinite with fewer than `LEAST_CUSTOMERS` customers in an arm.
        information: Requests times ``share · (1 − share)``: what the intervals' clock shows.
        spread: What one request adds to the noise, with the requests of its customer taken into
            account: ``standard_error · √information``, but for what is unseen.
        cut: Share of the variance that the covariate has taken away.
    """

    gain: float
    standard_error: float
    information: float
    spread: float
    cut: float = 0.0


def gain_of(cells: Tally, *, unseen: tuple[float, float] = (0.0, 0.0)) -> Gain:
    """The gain a request, compared within stages, its error clustered by customer.

    The coefficient of the arm in a regression of a request's worth on the arm and the stage. Shares
    differ from stage to stage and so does the time of year, so that means over all stages cannot be
    compared; means within a stage can, since who is treated in it was drawn. A stage counts by its
    information, ``n p (1 − p)``, which is what keeps the variance smallest.

    A customer's requests are alike, and it can be in both arms one after the other where the ramp
    moved it. So the variance is the sum over customers of their squared scores (Liang and Zeger
    1986, Biometrika 73(1)), each divided by one less its leverage as in the jackknife (Bell and
    McCaffrey 2002, Survey Methodology 28(2), "CR3"): on the careful side where few are treated.

    With a covariate, its own difference between the arms, which chance alone has made, is taken off
    in the proportion that makes the variance smallest: CUPED (Deng et al. 2013, WSDM, eq. 4),
    chosen on customers' scores and so for customers that come more than once.

    A dear error that comes once in a thousand requests is not among the first hundred, and a
    variance of what was seen would swear that there is none. So each arm counts as if one more
    request had brought the most extreme amount there can be, ``unseen`` away from the mean: with n
    requests this adds ``(unseen / n)²`` to the variance, much at first and nothing in the end. It
    is what empirical Bernstein bounds add (Maurer and Pontil 2009, COLT, theorem 4), as a variance.

    In the shadow each request is in both arms. The two rows are the same customer's, so that what
    they have in common cancels in its score: the comparison is paired without further ado.

    Args:
        cells: The requests, added up.
        unseen: How far from the mean one request can be: in the control, in the treatment.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> treated = np.arange(400) % 2 == 0
        >>> cells = Tally(np.arange(400), np.zeros(400, int), treated, np.ones(400),
        ...               rng.normal(0.5 * treated))
        >>> found = gain_of(cells)
        >>> round(found.gain, 1), round(found.standard_error, 2), found.information
        (0.4, 0.1, 100.0)
    """
    n_customers = int(cells.customer.max(initial=-1)) + 1
    centred, leverage = _arms(cells)
    information = float(cells.requests @ centred**2)
    if information <= 0.0:
        return Gain(0.0, math.inf, 0.0, math.inf)
    of_cells = leverage + cells.requests * centred**2 / information
    lever = np.bincount(cells.customer, of_cells, n_customers)
    careful = 1.0 / (1.0 - np.minimum(lever, _LARGEST_LEVER))
    gain, scores = _scores(cells, cells.value, centred, information)
    scores = scores * careful
    cut = 0.0
    if cells.covariate is not None:
        by_chance, before = _scores(cells, cells.covariate, centred, information)
        before = before * careful
        size = float(before @ before)
        slope = float(scores @ before) / size if size > 0.0 else 0.0
        raw = float(scores @ scores)
        gain, scores = gain - slope * by_chance, scores - slope * before
        cut = 1.0 - float(scores @ scores) / raw if raw > 0.0 else 0.0
    variance = float(scores @ scores)
    spread = math.sqrt(variance / information)
    for treated, extreme in enumerate(unseen):
        of_arm = centred[cells.treated == bool(treated)]
        variance += float((of_arm**2).max(initial=0.0)) * extreme**2
    error = math.sqrt(variance) / information
    if min(cells.customers(treated=True), cells.customers(treated=False)) < LEAST_CUSTOMERS:
        error = math.inf
    return Gain(gain, error, information, spread, cut)


def _arms(cells: Tally) -> tuple[Array, Array]:
    """The arm less its share in the stage, and what part of the stage each cell is."""
    n = np.bincount(cells.stage, cells.requests)
    share = np.bincount(cells.stage, cells.requests * cells.treated) / np.maximum(n, 1.0)
    return cells.treated - share[cells.stage], cells.requests / n[cells.stage]


def _scores(cells: Tally, total: Array, centred: Array, information: float) -> tuple[float, Array]:
    """A difference of means, and what each customer has contributed to its error."""
    gain = float(centred @ total) / information
    n = np.bincount(cells.stage, cells.requests)
    mean = np.bincount(cells.stage, total) / np.maximum(n, 1.0)
    left = total - cells.requests * (mean[cells.stage] + gain * centred)
    scores: Array = np.bincount(cells.customer, centred * left).astype(np.float64)
    return gain, scores


def spread_of(value: Array, customer: NDArray[np.int64]) -> float:
    """What one request adds to the noise, from requests that no experiment was made with.

    The standard error of a gain will be this over the square root of the information. It is the
    standard deviation of a request where customers come once, and larger where they come again and
    are alike: ``√(Σ_c (Σ_r (x − x̄))² / n)``.

    Args:
        value: What each request was worth, ``(n,)``.
        customer: Number of its customer, ``(n,)``, from 0.

    Example:
        >>> spread_of(np.array([1.0, -1.0, 1.0, -1.0]), np.array([0, 1, 2, 3]))
        1.0
        >>> round(spread_of(np.array([1.0, 1.0, -1.0, -1.0]), np.array([0, 0, 1, 1])), 3)
        1.414
    """
    if not len(value):
        return math.inf
    of_customers = np.bincount(customer, value - value.mean())
    return float(np.sqrt(of_customers @ of_customers / len(value)))
