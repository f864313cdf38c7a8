"""A scikit-learn estimator around the search."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from payoff.core.errors import DataError
from payoff.economics.desk import Desk
from payoff.economics.payoff import Payoff
from payoff.economics.traffic import Traffic
from payoff.plan.text_classifier import TextClassifier


class PayoffClassifier(TextClassifier):
    """Classify texts with the plan that earns most.

    `predict` gives the most probable label of each text, as every scikit-learn classifier does;
    `decide` gives the action, which may be handing over to a person. Works in pipelines, grid
    searches and cross-validation.

    Args:
        worth: What right, wrong and handed-over requests are worth.
        per_month: Requests a month.
        minutes: Time budget of `fit`.
        seed: Seed of everything random.
        recipes: Recipes to try; all where empty.
        backbones: Backbones to try; chosen by the script of the texts where empty.

    Attributes:
        classes_: Labels, sorted, ``(n_labels,)``.
        plan_: The plan that `fit` found.

    Example:
        >>> worth = Payoff(correct=3, wrong=-6, handoff=-2, currency="USD")
        >>> model = PayoffClassifier(worth, per_month=1000, minutes=1)
        >>> model.fit(texts, labels).predict(["where is it?"])  # doctest: +SKIP
        array(['places'], dtype='<U13')
    """

    _names = ("worth", "per_month", "minutes", "seed", "recipes", "backbones")

    def __init__(
        self,
        worth: Payoff,
        per_month: float,
        *,
        minutes: float = 10.0,
        seed: int = 0,
        recipes: Sequence[str] = (),
        backbones: Sequence[str] = (),
    ) -> None:
        self.worth = worth
        self.per_month = per_month
        self.minutes = minutes
        self.seed = seed
        self.recipes = recipes
        self.backbones = backbones

    def fit(self, X: Iterable[str], y: Iterable[Any]) -> PayoffClassifier:  # noqa: N803
        """Search for the plan.

        Args:
            X: Texts, ``(n_texts,)``.
            y: Their labels, ``(n_texts,)``.

        Raises:
            DataError: PF112 where the two are not of one length; PF104 or PF106 where the rows
                cannot be learnt from.
        """
        import polars as pl

        from payoff.data.dataset import Dataset
        from payoff.plan.search import search

        texts, labels = list(X), [str(label) for label in y]
        if len(texts) != len(labels):
            raise DataError("PF112", "fit(X, y)", f"{len(texts)} texts and {len(labels)} labels")
        table = pl.DataFrame({"text": texts, "label": labels})
        folder = tempfile.mkdtemp(prefix="payoff-")  # as long as this estimator is used
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self.plan_ = search(
            Dataset.from_frame(table, text="text", label="label"),
            self.worth,
            traffic=Traffic(self.per_month),
            minutes=self.minutes,
            seed=self.seed,
            only=self.recipes,
            backbones=self.backbones,
            runs=Path(folder),
        )
        self.classes_ = np.array(self._desk.labels)
        self.n_features_in_ = 1
        return self

    @property
    def _desk(self) -> Desk:
        return self.plan_.desk
