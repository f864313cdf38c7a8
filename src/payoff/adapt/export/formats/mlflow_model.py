"""Target ``mlflow``: a pyfunc model that keeps the artifact whole."""

from __future__ import annotations

import logging
import os
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from payoff import __version__
from payoff.adapt.export.exported_model import cannot
from payoff.adapt.export.shipped_files import ship
from payoff.artifact.artifact import Artifact
from payoff.artifact.target import Written
from payoff.core.extras import require
from payoff.core.files import whole_folder

_EXAMPLE = "where is my order?"
_PAIR = "it was sent on Monday"
_TYPE_HINTS = "(?s).*type hint"
_RANGES = "Operation with range is deprecated"  # in pandas 3; MLflow compares columns with one


class MlflowModel:
    """Policy, cascade and calibration go with it: what it answers is what the service answers."""

    name = "mlflow"
    title = "MLflow model (pyfunc) with the artifact inside"
    options: Mapping[str, str] = {}

    def write(self, artifact: Artifact, out: Path, *, options: Mapping[str, str]) -> Written:
        """Write the folder; its code is a file, not a pickle.

        Args:
            artifact: Opened.
            out: Folder to make.
            options: None.

        Raises:
            ArtifactError: PF506 where it has no policy to decide by.
            MachineError: PF801 or PF802 where it cannot be written; PF803 without MLflow or
                pandas.
        """
        if "policy.json" not in artifact.documents:
            raise cannot(
                artifact, self.name, "it has no policy.json", mend="Make it by payoff run."
            )
        pandas = require("pandas", "mlflow", "tables of MLflow models")
        row = {"text": [_EXAMPLE]}
        if all(tier.settings.get("separator") for tier in artifact.tiers):
            row["pair"] = [_PAIR]
        with whole_folder(out) as draft, tempfile.TemporaryDirectory(prefix="payoff-") as place:
            ship("mlflow_model.py.txt", Path(place), to="payoff_model.py")
            with _quiet_mlflow() as mlflow:
                mlflow.pyfunc.save_model(
                    path=str(draft),
                    python_model=str(Path(place) / "payoff_model.py"),
                    artifacts={"artifact": str(artifact.path.resolve())},
                    signature=_signature(mlflow, artifact, list(row)),
                    input_example=pandas.DataFrame(row),
                    pip_requirements=[f"payoff=={__version__}", "pandas"],
                )
        use = f"import mlflow; mlflow.pyfunc.load_model('{out}')"
        note = "Its requirements are payoff without extras, and pandas: no torch."
        return Written(out, (note,), f'python -c "{use}"')


def _signature(mlflow: Any, artifact: Artifact, columns: list[str]) -> Any:
    """What goes in and what comes out, by column."""
    types = mlflow.types
    numbers = ["probability", "worth", *(f"p({label})" for label in artifact.labels)]
    return mlflow.models.ModelSignature(
        inputs=types.Schema([types.ColSpec("string", name) for name in columns]),
        outputs=types.Schema(
            [types.ColSpec("string", name) for name in ("action", "label")]
            + [types.ColSpec("double", name) for name in numbers]
        ),
    )


@contextmanager
def _quiet_mlflow() -> Iterator[Any]:
    """MLflow without its remarks on type hints, its own among them, nor its telemetry."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # else it tells its makers
    logger = logging.getLogger("mlflow")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=_TYPE_HINTS, category=UserWarning)
            warnings.filterwarnings("ignore", message=_RANGES, category=DeprecationWarning)
            mlflow = require("mlflow", "mlflow", "writing a model for MLflow")
            require("mlflow.pyfunc", "mlflow", "writing a model for MLflow")
            yield mlflow
    finally:
        logger.setLevel(level)
