"""TensorBoard: a folder of events a training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from payoff.core.extras import require

_FIGURES = ("validation/accuracy", "validation/log_loss")


class TensorboardTracker:
    """One training as a folder of event files in ``tensorboard`` of the folder of runs.

    ``tensorboard --logdir runs/tensorboard`` shows them; parameters stand under HPARAMS, and files
    as text.

    Args:
        folder: The folder of runs.

    Raises:
        MachineError: PF803 where the extra ``tensorboard`` is not installed.
    """

    def __init__(self, folder: Path) -> None:
        require("tensorboard", "tensorboard", "tracking by TensorBoard")
        self._folder = folder / "tensorboard"
        self._writer: Any = None

    def start(self, name: str, params: Mapping[str, Any]) -> None:
        """Make the folder, another than those of earlier trainings of the same name."""
        from torch.utils.tensorboard import SummaryWriter
        from torch.utils.tensorboard.summary import hparams

        title = "".join(c if c.isalnum() or c in "-=." else "_" for c in name)[-100:]
        number = 1 + len(list(self._folder.glob(f"{title}.*")))
        self._writer = SummaryWriter(str(self._folder / f"{title}.{number}"))
        plain = {k: v if isinstance(v, bool | int | float) else str(v) for k, v in params.items()}
        parts = hparams(plain, dict.fromkeys(_FIGURES, 0.0))  # type: ignore[no-untyped-call]
        for summary in parts:
            self._writer.file_writer.add_summary(summary)

    def metric(self, name: str, value: float, step: int) -> None:
        """Write a scalar."""
        self._writer.add_scalar(name, value, step)

    def artifact(self, path: Path) -> None:
        """Write the file's text."""
        self._writer.add_text(path.name, f"```\n{path.read_text('utf-8')}\n```")

    def end(self, status: str) -> None:
        """Write how it ended, and close the file."""
        self._writer.add_text("status", status)
        self._writer.close()
