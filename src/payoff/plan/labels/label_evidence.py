"""Label evidence: how models did that learnt from fewer labels, kept in the folder of a run."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.core.errors import ProjectError
from payoff.core.files import write_bytes, write_json

_FORMAT = 1
_FIGURES, _ARRAYS = "label_curve.json", "label_curve.npz"
Probabilities = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Studied:
    """One candidate over the number of labels.

    Args:
        name: The candidate's.
        sizes: Labels that were learnt from, rising; the last are all training rows.
        below: Cross-fitted probabilities of the validation rows, by models that learnt from nested
            subsets: ``(n_draws, n_sizes - 1, n_validation, k)``.
        whole: Of the model that learnt from all training rows, ``(n_validation, k)``.
        backbone: The candidate's; empty where it has none.
    """

    name: str
    sizes: NDArray[np.int64]
    below: Probabilities
    whole: Probabilities
    backbone: str = ""


@dataclass(frozen=True, eq=False)
class LabelEvidence:
    """What a run measured of the worth of labels.

    Args:
        chosen: Name of the chosen candidate.
        served: Cross-fitted probabilities of the validation rows as the choice is served,
            ``(n_validation, k)``.
        n_now: Labels that the reported model learns from.
        studied: Candidates: the chosen one, one that stands for it, or both; may be none.
        reason: Why there is none; empty where there is.
        backbone: Of the chosen candidate; empty where it has none.

    Example:
        >>> LabelEvidence.read(Path("runs/support-1a2b3c"))  # doctest: +SKIP
    """

    chosen: str
    served: Probabilities
    n_now: int
    studied: tuple[Studied, ...]
    reason: str = ""
    backbone: str = ""

    def write(self, folder: Path) -> None:
        """Write both files, each whole or not at all.

        Raises:
            MachineError: PF801 or PF802 where they cannot be written.
        """
        arrays: dict[str, NDArray[Any]] = {"served": self.served}
        for number, one in enumerate(self.studied):
            arrays |= {
                f"sizes{number}": one.sizes,
                f"below{number}": one.below,
                f"whole{number}": one.whole,
            }
        packed = io.BytesIO()
        np.savez_compressed(packed, **arrays)  # type: ignore[arg-type]
        write_bytes(folder / _ARRAYS, packed.getvalue())
        figures = {
            "format": _FORMAT,
            "chosen": self.chosen,
            "n_now": self.n_now,
            "reason": self.reason,
            "backbone": self.backbone,
            "studied": [{"name": one.name, "backbone": one.backbone} for one in self.studied],
        }
        write_json(folder / _FIGURES, figures)

    @classmethod
    def read(cls, folder: Path) -> LabelEvidence:
        """Read what `write` wrote.

        Raises:
            ProjectError: PF292 where the run kept none, or it cannot be read.
        """
        try:
            told = json.loads((folder / _FIGURES).read_text("utf-8"))
            if told["format"] != _FORMAT:
                raise ValueError(f"format {told['format']}")
            with np.load(io.BytesIO((folder / _ARRAYS).read_bytes())) as arrays:
                studied = tuple(
                    Studied(
                        one["name"],
                        arrays[f"sizes{number}"],
                        arrays[f"below{number}"],
                        arrays[f"whole{number}"],
                        one["backbone"],
                    )
                    for number, one in enumerate(told["studied"])
                )
                return cls(
                    told["chosen"],
                    arrays["served"],
                    told["n_now"],
                    studied,
                    told["reason"],
                    told["backbone"],
                )
        except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
            raise ProjectError(
                "PF292",
                str(folder),
                f"its label curve cannot be read ({type(error).__name__}: {error})",
                expected=f"{_FIGURES} and {_ARRAYS}, which a finished run keeps",
                mend="Run it again: what was trained is kept, and only the end is repeated.",
            ) from error
