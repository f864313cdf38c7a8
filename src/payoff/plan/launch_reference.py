"""Launch reference: how the chosen plan decides the test rows, for watching it in the market."""

from __future__ import annotations

from typing import Any

import numpy as np

from payoff.core.findings import Finding, Status
from payoff.economics.cascades.cascade_policy import Answered
from payoff.learn.watching.reference import LEAST_REQUESTS, Reference
from payoff.learn.watching.watched_model import forecast_worth
from payoff.learn.watching.window import Window
from payoff.plan.comparison import Reported
from payoff.plan.parts import Parts

_TITLE = "Watching compares with rows that did not train"


def launch_reference(
    chosen: Reported, parts: Parts, *, answered: Answered | None, seed: int
) -> tuple[dict[str, Any] | None, Finding]:
    """What `payoff watch` holds the market against, from rows that took no part in the choice.

    Where the project states another mix of labels than the rows have, as many rows are drawn by it
    as they are worth then (Kish 1965, "Survey Sampling": the square of the weights' sum over the
    sum of their squares). It holds histograms of sureness, labels, segments and lengths, and means
    in money; neither texts nor words: in a journal words are hashed with its secret, and an
    artifact that is handed around has none.

    Args:
        chosen: The plan, with its probabilities of the test rows.
        parts: The rows.
        answered: Which model answered each row at which cost, where the plan is a cascade.
        seed: Of the draw.

    Returns:
        The content of ``reference.json``, None where there are too few rows; and PF797.

    Example:
        >>> launch_reference(chosen, parts, answered=None, seed=0)[1].code  # doctest: +SKIP
        'PF797'
    """
    policy, truth = chosen.option.policy, parts.test_targets
    window = Window(
        probabilities=policy.shifted(chosen.probabilities).astype(np.float64),
        actions=chosen.actions,
        tables=policy.tables,
        truth=truth,
        costs=None if answered is None else answered.costs,
        segments=parts.test_segments,
        texts=tuple(parts.test_texts),
    )
    if policy.prior_shift is not None:
        weights = policy.prior_shift[truth]
        n = int(weights.sum() ** 2 / (weights**2).sum())
        drawn = np.random.default_rng(seed).choice(len(truth), n, p=weights / weights.sum())
        window = window.rows(drawn)
    if len(window) < LEAST_REQUESTS:
        told = (
            f"{len(window)} test rows count, and it takes {LEAST_REQUESTS}: the first requests "
            "will be taken for normal"
        )
        mend = f"Label rows to report on until there are {LEAST_REQUESTS}."
        return None, Finding("PF797", _TITLE, Status.FAILED, told, mend)
    forecast = forecast_worth({"forecast": chosen.forecast.as_dict()})
    error = chosen.evidence.ece
    made = Reference.of(
        window,
        policy.labels,
        forecast=forecast,
        calibration_error=0.0 if error is None else error,
        keep_words=False,
    )
    return made.to_dict(), Finding("PF797", _TITLE, Status.PASSED, f"{len(window)} test rows")
