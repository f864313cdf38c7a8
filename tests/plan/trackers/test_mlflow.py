"""MLflow, offline: what was told is read back from its own file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.plan.trackers.training import EVIDENCE, PARAMS, STEPS, two_trainings

from payoff.plan.trackers import tracker_named

mlflow = pytest.importorskip("mlflow", reason="the extra 'mlflow' is not installed")


def test_what_was_told_is_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "desk")
    two_trainings(tracker_named("mlflow"), tmp_path)
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("desk")
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    one, two = runs["fine-tune one depth=1"], runs["fine-tune two depth=1"]
    assert len(runs) == 2
    assert one.data.params == {name: str(value) for name, value in PARAMS.items()}
    assert (one.info.status, two.info.status) == ("FINISHED", "FAILED")
    for run, first in ((one, 1.0), (two, 2.0)):
        loss = client.get_metric_history(run.info.run_id, "training/loss")
        assert {m.step: m.value for m in loss} == {s: first / s for s in range(1, STEPS + 1)}
    judged = client.get_metric_history(one.info.run_id, "validation/accuracy")
    assert [(m.step, m.value) for m in judged] == [(34, 0.8), (100, 0.9)]
    kept = list((tmp_path / "mlflow-files").rglob("evidence.json"))
    assert len(kept) == 1
    assert one.info.run_id in kept[0].parts
    assert json.loads(kept[0].read_text("utf-8")) == EVIDENCE
