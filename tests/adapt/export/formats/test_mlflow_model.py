"""The folder is loaded by MLflow itself, and decides as the artifact does."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.adapt.export.formats.conftest import LABELS, Compared

import payoff
from payoff.adapt.export.formats.mlflow_model import MlflowModel
from payoff.artifact.artifact import Artifact
from payoff.artifact.target import Written
from payoff.artifact.write import write_artifact
from payoff.core.errors import ArtifactError

# MLflow remarks on type hints, its own among them, and compares columns with a range.
pytestmark = [
    pytest.mark.filterwarnings("ignore:(?s).*type hint:UserWarning"),
    pytest.mark.filterwarnings("ignore:Operation with range is deprecated:DeprecationWarning"),
]

FROZEN = Path(__file__).parents[3] / "artifact" / "frozen" / "format-1.zip"


def exported(artifact: Path, out: Path) -> Written:
    with Artifact.open(artifact) as opened:
        return MlflowModel().write(opened, out, options={})


def loaded(folder: Path) -> object:
    import mlflow

    return mlflow.pyfunc.load_model(str(folder))


def test_it_decides_as_the_artifact_does(
    make_artifact: Callable[..., Path],
    texts: list[str],
    compare: Callable[..., Compared],
    tmp_path: Path,
) -> None:
    artifact = make_artifact(calibration="isotonic", max_pieces=3)
    written = exported(artifact, tmp_path / "out")
    table = loaded(written.path).predict(pd.DataFrame({"text": texts}))  # type: ignore[attr-defined]
    found = compare(artifact, texts, table[[f"p({label})" for label in LABELS]].to_numpy())
    assert found.difference < 1e-6
    assert found.flipped == 0
    with payoff.load(artifact, threads=1) as desk:
        decisions = desk.decide_many(texts)
    assert table["action"].tolist() == [one.action for one in decisions]
    assert table["label"].tolist() == [one.label for one in decisions]
    np.testing.assert_allclose(table["worth"], [float(one.worth.amount) for one in decisions])


def test_the_folder_says_what_goes_in_and_needs_no_pickle_and_no_torch(tmp_path: Path) -> None:
    written = exported(FROZEN, tmp_path / "out")
    files = {path.name for path in written.path.rglob("*") if path.is_file()}
    assert not {name for name in files if name.endswith((".pkl", ".pickle"))}
    needed = (written.path / "requirements.txt").read_text("utf-8").splitlines()
    names = {line.split("==")[0] for line in needed}
    assert names == {"mlflow", "payoff", "pandas"}
    model = loaded(written.path)
    assert model.metadata.get_input_schema().input_names() == ["text"]  # type: ignore[attr-defined]
    example = model.input_example  # type: ignore[attr-defined]
    assert len(model.predict(example)) == 1  # type: ignore[attr-defined]
    with pytest.raises(Exception, match="text"):
        model.predict(pd.DataFrame({"message": ["hi"]}))  # type: ignore[attr-defined]
    code = (
        "import mlflow, pandas, sys\n"
        f"model = mlflow.pyfunc.load_model({str(written.path)!r})\n"
        "print(model.predict(pandas.DataFrame({'text': ['someone took my card']})).label[0])\n"
        "print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "card\n[]\n"


def test_without_a_policy_there_is_nothing_to_decide_by(
    bert_artifact: Path, tmp_path: Path
) -> None:
    with Artifact.open(bert_artifact) as opened:
        for member in ("model.onnx", "tokenizer.json"):
            (tmp_path / member).write_bytes(opened.read(member))
        bare = write_artifact(
            tmp_path / "bare.payoff",
            name="bare",
            labels=opened.labels,
            tiers=[(opened.tiers[0], tmp_path)],
            calibrations=opened.calibrations,
            documents={},
            seed=0,
            data_fingerprint="",
        )
    with pytest.raises(ArtifactError, match=r"PF506 .*policy"):
        exported(bare, tmp_path / "out")
    assert not (tmp_path / "out").exists()
