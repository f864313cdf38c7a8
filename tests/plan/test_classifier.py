from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from tests.plan.conftest import LABELS, dataset_of

from payoff.core.errors import DataError, ProjectError
from payoff.data.dataset import Dataset
from payoff.economics.payoff import Payoff
from payoff.plan.classifier import PayoffClassifier


@pytest.fixture(scope="module")
def model(worth: Payoff) -> PayoffClassifier:
    return PayoffClassifier(worth, 1000, minutes=1, recipes=("bag-of-words",))


@pytest.fixture(scope="module")
def fitted(model: PayoffClassifier, requests: Dataset) -> PayoffClassifier:
    again = clone(model)
    assert again.fit(requests.texts, requests.targets) is again
    return again


def test_it_predicts_labels_probabilities_and_actions(fitted: PayoffClassifier) -> None:
    new = dataset_of([10, 10, 10, 10], seed=3, noise=0.0)
    assert tuple(fitted.classes_) == LABELS
    probabilities = fitted.predict_proba(np.array(new.texts))
    assert probabilities.shape == (40, 4)
    np.testing.assert_allclose(probabilities.sum(1), 1)
    predicted = fitted.predict(new.texts)
    assert np.array_equal(predicted, fitted.classes_[probabilities.argmax(1)])
    share = (predicted == np.array(new.targets)).mean()
    assert fitted.score(new.texts, new.targets) == pytest.approx(share)
    assert share > 0.8
    actions = fitted.decide(new.texts)
    # 3p − 6(1 − p) against −2: acts from p = 4/9 on.
    sure = probabilities.max(1) > 4 / 9
    assert np.array_equal(actions[sure], predicted[sure])
    assert set(actions[~sure]) <= {"handoff"}


def test_scikit_learn_takes_it_for_a_classifier(model: PayoffClassifier, worth: Payoff) -> None:
    assert is_classifier(model)
    copied = clone(model)
    assert copied is not model
    assert copied.get_params() == model.get_params()
    assert set(model.get_params()) == {
        *("worth", "per_month", "minutes", "seed", "recipes", "backbones")
    }
    assert copied.set_params(seed=3).seed == 3
    assert model.seed == 0
    with pytest.raises(ProjectError, match="PF202") as told:
        copied.set_params(minutes=2, sede=3)
    assert told.value.mend == "Did you mean 'seed'?"
    assert copied.minutes == 1, "all or nothing"


def test_it_is_cross_validated_in_a_pipeline(model: PayoffClassifier, requests: Dataset) -> None:
    pipeline = make_pipeline(FunctionTransformer(), model)
    texts = np.array(requests.texts, dtype=object)
    scores = cross_val_score(pipeline, texts, np.array(requests.targets), cv=2)
    assert scores.shape == (2,)
    assert scores.min() > 0.6


def test_lengths_that_differ_are_told(model: PayoffClassifier) -> None:
    with pytest.raises(DataError, match="PF112"):
        clone(model).fit(["a", "b"], ["x"])


def test_its_files_go_with_it(worth: Payoff, requests: Dataset) -> None:
    model = PayoffClassifier(worth, 1000, minutes=1, recipes=("bag-of-words",))
    model.fit(requests.texts, requests.targets)
    folder = Path(model.plan_.folder)
    assert folder.exists()
    del model
    gc.collect()
    assert not folder.exists()
