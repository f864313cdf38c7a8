"""The comparison at the end of a search: every option on the test rows, beside the baselines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from payoff.core.findings import Finding
from payoff.data.splits import Split
from payoff.economics.baselines import Baseline
from payoff.economics.cascades.cascade_policy import Answered
from payoff.economics.forecast import Forecast
from payoff.evidence.evidence import Evidence
from payoff.plan.cascades.cascade_option import CascadeOption
from payoff.plan.ladder import Tried
from payoff.plan.options import Option
from payoff.plan.parts import Parts


@dataclass(frozen=True)
class Reported:
    """An option on the test rows.

    Args:
        option: Which; one model, or a cascade of several.
        probabilities: Calibrated, of the test rows; of a cascade those of the model that answers.
        evidence: On test rows.
        forecast: From test rows.
        actions: What was decided on each test row, ``(n_test,)``.
        n_trained_on: Rows that the reported model learnt from.
        value: Mean worth of a decision, per test row.
        argmax_value: The same if the most probable label were always acted on.
    """

    option: Option | CascadeOption
    probabilities: NDArray[np.float64]
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
        reported: All options on the test rows, the chosen one first; the best cascade among them.
        tried: All candidates.
        baselines: What it is compared with.
        parts: The rows.
        cut: How they were cut.
        findings: On data, payoff and prices.
        seconds: The whole search took.
        mean_requests: Requests of the mean month.
        learnt_fingerprint: SHA-256 of training and validation rows.
        answered: Which of its models answers each test row in the best cascade; None where there
            is no cascade.
        no_cascade: Why there is none.
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
    answered: Answered | None = None
    no_cascade: str = ""

    @property
    def models(self) -> tuple[Option, ...]:
        """The options that are one model each, in the order in which they are reported."""
        return tuple(r.option for r in self.reported if isinstance(r.option, Option))

    @property
    def cascade(self) -> Reported | None:
        """The best cascade on the test rows."""
        found = (r for r in self.reported if isinstance(r.option, CascadeOption))
        return next(found, None)
