"""Weights & Biases: a run a training; nothing leaves the machine unless that is asked for."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from payoff.core.extras import require

_PROJECT = "payoff"


class WandbTracker:
    """One training as a run of the project ``payoff``.

    It is written to ``wandb`` in the folder of runs, and ``wandb sync`` sends it later; with
    ``WANDB_MODE=online`` it is sent as it goes. ``WANDB_PROJECT`` names another project.

    Args:
        folder: The folder of runs.

    Raises:
        MachineError: PF803 where the extra ``wandb`` is not installed.
    """

    def __init__(self, folder: Path) -> None:
        if not _online():
            os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # read when it is imported
        self._wandb = require("wandb", "wandb", "tracking by Weights & Biases")
        self._folder = folder
        self._groups: set[str] = set()
        self._run: Any = None

    def start(self, name: str, params: Mapping[str, Any]) -> None:
        """Begin a run beside those that are open."""
        self._folder.mkdir(parents=True, exist_ok=True)
        quiet = self._wandb.Settings(
            silent=True, console="off", disable_git=True, x_disable_stats=True
        )
        self._run = self._wandb.init(
            project=os.environ.get("WANDB_PROJECT") or _PROJECT,
            name=name,
            config=dict(params),
            dir=str(self._folder),
            mode=os.environ.get("WANDB_MODE") or "offline",
            reinit="create_new",
            settings=quiet,
        )

    def metric(self, name: str, value: float, step: int) -> None:
        """Tell a figure with its own step, since groups count their steps apart."""
        group = name.split("/")[0]
        if group not in self._groups:
            self._groups.add(group)
            self._run.define_metric(f"{group}/*", step_metric=f"{group}/step")
        self._run.log({name: value, f"{group}/step": step})

    def artifact(self, path: Path) -> None:
        """Keep a copy of a file with the run."""
        kept = Path(self._run.dir) / path.name
        shutil.copyfile(path, kept)
        self._run.save(str(kept), base_path=self._run.dir, policy="now")

    def end(self, status: str) -> None:
        """Finish the run; one that failed has exit code 1."""
        self._run.summary["status"] = status
        self._run.finish(exit_code=0 if status in ("finished", "stopped") else 1)


def _online() -> bool:
    return os.environ.get("WANDB_MODE") == "online"
