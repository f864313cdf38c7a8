"""A model for a task that is not one class a text, opened from the folder of its tier."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from payoff.artifact.runtime import open_tier
from payoff.artifact.runtime.runtime import Runtime
from payoff.artifact.task_outputs import answers
from payoff.artifact.tier import TierSpec
from payoff.core.errors import ArtifactError
from payoff.core.files import write_json
from payoff.core.pair import joined_pairs

SPEC_FILE = "tier.json"
"""What a tier's folder says of itself, where it is not inside an artifact."""


def write_spec(spec: TierSpec, folder: Path) -> None:
    """Write what `TaskModel.open` reads, beside the files of the tier.

    Raises:
        MachineError: PF801 where the disk is full.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> write_spec(TierSpec("words", "ngrams"), folder)
        >>> read_spec(folder).name
        'words'
    """
    write_json(folder / SPEC_FILE, spec.as_dict())


def read_spec(folder: Path) -> TierSpec:
    """What `write_spec` wrote.

    Raises:
        ArtifactError: PF501 where there is none; PF503 or PF504 where it cannot be used.

    Example:
        >>> read_spec(Path("nowhere"))
        Traceback (most recent call last):
        ...
        payoff.core.errors.ArtifactError: PF501 nowhere: it holds no tier.json (expected the\
 folder of a tier, as `payoff tune --task` names it).
    """
    try:
        content: dict[str, Any] = json.loads((folder / SPEC_FILE).read_text("utf-8"))
    except FileNotFoundError as error:
        raise ArtifactError(
            "PF501",
            str(folder),
            f"it holds no {SPEC_FILE}",
            expected="the folder of a tier, as `payoff tune --task` names it",
        ) from error
    except (OSError, ValueError) as error:
        raise ArtifactError("PF504", str(folder / SPEC_FILE), str(error)[:120]) from error
    try:
        members = tuple(content["members"])
        return TierSpec(content["name"], content["kind"], members, content["settings"])
    except (KeyError, TypeError) as error:
        raise ArtifactError(
            "PF504", str(folder / SPEC_FILE), f"it lacks {error}", expected="what payoff wrote"
        ) from error


@dataclass(frozen=True, slots=True)
class TaskModel:
    """Answers for texts, without any training library.

    Args:
        runtime: Gives the outputs.
        task: What they mean: the tier's setting ``"task"``.
        name: Of the tier.
        reads_pairs: Whether it was trained on pairs of texts.

    Example:
        >>> model = TaskModel.open(Path("runs/trained-…/tiers/lora"))  # doctest: +SKIP
        >>> model.answers(["the parcel came late and the driver was rude"])  # doctest: +SKIP
        [('late', 'rude')]
    """

    runtime: Runtime
    task: dict[str, Any]
    name: str = "model"
    reads_pairs: bool = False

    @classmethod
    def open(cls, folder: Path) -> TaskModel:
        """Open a tier's folder.

        Raises:
            ArtifactError: PF501 where it is none; PF503 or PF504 where it cannot be used, or is a
                tier without a task.
        """
        spec = read_spec(folder)
        task = spec.settings.get("task")
        if not isinstance(task, dict):
            raise ArtifactError("PF504", f"tier '{spec.name}'", "its settings name no task")
        labels = task.get("labels")
        return cls(
            open_tier(
                spec,
                lambda name: (folder / name).read_bytes(),
                n_labels=len(labels) if isinstance(labels, list) else None,
            ),
            task,
            spec.name,
            bool(spec.settings.get("separator")),
        )

    def answers(self, texts: Sequence[str], *, pairs: Sequence[str] | None = None) -> list[Any]:
        """What the task says of each text; see `payoff.artifact.task_outputs.answers`.

        Args:
            texts: ``n_texts`` of them; the first ones of pairs.
            pairs: The second ones, as many.

        Raises:
            DataError: PF105 where a text is unusable, or the model reads single texts; PF112 where
                there are more texts than second ones, or fewer.
        """
        if pairs is not None:
            texts = joined_pairs(texts, pairs, self.name, reads_pairs=self.reads_pairs)
        return answers(self.task, self.runtime.logits(texts))
