"""The comparison at the end of a search: every option on the test rows, beside the baselines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from payoff.core.findings import Finding
from payoff.data.splits import Split
from payoff.economics.baselines import Baseline
from payoff.economics.forecast import Forecast
from payoff.evidence.evidence import Evidence
from payoff.plan.ladder import Tried
from payoff.plan.options import Logits, Option
from payoff.plan.parts import Parts


@dataclass(frozen=True)
class Reported:
    """An option on the test rows.

    Args:
        option: Which.
        logits: On test rows.
        evidence: On test rows.
        forecast: From test rows.
        actions: What was decided on each test row, ``(n_test,)``.
        n_trained_on: Rows that the reported model learnt from.
        value: Mean worth of a decision, per test row.
        argmax_value: The same if the most probable label were always acted on.
    """

    option: Option
    logits: Logits
    evidence: Evidence
    forecast: Forecast
    actions: NDArray[np.int64]
    n_trained_on: int
    value: float
    argmax_value: float


@dataclass(frozen=True)
class Comparison:
    """All that a report tells of a search.

    Args:
        chosen: The chosen option on the test rows, trained on all other rows if time allowed.
        reported: All options on the test rows, the chosen one first.
        tried: All candidates.
        baselines: What it is compared with.
        parts: The rows.
        cut: How they were cut.
        findings: On data, payoff and prices.
        seconds: The whole search took.
        mean_requests: Requests of the mean month.
        learnt_fingerprint: SHA-256 of training and validation rows.
    """

    chosen: Reported
    reported: tuple[Reported, ...]
    tried: tuple[Tried, ...]
    baselines: tuple[Baseline, ...]
    parts: Parts
    cut: Split
    findings: tuple[Finding, ...]
    seconds: float
    mean_requests: float
    learnt_fingerprint: str
