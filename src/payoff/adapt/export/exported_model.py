"""The one model of an artifact that other tools can run, with all that its answers need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from payoff.artifact.artifact import Artifact
from payoff.artifact.calibration import Calibration
from payoff.artifact.runtime.early_exit import exit_confidence
from payoff.artifact.runtime.packed import unpacking
from payoff.artifact.tier import TierSpec
from payoff.core.errors import ArtifactError


@dataclass(frozen=True)
class ExportedModel:
    """A graph over tokens, its tokenizer and its calibration.

    Args:
        name: Of the artifact.
        labels: In the order of the graph's columns, ``(n_labels,)``.
        spec: Of its tier.
        calibration: From logits to probabilities.
        graph: The bytes of ``model.onnx``, unpacked.
        tokenizer: The bytes of ``tokenizer.json``, unpacked.
    """

    name: str
    labels: tuple[str, ...]
    spec: TierSpec
    calibration: Calibration
    graph: bytes
    tokenizer: bytes

    @classmethod
    def of(cls, artifact: Artifact, target: str) -> ExportedModel:
        """Take the model out of an artifact.

        Args:
            artifact: Opened.
            target: Name of the target, for messages.

        Raises:
            ArtifactError: PF506 where it holds several models, or one that is no graph over
                tokens in one part with one class a text; PF504 where a member cannot be unpacked.
        """
        spec = artifact.tiers[-1]
        if len(artifact.tiers) > 1:
            names = ", ".join(f"'{tier.name}'" for tier in artifact.tiers)
            raise cannot(artifact, target, f"it asks {len(artifact.tiers)} models in turn: {names}")
        if spec.kind != "tokens":
            raise cannot(artifact, target, f"its model is of the kind '{spec.kind}'")
        if "task" in spec.settings:
            raise cannot(artifact, target, "its task is another than one class a text")
        if exit_confidence(spec) is not None:
            raise cannot(
                artifact,
                target,
                "its model is in two parts, of which easy requests see the first alone",
                mend="Make it without early-exit: payoff compress … chooses among others.",
            )
        names_inside = dict(zip(spec.members, artifact.manifest.tier_members(0), strict=True))
        read, _ = unpacking(spec, lambda member: artifact.read(names_inside[member]), None)
        return cls(
            artifact.name,
            artifact.labels,
            spec,
            artifact.calibrations[0],
            read("model.onnx"),
            read("tokenizer.json"),
        )

    @property
    def max_tokens(self) -> int:
        """Longest text, or longest piece of one, in tokens."""
        return int(self.spec.settings.get("max_tokens", 128))

    @property
    def pad_id(self) -> int:
        """Token that fills the rows of a batch."""
        return int(self.spec.settings.get("pad_id", 0))

    @property
    def prefix(self) -> str:
        """Put before every text."""
        return str(self.spec.settings.get("prefix", ""))

    def settings(self) -> dict[str, Any]:
        """What a program needs beside graph and tokenizer, as plain values."""
        return {
            "name": self.name,
            "labels": list(self.labels),
            "max_tokens": self.max_tokens,
            "pad_id": self.pad_id,
            "prefix": self.prefix,
            "separator": self.spec.settings.get("separator", ""),
            "calibration": self.calibration.to_json(),
        }

    def notes(self) -> tuple[str, ...]:
        """What whoever runs it elsewhere should know."""
        told = ["It gives probabilities; the policy (act, or hand over) stays with payoff."]
        pieces = self.spec.settings.get("max_pieces", 1)
        if pieces > 1:
            told.append(
                f"A text of more than {self.max_tokens} tokens is cut there; "
                f"payoff reads up to {pieces} pieces of it."
            )
        separator = self.spec.settings.get("separator", "")
        if separator:
            told.append(f"It reads pairs: give the first text, '{separator} ' and the second one.")
        return tuple(told)


def cannot(artifact: Artifact, target: str, found: str, *, mend: str = "") -> ArtifactError:
    """PF506: why an artifact cannot be written as a target.

    Args:
        artifact: Opened.
        target: Name of the target.
        found: What is in the way.
        mend: What would do; the targets that keep an artifact whole where empty.
    """
    return ArtifactError(
        "PF506",
        f"{artifact.path}, target '{target}'",
        found,
        expected="one encoder or static model that tells one class a text",
        mend=mend or "Use a target that keeps the artifact whole, such as mlflow.",
    )
