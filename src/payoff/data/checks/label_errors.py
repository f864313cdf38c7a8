"""Likely label errors, by confident learning with a cheap model (Northcutt et al. 2021)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from payoff.core.errors import MachineError
from payoff.core.extras import require
from payoff.core.findings import Finding, Status
from payoff.data.checks.subject import N_SHOWN, Subject, counted, not_applicable, passed

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_ROWS = 50_000
"""Rows above which a sample is checked."""
N_FOLDS = 3
_SEED = 0


def label_errors(subject: Subject) -> Finding:
    """Rows whose label a cheap model, trained on other rows, finds unlikely (PF162).

    Example:
        >>> label_errors(Subject.of(["a", "b"], ["x", "y"])).status.value
        'not checked'
    """
    code, title = "PF162", "No label looks like an error"
    dataset = subject.dataset
    if dataset.label is None:
        return not_applicable(code, title, "the rows have no labels")
    if not subject.label_noise:
        return Finding(
            code,
            title,
            Status.NOT_CHECKED,
            "it was not asked for, since it trains a model",
            "Ask for it: payoff inspect --label-noise.",
        )
    chosen, labels, left_out = _usable(subject)
    if len(labels) < 2:
        return not_applicable(code, title, f"fewer than two classes have {N_FOLDS} rows")
    try:
        suspects, guesses = _suspects(
            [dataset.texts[i] for i in chosen],
            np.searchsorted(labels, [dataset.targets[i] for i in chosen]),
        )
    except MachineError as error:
        return Finding(code, title, Status.NOT_CHECKED, error.found, error.mend)
    if not len(suspects):
        return passed(code, title, left_out)
    rows = [
        subject.show([int(chosen[i])], guess=labels[int(guesses[i])])[0] for i in suspects[:N_SHOWN]
    ]
    return Finding(
        code,
        title,
        Status.FAILED,
        f"{counted(len(suspects), 'label')} of {len(chosen):,} look wrong to a model that did not"
        f" see them{left_out}",
        "Look at the rows, the likeliest errors first, and correct what is wrong.",
        tuple(rows),
        len(suspects),
    )


def _usable(subject: Subject) -> tuple[NDArray[np.int64], list[str], str]:
    """Positions of rows to check, the sorted labels among them, and what was left out."""
    dataset = subject.dataset
    targets = np.array(dataset.targets, dtype=object)
    chosen = np.array([i for i, text in enumerate(dataset.texts) if text.strip()], dtype=np.int64)
    said = ""
    if len(chosen) > MAX_ROWS:
        said = f"; a sample of {MAX_ROWS:,} of {len(chosen):,} rows was checked"
        rng = np.random.default_rng(_SEED)
        chosen = np.sort(rng.choice(chosen, MAX_ROWS, replace=False))
    names, sizes = np.unique(targets[chosen].astype(str), return_counts=True)
    labels = [str(name) for name, size in zip(names, sizes, strict=True) if size >= N_FOLDS]
    if len(labels) < len(names):
        said += f"; {len(names) - len(labels)} classes of fewer than {N_FOLDS} rows were not"
    kept = set(labels)
    return np.array([i for i in chosen if targets[i] in kept], dtype=np.int64), labels, said


def _suspects(texts: list[str], truth: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Positions of likely errors, the likeliest first, and the model's guess for every row."""
    purpose = "finding label errors"
    linear = require("sklearn.linear_model", "tune", purpose)
    features = require("sklearn.feature_extraction.text", "tune", purpose)
    selection = require("sklearn.model_selection", "tune", purpose)
    pipeline = require("sklearn.pipeline", "tune", purpose)
    cleanlab = require("cleanlab.filter", "tune", purpose)
    model = pipeline.make_pipeline(
        features.TfidfVectorizer(
            analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True, max_features=50_000
        ),
        linear.LogisticRegression(C=10.0, max_iter=200),
    )
    folds = selection.StratifiedKFold(N_FOLDS, shuffle=True, random_state=_SEED)
    probabilities = selection.cross_val_predict(
        model, texts, truth, cv=folds, method="predict_proba"
    )
    suspects = cleanlab.find_label_issues(
        truth, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1
    )
    return np.asarray(suspects), np.asarray(probabilities.argmax(axis=1))
