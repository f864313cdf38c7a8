"""Label errors: planted ones are found; what could not be checked is said."""

from __future__ import annotations

import importlib
import random
from dataclasses import replace
from typing import Any

import pytest

from payoff.core.findings import Status
from payoff.data.checks import label_errors
from payoff.data.checks.subject import Subject

TOPICS = {
    "card": "card lost stolen block pin plastic chip contactless",
    "loan": "loan interest rate mortgage borrow repay instalment credit",
    "travel": "flight hotel luggage passport visa airport booking trip",
}


def subject(n: int = 150, wrong: tuple[int, ...] = ()) -> Subject:
    rng = random.Random(0)
    names = [list(TOPICS)[i % 3] for i in range(n)]
    texts = [" ".join(rng.choices(TOPICS[name].split(), k=6)) for name in names]
    for i in wrong:
        names[i] = "loan" if names[i] != "loan" else "card"
    return replace(Subject.of(texts, names), label_noise=True)


def test_planted_errors_are_found_with_a_guess() -> None:
    finding = label_errors.label_errors(subject(wrong=(3, 50, 100)))
    assert finding.failed
    guesses = {row["row"]: row["guess"] for row in finding.rows}
    assert finding.n_affected == len(guesses) >= 2
    assert guesses.items() <= {4: "card", 51: "travel", 101: "loan"}.items()


def test_clean_labels_pass() -> None:
    assert label_errors.label_errors(subject()).status is Status.PASSED


def test_a_sample_and_small_classes_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_errors, "MAX_ROWS", 100)
    base = subject(wrong=tuple(range(0, 150, 15)))
    texts = [*base.dataset.texts, "rare words here", " "]
    odd = replace(Subject.of(texts, [*base.dataset.targets, "rare", "rare"]), label_noise=True)
    finding = label_errors.label_errors(odd)
    assert "a sample of 100 of 151 rows was checked" in finding.detail
    monkeypatch.setattr(label_errors, "MAX_ROWS", 1000)
    assert "1 classes of fewer than 3 rows were not" in label_errors.label_errors(odd).detail


def test_too_few_classes_is_not_applicable() -> None:
    few = replace(Subject.of(["a", "b", "c", "d"], ["x", "x", "x", "y"]), label_noise=True)
    assert label_errors.label_errors(few).status is Status.NOT_APPLICABLE


@pytest.mark.parametrize("missing", ["sklearn", "cleanlab"])
def test_without_its_libraries_it_is_not_checked(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    real = importlib.import_module

    def without(name: str, package: str | None = None) -> Any:
        if name.split(".")[0] == missing:
            raise ModuleNotFoundError(name=missing)
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", without)
    finding = label_errors.label_errors(subject())
    assert finding.status is Status.NOT_CHECKED
    assert "pip install 'payoff[tune]'" in finding.mend
