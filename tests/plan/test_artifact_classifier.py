"""An artifact where scikit-learn expects an estimator."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.metrics import get_scorer
from sklearn.model_selection import cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.validation import check_is_fitted

import payoff
from payoff.core.errors import ArtifactError, ProjectError
from payoff.plan.artifact_classifier import ArtifactClassifier

FROZEN = Path(__file__).parents[1] / "artifact" / "frozen" / "format-1.zip"
TEXTS = np.array(["someone took my card", "give my money back", "the bill is wrong"] * 4, object)


@pytest.fixture
def model() -> ArtifactClassifier:
    return payoff.ArtifactClassifier(FROZEN, threads=1)


def test_it_answers_as_the_desk_does(model: ArtifactClassifier) -> None:
    with payoff.load(FROZEN, threads=1) as desk:
        expected = desk.probabilities(list(TEXTS))
        assert tuple(model.classes_) == desk.labels
        assert list(model.decide(TEXTS)) == [one.action for one in desk.decide_many(list(TEXTS))]
    np.testing.assert_array_equal(model.predict_proba(TEXTS), expected)
    assert list(model.predict(TEXTS)) == [model.classes_[i] for i in expected.argmax(1)]
    truth = model.predict(TEXTS).copy()
    truth[:3] = "another"
    assert model.score(TEXTS, truth) == pytest.approx(9 / 12)


def test_it_is_fitted_cloned_and_changed(model: ArtifactClassifier) -> None:
    check_is_fitted(model)
    assert is_classifier(model)
    assert model.fit(TEXTS, TEXTS) is model
    copied = clone(model)
    assert copied is not model
    assert copied.get_params() == {"artifact": FROZEN, "threads": 1}
    np.testing.assert_array_equal(copied.predict(TEXTS), model.predict(TEXTS))
    copied.set_params(artifact="nowhere.payoff")
    with pytest.raises(ArtifactError, match="PF501"):
        copied.predict(TEXTS)
    with pytest.raises(ProjectError, match="PF202"):
        copied.set_params(artefact="x")
    other = copy.deepcopy(model)
    assert "_opened" not in vars(other)  # what is copied is the path, not the model
    np.testing.assert_array_equal(other.predict(TEXTS), model.predict(TEXTS))


def test_in_a_pipeline_and_cross_validated(model: ArtifactClassifier) -> None:
    truth = model.predict(TEXTS)
    pipeline = make_pipeline(FunctionTransformer(), model)
    np.testing.assert_array_equal(pipeline.predict_proba(TEXTS), model.predict_proba(TEXTS))
    assert cross_val_score(pipeline, TEXTS, truth, cv=3).tolist() == [1.0, 1.0, 1.0]
    np.testing.assert_array_equal(cross_val_predict(model, TEXTS, truth, cv=2), truth)
    told = np.array(list(model.classes_) * 4)
    columns = np.arange(12) % 3
    expected = -np.log(model.predict_proba(TEXTS)[np.arange(12), columns]).mean()
    assert -get_scorer("neg_log_loss")(model, TEXTS, told) == pytest.approx(expected, rel=1e-6)


def test_it_needs_no_torch_and_no_scikit_learn() -> None:
    code = (
        "import payoff, sys\n"
        f"print(payoff.ArtifactClassifier({str(FROZEN)!r}).predict(['someone took my card'])[0])\n"
        "print(sorted({'torch', 'sklearn', 'transformers'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "card\n[]\n"
