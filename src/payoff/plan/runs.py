"""The folder of one run: every result as it comes, so that a killed run goes on where it stopped.

A run is known by the fingerprint of all that determines it (data, terms, seed, budget, versions).
The same command finds the same folder again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.core.files import to_json, whole_folder, write_json


@dataclass(frozen=True, slots=True)
class Run:
    """One run's folder.

    Args:
        folder: ``runs/NAME-FINGERPRINT``.
        resumed: Whether it held results already.
    """

    folder: Path
    resumed: bool

    @classmethod
    def open(cls, root: Path, name: str, inputs: Mapping[str, Any]) -> Run:
        """Find the run of these inputs, or begin it.

        Args:
            root: The folder ``runs``.
            name: The project's name.
            inputs: All that determines the result, as plain values.

        Raises:
            MachineError: PF801 or PF802 where the folder cannot be written.
        """
        text = to_json(dict(inputs))
        fingerprint = hashlib.sha256(text.encode()).hexdigest()[:10]
        folder = root / f"{name}-{fingerprint}"
        resumed = (folder / "inputs.json").exists()
        if not resumed:
            write_json(folder / "inputs.json", dict(inputs))
        return cls(folder, resumed)

    @property
    def activations(self) -> Path:
        """Where the trunk cache lies while the run lasts."""
        return self.folder / "activations"

    def attempt(self, key: str) -> Path:
        """Where a candidate's attempt is saved."""
        return self.folder / "candidates" / key

    def record(self, key: str, result: Mapping[str, Any], logits: NDArray[Any], save: Any) -> None:
        """Keep an attempt whole: what it saves, its validation logits and its result.

        Args:
            key: The candidate's key.
            result: Plain values.
            logits: On validation, ``(n_validation, n_labels)``.
            save: Called with the folder to write the attempt's own files to.
        """
        with whole_folder(self.attempt(key)) as draft:
            save(draft)
            np.save(draft / "validation.npy", logits)
            write_json(draft / "result.json", dict(result))

    def recorded(self, key: str) -> tuple[dict[str, Any], NDArray[np.float32]] | None:
        """What `record` kept, or ``None``."""
        folder = self.attempt(key)
        if not (folder / "result.json").exists():
            return None
        result = json.loads((folder / "result.json").read_text("utf-8"))
        return result, np.load(folder / "validation.npy")

    def recorded_seconds(self) -> float:
        """Seconds that recorded attempts took, also in processes that are gone."""
        results = (self.folder / "candidates").glob("*/result.json")
        return float(sum(json.loads(path.read_text("utf-8"))["seconds"] for path in results))

    def tidy(self) -> None:
        """Remove the activations: large, and quickly computed again."""
        shutil.rmtree(self.activations, ignore_errors=True)
