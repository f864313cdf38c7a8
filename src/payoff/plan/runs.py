"""The folders of a run: every result as it comes, so that a killed run goes on where it stopped.

There are two. What is learnt depends on the rows, the seed and the versions only, and lies in a
folder of its own (``trained-…``), so that a run under other terms, another payoff say, trains
nothing again. What is chosen depends on the terms too, and lies in the run's folder.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from payoff.core.files import disk_errors, to_json, whole_folder, write_bytes, write_json

if TYPE_CHECKING:
    from payoff.learn.meter import Meter


@dataclass(frozen=True, slots=True)
class Run:
    """One run's folders.

    Args:
        folder: ``runs/NAME-FINGERPRINT``: report, summary, artifact.
        trained: ``runs/trained-FINGERPRINT``: candidates and tiers.
        spent_before_s: Seconds that earlier processes of this run took.
        meter: Books what the run uses; None where no books are kept.
    """

    folder: Path
    trained: Path
    spent_before_s: float
    meter: Meter | None = None

    @classmethod
    def open(
        cls, root: Path, name: str, *, learning: Mapping[str, Any], choosing: Mapping[str, Any]
    ) -> Run:
        """Find the run of these inputs, or begin it.

        Args:
            root: The folder ``runs``.
            name: The project's name.
            learning: What determines what is learnt, as plain values.
            choosing: What else determines what is chosen.

        Raises:
            MachineError: PF801 or PF802 where the folders cannot be written.
        """
        trained = root / f"trained-{_fingerprint(learning)}"
        folder = root / f"{name}-{_fingerprint({**learning, **choosing})}"
        write_json(trained / "inputs.json", dict(learning))
        write_json(folder / "inputs.json", {**learning, **choosing})
        spent = folder / "spent.json"
        finished = (folder / "summary.json").exists()
        before = 0.0 if finished or not spent.exists() else json.loads(spent.read_text())["s"]
        return cls(folder, trained, before)

    @property
    def activations(self) -> Path:
        """Where the trunk cache lies while the run lasts."""
        return self.trained / "activations"

    def attempt(self, key: str) -> Path:
        """Where a candidate's attempt is saved."""
        return self.trained / "candidates" / key

    def tier(self, key: str) -> Path:
        """Where a tier's files are written."""
        return self.trained / "tiers" / key

    def record(
        self,
        key: str,
        result: Mapping[str, Any],
        logits: NDArray[Any],
        save: Callable[[Path], None],
    ) -> None:
        """Keep an attempt whole: what it saves, its validation logits and its result.

        Args:
            key: The candidate's key.
            result: Plain values.
            logits: On validation, ``(n_validation, n_labels)``.
            save: Called with the folder to write the attempt's own files to.

        Raises:
            MachineError: PF801 where the disk is full; nothing half-written is left.
        """
        _record(self.attempt(key), result, logits, save)

    def recorded(self, key: str) -> tuple[dict[str, Any], NDArray[np.float32]] | None:
        """What `record` kept, or ``None``."""
        return _recorded(self.attempt(key))

    def note_measured(self, key: str, result: Mapping[str, Any], logits: NDArray[Any]) -> None:
        """Keep what was measured of a tier until this run is finished; as `record`."""
        _record(self.folder / "measured" / key, result, logits)

    def measured(self, key: str) -> tuple[dict[str, Any], NDArray[np.float32]] | None:
        """What `note_measured` kept, or ``None``."""
        return _recorded(self.folder / "measured" / key)

    def note_spent(self, seconds: float) -> None:
        """Keep how much of the budget is used, for a process that goes on."""
        write_json(self.folder / "spent.json", {"s": seconds})

    def tidy(self) -> None:
        """Remove what only an unfinished run needs."""
        shutil.rmtree(self.activations, ignore_errors=True)
        shutil.rmtree(self.folder / "measured", ignore_errors=True)


def _record(
    folder: Path,
    result: Mapping[str, Any],
    logits: NDArray[Any],
    save: Callable[[Path], None] | None = None,
) -> None:
    with whole_folder(folder) as draft, disk_errors(draft):
        if save is not None:
            save(draft)
        array = io.BytesIO()  # `np.save` to a file does not say that a disk is full
        np.save(array, logits)
        write_bytes(draft / "validation.npy", array.getvalue())
        write_json(draft / "result.json", dict(result))


def _recorded(folder: Path) -> tuple[dict[str, Any], NDArray[np.float32]] | None:
    if not (folder / "result.json").exists():
        return None
    result = json.loads((folder / "result.json").read_text("utf-8"))
    return result, np.load(folder / "validation.npy")


def _fingerprint(inputs: Mapping[str, Any]) -> str:
    return hashlib.sha256(to_json(dict(inputs)).encode()).hexdigest()[:10]
