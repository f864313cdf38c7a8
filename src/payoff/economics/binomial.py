"""Binomial: what a count of errors says about the rate behind it, exactly."""

from __future__ import annotations

import math

_TOLERANCE = 1e-12


def binomial_tail(errors: int, n: int, rate: float) -> float:
    """Probability of at most so many errors in ``n`` independent rows of that error rate.

    As a p-value of "the rate is above this one" it is exact and valid for every ``n``.

    Args:
        errors: From 0 to ``n``.
        n: Rows; with none, the probability is 1.
        rate: Above 0 and below 1.

    Example:
        >>> round(binomial_tail(0, 299, 0.01), 4)  # 0.99 to the power of 299
        0.0495
    """
    if errors >= n:
        return 1.0
    odds = math.log(rate) - math.log1p(-rate)
    term = n * math.log1p(-rate)
    terms = [term]
    for j in range(errors):
        term += math.log((n - j) / (j + 1)) + odds
        terms.append(term)
    largest = max(terms)
    return min(1.0, math.exp(largest) * math.fsum(math.exp(one - largest) for one in terms))


def upper_bound(errors: int, n: int, confidence: float) -> float:
    """The highest rate that so many errors leave open: one-sided, exact.

    Clopper & Pearson 1934, "The use of confidence or fiducial limits illustrated in the case of
    the binomial", Biometrika 26(4): the rate at which so few errors have the probability
    ``1 − confidence``.

    Args:
        errors: From 0 to ``n``.
        n: Rows; with none, every rate is left open.
        confidence: Above 0 and below 1.

    Example:
        >>> round(upper_bound(0, 299, 0.95), 4), upper_bound(3, 3, 0.95)
        (0.01, 1.0)
    """
    if errors >= n:
        return 1.0
    low, high = errors / n, 1.0
    while high - low > _TOLERANCE:
        middle = (low + high) / 2
        low, high = (
            (middle, high) if binomial_tail(errors, n, middle) > 1 - confidence else (low, middle)
        )
    return high


def rows_needed(at_most: float, confidence: float, *, error_rate: float = 0.0) -> int | None:
    """About how many rows it takes to be sure of a limit, where errors are as frequent as this.

    Args:
        at_most: The limit, above 0 and below 1.
        confidence: Above 0 and below 1.
        error_rate: Expected share of errors; their number is rounded up.

    Returns:
        A number of rows that is enough, the smallest one where no error is expected; None where
        errors are not below the limit, so that no number is.

    Example:
        >>> rows_needed(0.01, 0.95), rows_needed(0.01, 0.95, error_rate=0.005)
        (299, 1441)
    """
    if error_rate >= at_most:
        return None
    low, high = 1, 1

    def sure(n: int) -> bool:
        return binomial_tail(math.ceil(n * error_rate - _TOLERANCE), n, at_most) <= 1 - confidence

    while not sure(high):
        low, high = high + 1, 2 * high
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if sure(middle) else (middle + 1, high)
    return high
