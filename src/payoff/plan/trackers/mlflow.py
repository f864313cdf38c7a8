"""MLflow: an entry a training in a tracking server or, by default, in a file beside the runs."""

from __future__ import annotations

import logging
import os
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from payoff.core.extras import require

_EXPERIMENT = "payoff"
_HELD = 100  # figures told at once: one at a time takes longer than a step of training
_LONGEST = 6000  # characters of a parameter that MLflow takes
_OWN_WARNING = "The ``noload`` loader strategy is deprecated"  # of MLflow's tables, not of ours
_STATUS = {"finished": "FINISHED", "stopped": "KILLED", "killed": "KILLED"}


class MlflowTracker:
    """One training as a run of the experiment ``payoff``.

    It goes to the server that ``MLFLOW_TRACKING_URI`` names; else to ``mlflow.db``, an SQLite file
    in the folder of runs: ``mlflow ui --backend-store-uri sqlite:///runs/mlflow.db`` shows it.
    ``MLFLOW_EXPERIMENT_NAME`` names another experiment.

    Args:
        folder: The folder of runs.

    Raises:
        MachineError: PF803 where the extra ``mlflow`` is not installed.
    """

    def __init__(self, folder: Path) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # else it tells its makers
        self._mlflow = require("mlflow", "mlflow", "tracking by MLflow")
        self._folder = folder
        self._held: list[Any] = []
        self._client: Any = None
        self._run = ""

    def start(self, name: str, params: Mapping[str, Any]) -> None:
        """Make the experiment where it is missing, and a run in it."""
        entities = self._mlflow.entities
        place = os.environ.get("MLFLOW_TRACKING_URI")
        files = None
        if not place:
            self._folder.mkdir(parents=True, exist_ok=True)
            place = f"sqlite:///{(self._folder / 'mlflow.db').resolve().as_posix()}"
            files = (self._folder / "mlflow-files").resolve().as_uri()
        title = os.environ.get("MLFLOW_EXPERIMENT_NAME") or _EXPERIMENT
        logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)  # of tables it made
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=_OWN_WARNING, category=DeprecationWarning)
            self._client = self._mlflow.MlflowClient(tracking_uri=place, registry_uri=place)
            experiment = self._client.get_experiment_by_name(title)
        number = (
            experiment.experiment_id
            if experiment
            else self._client.create_experiment(title, artifact_location=files)
        )
        self._run = self._client.create_run(number, run_name=name).info.run_id
        told = [entities.Param(key, str(value)[:_LONGEST]) for key, value in params.items()]
        self._client.log_batch(self._run, params=told)

    def metric(self, name: str, value: float, step: int) -> None:
        """Hold it, and tell a hundred at once."""
        now_ms = int(time.time() * 1000)
        self._held.append(self._mlflow.entities.Metric(name, value, now_ms, step))
        if len(self._held) >= _HELD or not name.startswith("training/"):
            self._tell()

    def artifact(self, path: Path) -> None:
        """Copy a file to the run's artifacts."""
        self._client.log_artifact(self._run, str(path))

    def end(self, status: str) -> None:
        """Finish the run."""
        self._tell()
        self._client.set_terminated(self._run, status=_STATUS.get(status, "FAILED"))

    def _tell(self) -> None:
        held, self._held = self._held, []
        if held:
            self._client.log_batch(self._run, metrics=held)
