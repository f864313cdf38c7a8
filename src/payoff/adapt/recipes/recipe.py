"""The interface of every recipe: which candidates, how long, train, export.

Training is an `Attempt`, which can be paused at a share of its work, judged, saved and gone on
with, so that the search can stop those that will not pay. What an attempt saves is all that
exporting needs; an attempt of a killed process is restored from there.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from payoff.adapt.workbench import Workbench
from payoff.artifact.tier import TierSpec

_LONGEST_KEY = 200  # characters: file systems take 255, and rungs and drafts add some


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to make a model: a recipe, a backbone and settings.

    Args:
        recipe: Name of the recipe.
        backbone: Name of the backbone; empty where the recipe needs none.
        settings: The recipe's own settings, as ``(name, value)`` pairs in a fixed order.
        only_if_short: Tried only where the time left fits no other candidate of its recipe.
        last: Tried after all others, and only where it could also be trained on all rows in time.
        title: What people read in place of recipe, backbone and settings, where those are many; it
            must be unlike that of any candidate beside it.

    Example:
        >>> Candidate("fine-tune", "minilm-l6", (("depth", 3),)).name
        'fine-tune minilm-l6 depth=3'
    """

    recipe: str
    backbone: str
    settings: tuple[tuple[str, Any], ...] = ()
    only_if_short: bool = False
    last: bool = False
    title: str = ""

    @property
    def name(self) -> str:
        """What people read."""
        return self.title or self._whole

    @property
    def _whole(self) -> str:
        parts = [self.recipe, self.backbone, *(f"{k}={v}" for k, v in self.settings)]
        return " ".join(part for part in parts if part)

    @property
    def key(self) -> str:
        """The same as the name of a folder; a hash tells apart what that makes alike or cuts."""

        def kept(text: str) -> str:
            return "".join(c if c.isascii() and (c.isalnum() or c in "-=.") else "_" for c in text)

        whole = self._whole
        if kept(self.backbone) == self.backbone and len(whole) <= _LONGEST_KEY:
            return kept(whole)
        return f"{kept(whole)[:100]}-{hashlib.sha256(whole.encode()).hexdigest()[:8]}"

    def __getitem__(self, setting: str) -> Any:
        return dict(self.settings)[setting]

    def without(self, setting: str) -> Candidate:
        """The same without a setting, if it has it.

        Example:
            >>> Candidate("lora", "", (("depth", 3), ("rank", 8))).without("rank").settings
            (('depth', 3),)
        """
        kept = tuple(pair for pair in self.settings if pair[0] != setting)
        return replace(self, settings=kept)

    def having(self, setting: str, value: Any) -> Candidate:
        """The same with another value of a setting, in its place; behind the others if it is new.

        Example:
            >>> Candidate("lora", "", (("depth", 3), ("rank", 8))).having("depth", 0).settings
            (('depth', 0), ('rank', 8))
        """
        return replace(self, settings=tuple({**dict(self.settings), setting: value}.items()))


class Attempt(Protocol):
    """The training of one candidate."""

    def advance(self, share: float) -> None:
        """Train until ``share`` (0–1) of the work is done.

        Raises:
            AdaptError: PF402 where the loss is not finite.
        """

    def logits(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Scores of texts of the workbench, ``(len(rows), n_labels)``."""

    def save(self, folder: Path) -> None:
        """Write all that `restore` and `Recipe.export` need."""

    def restore(self, folder: Path) -> None:
        """Go on from what `save` wrote."""


class Recipe(Protocol):
    """A way to adapt a pretrained model.

    Attributes:
        name: As registered under the entry point ``payoff.recipes``.
        rungs: Shares of the work after which a candidate is judged; the last is 1.
    """

    name: str
    rungs: tuple[float, ...]

    def candidates(self, bench: Workbench) -> list[Candidate]:
        """What a search should try on these data, the most promising first; may be none."""

    def standard(self, bench: Workbench) -> list[Candidate]:
        """The recipe with its usual settings on each backbone that it can use."""

    def seconds(self, candidate: Candidate, bench: Workbench) -> float:
        """Expected seconds of the whole work on this machine, from what was measured so far."""

    def start(self, candidate: Candidate, bench: Workbench) -> Attempt:
        """Begin a candidate on ``bench.train``."""

    def export(self, candidate: Candidate, bench: Workbench, saved: Path, target: Path) -> TierSpec:
        """Write the files of a tier into ``target`` from what an attempt saved."""
