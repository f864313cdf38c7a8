from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from payoff.core.errors import DataError
from payoff.evidence.calibration import classwise_ece, cross_fitted
from payoff.evidence.calibration_choice import CalibrationReport, choose_calibration
from payoff.evidence.calibration_methods import CALIBRATIONS
from payoff.evidence.evidence import Evidence
from payoff.evidence.quality import measure_quality

Array = NDArray[np.float64]


def calibrated_but_for(sharpness: float, n: int, seed: int = 0) -> tuple[Array, NDArray[np.int64]]:
    """Logits of probabilities that are right but for one factor."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(3, 0.5), n)
    truth = (p.cumsum(axis=1) < rng.random(n)[:, None]).sum(axis=1).clip(max=2)
    return sharpness * np.log(p + 1e-9), truth


def bent(n: int, seed: int = 0) -> tuple[Array, NDArray[np.int64]]:
    """A score that has little to do with the frequency that belongs to it."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-3, 3, n)
    frequency = np.where(x > 1, 0.9, np.where(x > -1, 0.55, 0.05))
    return np.column_stack([np.zeros(n), x]), (rng.random(n) < frequency).astype(np.int64)


@pytest.mark.parametrize("seed", range(4))
def test_temperature_is_taken_where_it_is_all_that_is_needed(seed: int) -> None:
    z, y = calibrated_but_for(2.5, 600, seed)
    choice = choose_calibration(z, y)
    assert choice.calibration.method == choice.report.method == "temperature"
    assert choice.calibration.temperature == pytest.approx(2.5, rel=0.2)
    assert choice.report.why.startswith("temperature: ")
    assert "on 600 rows" in choice.report.why


def test_another_method_is_taken_where_it_clearly_helps() -> None:
    z, y = bent(3000)
    choice = choose_calibration(z, y)
    assert choice.calibration.method in ("isotonic", "venn-abers")
    assert "lower by" in choice.report.why
    new_z, new_y = bent(3000, seed=1)
    loss = measure_quality(choice.calibration.apply(new_z), new_y).log_loss
    plain = measure_quality(CALIBRATIONS["temperature"](z, y).apply(new_z), new_y).log_loss
    assert loss < plain - 0.01


def test_figures_restated() -> None:
    z, y = bent(500)
    choice = choose_calibration(z, y, folds=3, seed=5)
    by_method = {figures.method: figures for figures in choice.report.compared}
    assert list(by_method) == ["none", *CALIBRATIONS]
    for name, fit in CALIBRATIONS.items():
        p = cross_fitted(z, y, folds=3, seed=5, fit=fit)
        quality = measure_quality(p, y)
        assert by_method[name].log_loss == pytest.approx(quality.log_loss)
        assert by_method[name].brier == pytest.approx(quality.brier)
        assert by_method[name].classwise_ece == pytest.approx(classwise_ece(p, y))
        if name == choice.report.method:
            np.testing.assert_array_equal(choice.probabilities, p)
    plain = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    assert by_method["none"].log_loss == pytest.approx(measure_quality(plain, y).log_loss)


def test_few_rows_are_given_a_temperature_and_nothing_else() -> None:
    z, y = bent(199)
    choice = choose_calibration(z, y)
    assert choice.report.why == "temperature: 199 rows are too few to fit anything else"
    assert [figures.method for figures in choice.report.compared] == ["none", "temperature"]
    with pytest.raises(DataError, match="PF106"):
        choose_calibration(z[:1], y[:1])


def test_a_model_that_is_always_right_keeps_its_temperature() -> None:
    y = np.arange(300) % 3
    choice = choose_calibration(20.0 * np.eye(3)[y], y)
    assert choice.calibration.method == "temperature"


def test_evidence_keeps_what_was_compared() -> None:
    z, y = bent(400)
    choice = choose_calibration(z, y)
    evidence = Evidence.of(
        "validation", z, y, probabilities=choice.probabilities, calibration=choice.report
    )
    plain = evidence.as_dict()
    assert plain["calibration"]["method"] == choice.report.method
    assert plain["calibration"]["compared"][0]["method"] == "none"
    assert plain["classwise_ece_uncalibrated"] > 0
    assert Evidence.from_dict(plain) == evidence
    assert CalibrationReport.from_dict(choice.report.as_dict()) == choice.report
    old = {k: v for k, v in plain.items() if k not in ("calibration", "classwise_ece_uncalibrated")}
    assert Evidence.from_dict(old).calibration is None
