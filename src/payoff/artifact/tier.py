"""A tier: one model inside an artifact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from payoff.core.errors import ArtifactError

Kind = Literal["tokens", "ngrams", "entities", "prompted", "answers", "endpoint", "stacked"]

MEMBERS: dict[str, tuple[str, ...]] = {
    "tokens": ("model.onnx", "tokenizer.json"),
    "ngrams": ("ngrams.json", "weights.npz"),
    "entities": ("model.onnx", "tokenizer.json"),
    "prompted": ("model.onnx", "tokenizer.json", "prompt.json"),
    "answers": ("model.onnx", "tokenizer.json", "prompt.json"),
    "endpoint": ("endpoint.json",),
    "stacked": ("stack.json",),
}
"""The files that each kind of tier must have."""

PACKED = ".zst"
"""Suffix of a member of a ``tokens`` tier that is packed by Zstandard."""


@dataclass(frozen=True, slots=True)
class TierSpec:
    """What one tier is made of and how it is run.

    Args:
        name: What people call it, such as ``"minilm-l6 int8"``.
        kind: ``"tokens"`` (ONNX over a tokenizer) or ``"ngrams"`` (weights over word and
            character n-grams); or ``"entities"`` (ONNX over a tokenizer that scores tokens, see
            `payoff.artifact.runtime.entities`); or ``"prompted"`` and ``"answers"`` (a decoder
            that scores labels after a text, or answers it); or ``"endpoint"`` (a model that
            somebody else serves); or ``"stacked"`` (several of the first two, mixed).
        members: File names of the tier, without folders; those of ``tokens`` may be packed, with
            `PACKED` behind their names.
        settings: For ``tokens``: ``max_tokens``, ``prefix``, ``pad_id``, ``outputs`` and
            optionally ``max_pieces`` (pieces that a longer text is cut into; 1 where it is
            missing) and ``optimised`` (the graph needs no optimisation at load). For ``ngrams``
            none are needed. Either may have ``separator`` (it reads pairs of texts, see
            `payoff.core.pair`) and ``task`` (see `payoff.artifact.task_outputs`). For
            ``entities``: ``labels``, ``max_tokens``, ``overlap``, ``prefix``, ``pad_id`` and
            ``whole_words``. For ``endpoint``: ``base_url``, ``model``,
            ``key_variable`` (the name of the variable, never the key) and ``max_parallel``.

    Raises:
        ArtifactError: PF503 for an unknown kind; PF504 for members that do not make that kind.

    Example:
        >>> TierSpec("bag of words", "ngrams").members
        ('ngrams.json', 'weights.npz')
    """

    name: str
    kind: Kind
    members: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in MEMBERS:
            raise ArtifactError(
                "PF503",
                f"tier '{self.name}'",
                f"kind '{self.kind}' is unknown",
                expected=" or ".join(MEMBERS),
                mend="Upgrade payoff.",
            )
        object.__setattr__(self, "members", tuple(self.members) or MEMBERS[self.kind])
        there = {*self.members}
        if self.kind == "tokens":
            there |= {member.removesuffix(PACKED) for member in self.members}
        missing = set(MEMBERS[self.kind]) - there
        if missing:
            raise ArtifactError(
                "PF504",
                f"tier '{self.name}'",
                f"lacks {', '.join(sorted(missing))}",
                expected=", ".join(MEMBERS[self.kind]),
            )

    def as_dict(self) -> dict[str, Any]:
        """Plain values for the manifest."""
        return {
            "name": self.name,
            "kind": self.kind,
            "members": list(self.members),
            "settings": dict(self.settings),
        }


def tier_folder(number: int, n_tiers: int) -> str:
    """Where tier ``number`` (from 0) lies inside an artifact: at the top if it is the only one.

    Example:
        >>> tier_folder(0, 1), tier_folder(1, 2)
        ('', 'tiers/1/')
    """
    return "" if n_tiers == 1 else f"tiers/{number}/"
