"""Kept: what a finished run keeps, so that money questions can be asked of it later."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.core.errors import ProjectError
from payoff.core.files import write_bytes, write_json
from payoff.economics.cascades.blend import Blends
from payoff.economics.tokens import Tokens
from payoff.economics.value_tables import Segments
from payoff.evidence.evidence import Evidence
from payoff.plan.judging import Judge
from payoff.plan.measured import Measured, Probabilities
from payoff.plan.reckoning import Reckoning
from payoff.plan.search_runs import SearchRuns
from payoff.plan.stated_terms import sections_of
from payoff.plan.terms import Terms

_FORMAT = 1
_FIGURES, _ARRAYS = "kept.json", "kept.npz"
_SEGMENTS = ("validation_segments", "test_segments")
_DAYS = (("search", "prices_on"), ("currency", "as_of"))


@dataclass(frozen=True, eq=False)
class KeptOption(Measured):
    """One option of a run: what was measured of it, without its model.

    Args:
        name: What people read.
        recipe: Of its candidate.
        evidence: On validation rows; its latency and footprint are those of the option.
        training_s: Seconds that its training took.
        validation: Cross-fitted probabilities of the validation rows, ``(n_validation, k)``.
        test: Calibrated probabilities of the test rows, ``(n_test, k)``.
        tokens: What a text takes of somebody else's model; None for one's own.
    """

    test: Probabilities


@dataclass(frozen=True, eq=False)
class Kept:
    """The evidence of a finished run, in its folder as ``kept.json`` and ``kept.npz``.

    Probabilities are kept in float32, about seven digits.

    Args:
        sections: The terms, as the sections of a project file.
        labels: The ``k`` labels.
        seed: Of the worlds.
        chosen: Name of the plan that the run chose: an option, or a cascade of them.
        expected: Recipe that is preferred where rows are few (`choice.preferred`).
        n_labelled: Labelled rows.
        training_counts: Rows of each label that training saw, ``(k,)``.
        request_bytes: Mean size of a request.
        characters_per_text: Mean length of a text.
        validation_truth: Classes of the validation rows.
        test_truth: Classes of the test rows.
        options: All options.
        validation_segments: Segments of the validation rows; None where none are known.
        test_segments: Segments of the test rows; None where none are known.
        searched: What the search trained; None in a run that kept no word of it.
    """

    sections: Mapping[str, Any]
    labels: tuple[str, ...]
    seed: int
    chosen: str
    expected: str
    n_labelled: int
    training_counts: NDArray[np.int64]
    request_bytes: float
    characters_per_text: float
    validation_truth: NDArray[np.int64]
    test_truth: NDArray[np.int64]
    options: tuple[KeptOption, ...]
    validation_segments: Segments | None = None
    test_segments: Segments | None = None
    searched: SearchRuns | None = None
    _blends: dict[bytes, Blends] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(
        cls,
        reckoning: Reckoning,
        options: Sequence[KeptOption],
        *,
        chosen: str,
        expected: str,
        seed: int,
        validation_truth: NDArray[np.int64],
        test_truth: NDArray[np.int64],
        validation_segments: Segments | None = None,
        test_segments: Segments | None = None,
    ) -> Kept:
        """What to keep of a run that reckoned so."""
        return cls(
            sections=sections_of(reckoning.terms),
            labels=reckoning.labels,
            seed=seed,
            chosen=chosen,
            expected=expected,
            n_labelled=reckoning.n_labelled,
            training_counts=reckoning.training_counts,
            request_bytes=reckoning.request_bytes,
            characters_per_text=reckoning.characters_per_text,
            validation_truth=validation_truth,
            test_truth=test_truth,
            options=tuple(options),
            validation_segments=validation_segments,
            test_segments=test_segments,
            searched=reckoning.searched,
        )

    def reckoning(self, terms: Terms) -> Reckoning:
        """What follows from what was measured, under these terms."""
        return Reckoning(
            terms,
            self.labels,
            n_labelled=self.n_labelled,
            training_counts=self.training_counts,
            request_bytes=self.request_bytes,
            characters_per_text=self.characters_per_text,
            searched=self.searched,
        )

    @property
    def segments(self) -> tuple[str, ...]:
        """Names of the segments that the rows are of, sorted."""
        names = [getattr(self, name) for name in _SEGMENTS]
        return tuple(sorted({str(one) for some in names if some is not None for one in some}))

    def judge(self, reckoning: Reckoning) -> Judge:
        """Of the validation rows, by the policy that terms imply."""
        policy = reckoning.policy()
        return Judge(
            reckoning.terms.payoff,
            policy,
            self.validation_truth,
            self.seed,
            self.validation_segments,
        )

    def blends(self, judge: Judge) -> Blends:
        """How models of a cascade are joined: learnt once, as long as the mix stays the same."""
        shift = judge.policy.prior_shift
        key = b"" if shift is None else shift.tobytes()
        if key not in self._blends:
            self._blends.clear()
            self._blends[key] = Blends(self.validation_truth, shift)
        return self._blends[key]

    def write(self, folder: Path) -> None:
        """Write both files, each whole or not at all.

        Raises:
            MachineError: PF801 or PF802 where they cannot be written.
        """
        arrays: dict[str, NDArray[Any]] = {
            "training_counts": self.training_counts,
            "validation_truth": self.validation_truth,
            "test_truth": self.test_truth,
        }
        for name in _SEGMENTS:
            segments = getattr(self, name)
            if segments is not None:
                arrays[name] = segments
        for number, option in enumerate(self.options):
            arrays[f"validation{number}"] = option.validation.astype(np.float32)
            arrays[f"test{number}"] = option.test.astype(np.float32)
        packed = io.BytesIO()
        np.savez(packed, **arrays)  # type: ignore[arg-type]
        write_bytes(folder / _ARRAYS, packed.getvalue())
        write_json(
            folder / _FIGURES,
            {
                "format": _FORMAT,
                "sections": _with_days(self.sections, date.isoformat),
                "labels": list(self.labels),
                "seed": self.seed,
                "chosen": self.chosen,
                "expected": self.expected,
                "n_labelled": self.n_labelled,
                "request_bytes": self.request_bytes,
                "characters_per_text": self.characters_per_text,
                "searched": self.searched and self.searched.as_dict(),
                "options": [
                    {
                        "name": option.name,
                        "recipe": option.recipe,
                        "evidence": option.evidence.as_dict(),
                        "training_s": option.training_s,
                        "tokens": option.tokens and option.tokens.as_dict(),
                    }
                    for option in self.options
                ],
            },
        )

    @classmethod
    def read(cls, folder: Path) -> Kept:
        """Read what `write` wrote; of the run that was read last only if its files are others now.

        Raises:
            ProjectError: PF292 where the run kept nothing, or it cannot be read.
        """
        try:
            return _read(folder.resolve(), tuple(map(_stamp, _files(folder))))
        except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
            raise ProjectError(
                "PF292",
                str(folder),
                f"what it measured cannot be read ({type(error).__name__}: {error})",
                expected=f"{_FIGURES} and {_ARRAYS}, which every finished run keeps",
                mend="Run it again: what was trained is kept, and only the end is repeated.",
            ) from error


def _files(folder: Path) -> tuple[Path, Path]:
    return folder / _FIGURES, folder / _ARRAYS


def _stamp(file: Path) -> tuple[int, int, int]:
    """What tells a file from what was written there before."""
    found = file.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size


@lru_cache(maxsize=1)
def _read(folder: Path, stamps: tuple[tuple[int, int, int], ...]) -> Kept:
    """What a run kept; nothing of it can be changed, since others may be told the same."""
    figures, packed = _files(folder)
    told = json.loads(figures.read_text("utf-8"))
    if told["format"] != _FORMAT:
        raise ValueError(f"format {told['format']}")
    with np.load(io.BytesIO(packed.read_bytes())) as stored:
        arrays = {name: stored[name] for name in stored.files}
    for array in arrays.values():
        array.setflags(write=False)
    options = tuple(
        KeptOption(
            one["name"],
            one["recipe"],
            Evidence.from_dict(one["evidence"]),
            one["training_s"],
            arrays[f"validation{number}"],
            arrays[f"test{number}"],
            tokens=Tokens(**one["tokens"]) if one.get("tokens") else None,
        )
        for number, one in enumerate(told["options"])
    )
    return Kept(
        sections=_with_days(told["sections"], date.fromisoformat),
        labels=tuple(told["labels"]),
        seed=told["seed"],
        chosen=told["chosen"],
        expected=told["expected"],
        n_labelled=told["n_labelled"],
        training_counts=arrays["training_counts"],
        request_bytes=told["request_bytes"],
        characters_per_text=told["characters_per_text"],
        validation_truth=arrays["validation_truth"],
        test_truth=arrays["test_truth"],
        options=options,
        searched=SearchRuns(**told["searched"]) if told.get("searched") else None,
        **{name: arrays[name] for name in _SEGMENTS if name in arrays},
    )


def _with_days(sections: Mapping[str, Any], change: Any) -> dict[str, Any]:
    """The sections with their days changed to text or back."""
    changed = {
        name: dict(section) if isinstance(section, Mapping) else section
        for name, section in sections.items()
    }
    for section, key in _DAYS:
        if key in changed.get(section, {}):
            changed[section][key] = change(changed[section][key])
    return changed
