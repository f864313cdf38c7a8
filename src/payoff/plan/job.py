"""A job: rows, terms, and where results go, as a search and a compression are given them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from payoff.core.progress import Progress, Silent
from payoff.data.dataset import Dataset
from payoff.plan.terms import Terms

if TYPE_CHECKING:
    from payoff.learn.meter import Meter


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is to be done, with which rows, under which terms.

    Args:
        dataset: Labelled rows.
        terms: What answers are worth, traffic, prices, limits.
        minutes: Time budget. What was measured within it decides.
        seed: Seed of everything random.
        test: Rows to report on; cut from ``dataset`` where not given.
        name: Name of the artifact.
        runs: Folder of runs; a killed run with the same inputs goes on where it stopped.
        backbones: Backbones to try; chosen by the script of the texts where empty.
        project: Text of the ``payoff.toml``, which the artifact keeps.
        unlabelled: More texts of the same kind, for recipes that learn from those too.
        descriptions: Label to what it means, for recipes that start from words.
        progress: Who listens.
        meter: Books what the run uses and holds its budget; no books are kept where not given.
    """

    dataset: Dataset
    terms: Terms
    minutes: float = 10.0
    seed: int = 0
    test: Dataset | None = None
    name: str = "plan"
    runs: Path = Path("runs")
    backbones: Sequence[str] = ()
    project: str = ""
    unlabelled: Sequence[str] = ()
    descriptions: Mapping[str, str] = field(default_factory=dict)
    progress: Progress = field(default_factory=Silent)
    meter: Meter | None = None
