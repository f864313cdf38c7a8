"""Audit: which labels to ask for, so that few of them tell the loss, and what they tell."""

from __future__ import annotations

import numpy as np

from payoff.learn.watching.window import Flags, Floats, Integers, Window

_FLOOR = 1.0


def inclusions(window: Window, n_labels: float) -> Floats:
    """With which probability each request's label should be asked for, ``(n,)``.

    In proportion to how uncertain its worth is, as its own probabilities say (Neyman 1934, "On the
    two different aspects of the representative method", JRSS 97(4)), so that nobody labels what is
    worth the same under any label, such as a handover. A part is spread evenly over the requests
    with something at stake, since a model that is wrong with confidence must be found out too.

    Args:
        window: The requests.
        n_labels: How many labels are to be asked for on average.

    Example:
        >>> from payoff.economics.value_tables import ValueTables
        >>> tables = ValueTables(np.array([[3.0, -7.0, -1.0], [-7.0, 3.0, -1.0]]))
        >>> p = np.array([[0.99, 0.01], [0.7, 0.3], [0.5, 0.5]])
        >>> window = Window(probabilities=p, actions=np.array([0, 0, 2]), tables=tables)
        >>> inclusions(window, 1).round(2).tolist()
        [0.34, 0.66, 0.0]
    """
    at_stake = np.ptp(window.outcomes, axis=1) > 0
    if not at_stake.any() or n_labels <= 0:
        return np.zeros(len(window))
    spread = np.sqrt(window.variance)
    size = np.where(at_stake, spread + _FLOOR * spread[at_stake].mean(), 0.0)
    if not size.any():
        size = at_stake.astype(np.float64)
    wanted = min(float(n_labels), float(at_stake.sum()))
    found = np.zeros(len(window))
    certain = np.zeros(len(window), dtype=bool)
    while True:  # those that are asked for certainly leave fewer labels for the others
        rest = size * ~certain
        total = rest.sum()
        found = np.where(certain, 1.0, rest * ((wanted - certain.sum()) / total if total else 0.0))
        over = found > 1.0
        if not over.any():
            return found
        certain |= over


def audit_sample(inclusion: Floats, *, seed: int) -> Integers:
    """Requests whose labels to ask for: places, ascending.

    Systematic sampling in random order: each is taken with exactly its probability, and their
    number varies by less than one (Madow 1949, "On the theory of systematic sampling").

    Args:
        inclusion: Probabilities, ``(n,)``.
        seed: The same seed gives the same requests.

    Example:
        >>> audit_sample(np.array([1.0, 0.5, 0.5, 0.0]), seed=0).tolist()
        [0, 1]
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(inclusion))
    ends = np.cumsum(inclusion[order]) + rng.random()
    taken = np.diff(np.floor(np.concatenate([[ends[0] - inclusion[order[0]]], ends]))) > 0
    return np.sort(order[taken]).astype(np.int64)


def audited_mean(
    gaps: Floats, chances: Floats, groups: Integers, counted: Flags
) -> tuple[float, float]:
    """Mean of the gaps of all requests, from those that are known, and its squared error.

    Each request that was asked for by chance, and answered, stands for as many as its chance says
    (Horvitz and Thompson 1952, JASA 47(260)), and all of them together for all requests (Hajek's
    ratio, in Godambe and Sprott 1971), so that it does no harm where some are not answered yet, as
    far as which ones is chance. Gaps that became known in another way tell nothing here: customers
    speak of what went wrong.

    So that it takes few labels, what is weighed is only how far each gap lies from the one that
    the others lead to expect: the mean, and of requests of the same group their shrunken mean
    (generalised regression, Sarndal, Swensson and Wretman 1992, "Model Assisted Survey Sampling",
    6.4). Nothing is expected of a request by its own gap, so that the expectation need not be
    right for the mean to be (Zrnic and Candes 2024, "Cross-prediction-powered inference", PNAS
    121(15)). Where a label changes its meaning the requests that are taken for it share the gap.

    Args:
        gaps: What came out less what was expected, ``(n,)``; NaN where it is not known.
        chances: With which each was asked for, ``(n,)``; 0 where it was not, or not answered.
        groups: Which requests are alike: what the model takes each for, ``(n,)``, from 0.
        counted: Which may have a gap at all, ``(n,)``; that of all others is 0.

    Returns:
        The mean over all ``n``, and its squared error (Hajek 1964, Annals of Mathematical
        Statistics 35(4)).

    Example:
        >>> gaps = np.array([-4.0, np.nan, -2.0, np.nan, np.nan])
        >>> chances, groups = np.array([0.5, 0.0, 0.5, 0.0, 0.0]), np.zeros(5, dtype=np.int64)
        >>> counted = np.array([True, True, True, True, False])
        >>> round(audited_mean(gaps, chances, groups, counted)[0], 3)  # -3 for four of five
        -2.4
    """
    answered = ~np.isnan(gaps) & counted & (chances > 0)
    n, n_counted = len(gaps), float(counted.sum())
    if not answered.any():
        return 0.0, 0.0
    weights = 1 / chances[answered]
    weights = weights * (n_counted / weights.sum())
    mean = float(np.average(gaps[answered], weights=weights))
    off = gaps[answered] - mean
    own, all_of = _shared(off, groups[answered], int(groups.max()) + 1)
    expected = all_of[groups]
    expected[answered] = own
    left = off - own
    total = n_counted * mean + float(expected[counted].sum()) + float(weights @ left)
    return total / n, _squared_error(left * weights, 1 / np.maximum(weights, 1.0)) / n**2


def _shared(off: Floats, groups: Integers, n_groups: int) -> tuple[Floats, Floats]:
    """What each leads to expect of its group: of its own others, ``(m,)``, and of all, by group.

    Means are shrunken by how much groups differ beyond chance, by the moments of a one-way layout
    (Henderson 1953, Biometrics 9(2)).
    """
    count = np.bincount(groups, minlength=n_groups).astype(np.float64)
    sums = np.bincount(groups, off, n_groups)
    m, filled = len(off), count > 0
    n_filled = int(filled.sum())
    if n_filled < 2 or m <= n_filled:
        return np.zeros(m), np.zeros(n_groups)
    between_sum = float((sums[filled] ** 2 / count[filled]).sum())
    within = (float((off**2).sum()) - between_sum) / (m - n_filled)
    between = (between_sum - float(off.sum()) ** 2 / m) / (n_filled - 1)
    size = (m - float((count**2).sum()) / m) / (n_filled - 1)
    varies = (between - within) / size
    if varies <= 1e-12:
        return np.zeros(m), np.zeros(n_groups)
    shrink = max(within, 0.0) / varies
    others = count[groups] - 1
    own = np.where(others > 0, (sums[groups] - off) / np.maximum(others + shrink, 1e-12), 0.0)
    return own, np.where(filled, sums / np.maximum(count + shrink, 1e-12), 0.0)


def _squared_error(raised: Floats, chances: Floats) -> float:
    """Of a sum of raised gaps, from the chances of those that are in it."""
    open_ones = 1 - chances
    if open_ones.sum() <= 0:
        return 0.0
    centre = float(open_ones @ raised / open_ones.sum())
    m = len(raised)
    return m / max(m - 1, 1) * float(open_ones @ (raised - centre) ** 2)
