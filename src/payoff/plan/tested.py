"""Tested: what a plan says of the test rows, and what is reported of it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from payoff.economics.cascades.cascade_policy import Answered
from payoff.economics.value_tables import Segments
from payoff.economics.worlds import Worlds
from payoff.evidence.evidence import Evidence
from payoff.plan.asking import allow, booked, texts_to_ask
from payoff.plan.cascades.cascade_option import CascadeOption
from payoff.plan.comparison import Reported
from payoff.plan.judging import Judge
from payoff.plan.options import Logits, Option, Workshop
from payoff.plan.parts import Parts
from payoff.plan.shipped import ShippedModel


@dataclass(frozen=True, eq=False)
class Tested:
    """What a plan says of the test rows.

    Args:
        logits: Of the model that answers, ``(n_test, k)``.
        probabilities: The same, calibrated.
        n_rows: Rows that the model learnt from; of several the fewest.
    """

    logits: Logits
    probabilities: NDArray[np.float64]
    n_rows: int

    @classmethod
    def of(
        cls, workshop: Workshop, option: Option, shipped: ShippedModel | None, parts: Parts
    ) -> Tested:
        """Of one model, as it is shipped, or as it was chosen by where it is not.

        Raises:
            EconomicsError: PF620 where the month's budget does not hold an endpoint's answers.
            MachineError: PF811 to PF817 where an endpoint cannot be asked.
        """
        model = shipped or ShippedModel(option.spec, option.folder, parts.n_train)
        candidate, bench = option.candidate, workshop.bench
        recipe = workshop.recipes[option.recipe]
        asked = texts_to_ask(recipe, bench, parts.test_texts)
        if asked:
            allow(workshop.run, recipe, candidate, bench, 0.0, texts=asked)
        with booked(workshop.run, recipe, candidate, bench, asked) if asked else nullcontext():
            runtime = workshop.opened(candidate, model.spec, model.folder)
            logits = runtime.logits(parts.test_texts)
        return cls(logits, option.calibration.apply(logits), model.n_rows)

    @classmethod
    def together(cls, answered: Answered, models: Sequence[Tested]) -> Tested:
        """Of several models, each row as the one says that answers it."""
        rows = np.arange(len(answered.tiers))
        logits = np.stack([model.logits for model in models])[answered.tiers, rows]
        return cls(logits, answered.probabilities, min(model.n_rows for model in models))

    def reported(
        self,
        workshop: Workshop,
        option: Option | CascadeOption,
        *,
        truth: NDArray[np.int64],
        worlds: Worlds,
        segments: Segments | None = None,
        measured: Evidence | None = None,
    ) -> Reported:
        """What is told of the plan.

        Args:
            workshop: Made the options.
            option: The plan.
            truth: Classes of the test rows.
            worlds: Drawn over them.
            segments: Their segments; None where none is known.
            measured: Its latency and size; those on validation rows where not given.
        """
        probabilities, reckoning = self.probabilities, workshop.reckoning
        judge = Judge(workshop.terms.payoff, option.policy, truth, segments=segments)
        costs = reckoning.costs(option.hosting, option.training_s)
        known = measured or option.evidence
        evidence = Evidence.of(
            "test",
            self.logits,
            truth,
            probabilities=probabilities,
            calibration=known.calibration,
            latency=known.latency,
            footprint=known.footprint,
            training_s=option.training_s,
            machine=known.machine,
        )
        return Reported(
            option,
            probabilities,
            evidence,
            reckoning.forecast(
                option.name, judge.outcome(probabilities), worlds, costs, option.reference
            ),
            judge.decided(probabilities),
            self.n_rows,
            float(judge.worths(probabilities).mean()),
            judge.argmax_value(probabilities),
        )
