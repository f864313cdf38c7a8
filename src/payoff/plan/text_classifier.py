"""What every estimator over a desk has: predictions, decisions, and scikit-learn's manners."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from payoff.core.errors import ProjectError, did_you_mean
from payoff.core.extras import require
from payoff.economics.desk import Desk


class TextClassifier:
    """Classifies texts by a desk; those in other files say where it comes from."""

    _estimator_type = "classifier"
    _names: tuple[str, ...] = ()
    """Of the constructor's arguments."""

    @property
    def _desk(self) -> Desk:
        raise NotImplementedError

    def _labels(self) -> NDArray[Any]:
        return np.array(self._desk.labels)

    def predict(self, X: Iterable[str]) -> NDArray[Any]:  # noqa: N803
        """Most probable label of each text, ``(n_texts,)``."""
        labels: NDArray[Any] = self._labels()[self.predict_proba(X).argmax(axis=1)]
        return labels

    def predict_proba(self, X: Iterable[str]) -> NDArray[np.float64]:  # noqa: N803
        """Calibrated probabilities, ``(n_texts, n_labels)``."""
        return self._desk.probabilities(list(X))

    def decide(self, X: Iterable[str]) -> NDArray[Any]:  # noqa: N803
        """Action of each text, a label or ``"handoff"``, ``(n_texts,)``."""
        return np.array([decision.action for decision in self._desk.decide_many(list(X))])

    def score(self, X: Iterable[str], y: Iterable[Any]) -> float:  # noqa: N803
        """Share of right labels, as scikit-learn's classifiers give it."""
        return float((self.predict(X) == np.array([str(label) for label in y])).mean())

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The constructor's arguments, for scikit-learn's tools."""
        return {name: getattr(self, name) for name in self._names}

    def set_params(self, **params: Any) -> Self:
        """Change constructor's arguments, for scikit-learn's tools.

        Raises:
            ProjectError: PF202 for an argument that there is not.
        """
        known = self.get_params()
        for name in params:
            if name not in known:
                raise ProjectError(
                    "PF202",
                    "set_params",
                    f"'{name}' is unknown",
                    expected=f"one of {', '.join(known)}",
                    mend=did_you_mean(name, known),
                )
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def __sklearn_tags__(self) -> Any:
        tags = require("sklearn.utils", "tune", "scikit-learn's tools")
        return tags.Tags(
            estimator_type="classifier",
            target_tags=tags.TargetTags(required=True),
            classifier_tags=tags.ClassifierTags(),
            input_tags=tags.InputTags(one_d_array=True, two_d_array=False, string=True),
        )
