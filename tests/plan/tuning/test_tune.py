"""One recipe, trained and measured, killed and gone on with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from payoff.adapt.recipes import recipe_named
from payoff.adapt.recipes.tuned import TuneAttempt
from payoff.artifact.runtime import open_tier
from payoff.core.errors import AdaptError
from payoff.core.progress import Silent
from payoff.data.dataset import Dataset
from payoff.plan.tuning.tune import Trial, tune


def trial(requests: Dataset, recipe: str, runs: Path, **options: object) -> Trial:
    return tune(requests, recipe, runs=runs, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("recipe", ["bag-of-words", "frozen-head", "fine-tune"])
def test_what_is_measured_is_what_is_served(
    requests: Dataset, recipe: str, tmp_path: Path, backbones: tuple[str, str]
) -> None:
    done = trial(requests, recipe, tmp_path, backbone=backbones[0], report=True)
    assert done.candidate.recipe == recipe
    assert (done.evidence.split, done.evidence.quality.accuracy > 0.6) == ("validation", True)
    assert done.report is not None
    assert done.report.split == "test"
    assert done.report.quality.n + done.evidence.quality.n + done.n_train <= len(requests)
    runtime = open_tier(done.spec, lambda name: (done.folder / name).read_bytes())
    assert runtime.logits(["my card is lost"]).shape == (1, 4)
    assert (done.trained_share is None) is (recipe != "fine-tune")
    assert done.as_dict()["settings"] == dict(done.candidate.settings)


def test_test_rows_are_not_looked_at_unasked(requests: Dataset, tmp_path: Path) -> None:
    assert trial(requests, "bag-of-words", tmp_path).report is None


def test_settings_change_what_is_trained(
    requests: Dataset, tmp_path: Path, backbones: tuple[str, str]
) -> None:
    options = {"backbone": backbones[0], "settings": {"depth": "1", "epochs": "1"}}
    done = trial(requests, "fine-tune", tmp_path, **options)
    assert dict(done.candidate.settings) == {"depth": 1, "epochs": 1.0, "tuned": 0.75}


@pytest.mark.parametrize(
    ("recipe", "settings", "code"),
    [
        ("fine-tuen", {}, "PF401"),
        ("fine-tune", {"dept": 1}, "PF406"),
        ("fine-tune", {"depth": "deep"}, "PF406"),
        ("fine-tune", {"epochs": "nan"}, "PF406"),
        ("static-head", {}, "PF405"),
        ("prompted", {}, "PF405"),
    ],
)
def test_what_cannot_be_tuned_is_told(
    requests: Dataset,
    recipe: str,
    settings: dict[str, object],
    code: str,
    *,
    tmp_path: Path,
    backbones: tuple[str, str],
) -> None:
    with pytest.raises(AdaptError) as told:
        trial(requests, recipe, tmp_path, backbone=backbones[0], settings=settings)
    assert told.value.code == code
    assert recipe != "prompted" or "smollm2-135m" in str(told.value)


def test_a_killed_training_goes_on(
    requests: Dataset, tmp_path: Path, backbones: tuple[str, str]
) -> None:
    class Kills(Silent):
        def step(self, what: str, done: float, total: float) -> None:
            if what == "fine-tuning" and done / total > 0.5:
                raise KeyboardInterrupt

    backbone = backbones[0]
    with pytest.raises(KeyboardInterrupt):
        trial(requests, "fine-tune", tmp_path / "one", backbone=backbone, progress=Kills())
    begun: list[float] = []

    class Notes(Silent):
        def step(self, what: str, done: float, total: float) -> None:
            if what == "fine-tuning":
                begun.append(done / total)

    after = trial(requests, "fine-tune", tmp_path / "one", backbone=backbone, progress=Notes())
    assert min(begun) > recipe_named("fine-tune").rungs[0]
    whole = trial(requests, "fine-tune", tmp_path / "two", backbone=backbone)
    texts = ["my card is lost", "where is my money"]
    logits = [
        open_tier(t.spec, lambda name, t=t: (t.folder / name).read_bytes()).logits(texts)
        for t in (after, whole)
    ]
    np.testing.assert_array_equal(*logits)


def test_scores_that_are_no_numbers_end_it_and_what_was_good_before_is_kept(
    requests: Dataset, tmp_path: Path, backbones: tuple[str, str]
) -> None:
    logits = TuneAttempt.logits

    def broken_at_the_end(attempt: TuneAttempt, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        found = logits(attempt, rows)
        done = attempt.training.step == attempt.training.n_steps
        return np.full_like(found, np.nan) if done else found

    options = {"backbone": backbones[0], "settings": {"epochs": "2"}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TuneAttempt, "logits", broken_at_the_end)
        with pytest.raises(AdaptError, match=r"PF402 fine-tune .*: its scores are not finite"):
            trial(requests, "fine-tune", tmp_path, **options)
    steps: list[float] = []

    class Notes(Silent):
        def step(self, what: str, done: float, total: float) -> None:
            if what == "fine-tuning":
                steps.append(done / total)

    done = trial(requests, "fine-tune", tmp_path, progress=Notes(), **options)
    assert min(steps) > recipe_named("fine-tune").rungs[0], "the first rung was good and is kept"
    assert np.isfinite(done.evidence.quality.log_loss)
