"""Several adaptations of one classifier."""

from __future__ import annotations

from payoff.adapt.engine.adaptations.adaptation import Adaptation
from payoff.adapt.engine.classifier import Classifier


class OneAfterTheOther(Adaptation):
    """Several adaptations of one classifier, in their order.

    Args:
        adaptations: What is done.
    """

    def __init__(self, *adaptations: Adaptation) -> None:
        self.adaptations = adaptations

    def attach(self, classifier: Classifier) -> None:
        """Attach each."""
        for one in self.adaptations:
            one.attach(classifier)

    def merge(self, classifier: Classifier) -> None:
        """Merge each, the last first."""
        for one in reversed(self.adaptations):
            one.merge(classifier)
