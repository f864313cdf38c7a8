"""Evidence: everything that was measured of one model, on one set of rows, on one machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy.typing as npt

from payoff.artifact.calibration import Calibration
from payoff.core.errors import ArtifactError
from payoff.evidence.calibration import Bin, classwise_ece, ece, reliability
from payoff.evidence.calibration_choice import CalibrationReport
from payoff.evidence.footprint import Footprint
from payoff.evidence.latency import Latency
from payoff.evidence.machine import Machine
from payoff.evidence.quality import Quality, measure_quality

Rows = Literal["validation", "test"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was measured. None means "not measured", never "fine" and never 0.

    Args:
        split: Which rows: ``"validation"`` chose the model, ``"test"`` reports on it.
        quality: With calibrated probabilities.
        quality_uncalibrated: With the model's own.
        ece: Calibration error of the most probable label, calibrated.
        ece_uncalibrated: The same, uncalibrated.
        classwise_ece: Mean calibration error over labels, calibrated.
        classwise_ece_uncalibrated: The same, uncalibrated.
        calibration: Which method was taken, and what it was compared with.
        reliability: Bins of the calibrated probabilities.
        reliability_uncalibrated: Bins of the model's own.
        latency: Seconds an answer, on ``machine``.
        footprint: Bytes on disk and in memory, and start-up.
        training_s: Seconds of training, on ``machine``.
        machine: Where the seconds were measured.
    """

    split: Rows
    quality: Quality
    quality_uncalibrated: Quality | None = None
    ece: float | None = None
    ece_uncalibrated: float | None = None
    classwise_ece: float | None = None
    classwise_ece_uncalibrated: float | None = None
    calibration: CalibrationReport | None = None
    reliability: tuple[Bin, ...] = ()
    reliability_uncalibrated: tuple[Bin, ...] = ()
    latency: Latency | None = None
    footprint: Footprint | None = None
    training_s: float | None = None
    machine: Machine | None = None

    @classmethod
    def of(
        cls,
        split: Rows,
        logits: npt.ArrayLike,
        truth: npt.ArrayLike,
        *,
        probabilities: npt.ArrayLike,
        calibration: CalibrationReport | None = None,
        latency: Latency | None = None,
        footprint: Footprint | None = None,
        training_s: float | None = None,
        machine: Machine | None = None,
    ) -> Evidence:
        """Measure predictions, before and after calibration.

        Args:
            split: Which rows they are.
            logits: The model's scores, ``(n, k)``.
            truth: ``(n,)``.
            probabilities: Calibrated, ``(n, k)``; on validation rows cross-fitted, so that none
                is calibrated with its own row.
            calibration: How the method was chosen, if it was.
            latency: If measured.
            footprint: If measured.
            training_s: If measured.
            machine: Where.

        Raises:
            DataError: PF106 where there is no row.

        Example:
            >>> logits = [[2.0, 0.0], [0.0, 2.0], [2.0, 0.0]]
            >>> calibrated = Calibration(2.0).apply(logits)
            >>> evidence = Evidence.of("test", logits, [0, 1, 1], probabilities=calibrated)
            >>> evidence.quality.log_loss < evidence.quality_uncalibrated.log_loss
            True
        """
        own = Calibration().apply(logits)
        return cls(
            split=split,
            quality=measure_quality(probabilities, truth),
            quality_uncalibrated=measure_quality(own, truth),
            ece=ece(probabilities, truth),
            ece_uncalibrated=ece(own, truth),
            classwise_ece=classwise_ece(probabilities, truth),
            classwise_ece_uncalibrated=classwise_ece(own, truth),
            calibration=calibration,
            reliability=reliability(probabilities, truth),
            reliability_uncalibrated=reliability(own, truth),
            latency=latency,
            footprint=footprint,
            training_s=training_s,
            machine=machine,
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values for ``evidence.json``; what was not measured is null."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Evidence:
        """What `as_dict` gave; keys of a newer payoff are left out.

        Raises:
            ArtifactError: PF504 where the content is of another shape.

        Example:
            >>> evidence = Evidence("test", measure_quality([[0.6, 0.4]], [0]))
            >>> Evidence.from_dict(evidence.as_dict()) == evidence
            True
        """
        try:
            known = {f.name: content[f.name] for f in fields(cls) if f.name in content}
            for name, kind in _PARTS.items():
                if known.get(name) is not None:
                    known[name] = kind(**known[name])
            if known.get("calibration") is not None:
                known["calibration"] = CalibrationReport.from_dict(known["calibration"])
            for name in ("reliability", "reliability_uncalibrated"):
                known[name] = tuple(Bin(**entry) for entry in known.get(name, ()))
            return cls(**known)
        except (TypeError, AttributeError, KeyError) as error:
            raise ArtifactError(
                "PF504", "evidence.json", f"{str(error)[:120]}", expected="what payoff measured"
            ) from error


_PARTS: dict[str, Any] = {
    "quality": Quality,
    "quality_uncalibrated": Quality,
    "latency": Latency,
    "footprint": Footprint,
    "machine": Machine,
}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return value.as_dict() if hasattr(value, "as_dict") else value
