"""What determines what is learnt: two runs that agree in it share their trainings."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from payoff.adapt.backbones.find import find
from payoff.plan.versions import versions


class Fingerprinted(Protocol):
    """Rows that know their fingerprint."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 over what is learnt from."""


def learning_inputs(
    dataset: Fingerprinted,
    test: Fingerprinted | None,
    seed: int,
    backbones: tuple[str, ...],
    *,
    unlabelled: Sequence[str] = (),
    descriptions: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Plain values that name a training, whatever it is worth.

    Args:
        dataset: Rows to learn from and to choose by.
        test: Rows to report on, where they are in a file of their own.
        seed: Of everything random.
        backbones: Pretrained models that may be used.
        unlabelled: Texts without labels.
        descriptions: Label to what it means.
    """
    inputs: dict[str, Any] = {
        "data": dataset.fingerprint,
        "test": test.fingerprint if test is not None else None,
        "seed": seed,
        "backbones": {name: _weights(name) for name in backbones},
        "versions": versions(),
    }
    if unlabelled:
        inputs["unlabelled"] = hashlib.sha256("\0".join(unlabelled).encode()).hexdigest()
    if descriptions:
        inputs["descriptions"] = dict(sorted(descriptions.items()))
    return inputs


def _weights(name: str) -> str:
    """SHA-256 of the weights in a user's own folder, where they may change under one name."""
    backbone = find(name)
    if backbone.folder is None:
        return ""
    with (backbone.folder / backbone.laid_file).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
