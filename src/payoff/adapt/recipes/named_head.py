"""A logistic regression on frozen vectors that learns the labels' names as examples too."""

from __future__ import annotations

from payoff.adapt.recipes.closed_form import ClosedForm
from payoff.adapt.recipes.frozen_head import fit_seconds as logistic_seconds
from payoff.adapt.recipes.linear import LinearHead
from payoff.adapt.recipes.named_fit import N_FITS, named_fit
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.recipes.zero_shot import label_seconds
from payoff.adapt.workbench import Workbench

_FEW = 50  # rows a class: beyond, a name is one example among many


class NamedHead(ClosedForm):
    """The vector of a label's name (`zero_shot.label_vectors`) is one more row of that label.

    With one row a label that is as good as a second one, and no label is without any. Where folds
    of the training rows say that the names mislead, as ``class_7`` may, they are left out.
    """

    name = "named-head"
    defaults = (("C", 10.0), ("names", 1.0))

    def candidates(self, bench: Workbench) -> list[Candidate]:
        """Where labels are few."""
        return self.standard(bench) if len(bench.train) <= _FEW * len(bench.labels) else []

    def fit(self, candidate: Candidate, bench: Workbench) -> LinearHead:
        """On frozen vectors."""
        strength, names = candidate["C"], candidate["names"]
        fit = named_fit(bench, candidate.backbone, strength=strength, names=names)
        vectors = bench.opened(candidate.backbone).trunk.pooled()[bench.train]
        return fit(vectors, bench.train_targets)

    def fit_seconds(self, candidate: Candidate, bench: Workbench) -> float:
        """Two regressions a fold, the last one, and the labels' vectors."""
        once = logistic_seconds(len(bench.train) + len(bench.labels), len(bench.labels))
        return (N_FITS + 1) * once + label_seconds(bench, candidate.backbone)
