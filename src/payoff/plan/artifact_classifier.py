"""A scikit-learn estimator around a model that is there already."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from payoff.economics.desk import Desk, load
from payoff.plan.text_classifier import TextClassifier


class ArtifactClassifier(TextClassifier):
    """Classify texts with an artifact, as a scikit-learn estimator: no torch, no pickle.

    It is fitted from the start; `fit` changes nothing, so that pipelines and cross-validation
    take it as it is. Copies and other processes get its path and open the artifact themselves.

    Args:
        artifact: A ``NAME.payoff``, a file or a folder.
        threads: Threads the model may use; 0 takes the physical cores this process may use.

    Example:
        >>> model = ArtifactClassifier("support.payoff")
        >>> model.predict(["where is my card?"])  # doctest: +SKIP
        array(['card_arrival'], dtype='<U13')
    """

    _names = ("artifact", "threads")

    def __init__(self, artifact: str | Path, *, threads: int = 0) -> None:
        self.artifact = artifact
        self.threads = threads

    def fit(self, X: Iterable[str], y: Iterable[Any] | None = None) -> ArtifactClassifier:  # noqa: N803
        """Nothing: the model stays as it is."""
        return self

    @property
    def classes_(self) -> NDArray[Any]:
        """Labels, sorted, ``(n_labels,)``.

        Raises:
            ArtifactError: As `payoff.load` does.
        """
        return self._labels()

    @property
    def _desk(self) -> Desk:
        key = (str(self.artifact), self.threads)
        if self.__dict__.get("_opened", ((), None))[0] != key:
            self._opened = (key, load(self.artifact, threads=self.threads))
        desk: Desk = self._opened[1]
        return desk

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __getstate__(self) -> dict[str, Any]:
        return self.get_params()

    def __repr__(self) -> str:
        return f"ArtifactClassifier({str(self.artifact)!r})"
