"""A service that exists: an artifact with what it costs, ready to be judged on rows."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from payoff.core.errors import ProjectError
from payoff.data.dataset import Dataset
from payoff.economics.costs import Step
from payoff.economics.decided import Decided
from payoff.economics.desk import Desk, load
from payoff.economics.ledger import Earning
from payoff.economics.traffic import Traffic
from payoff.plan.booked_answers import booked_answers
from payoff.plan.parts import segments_of

_FLOWS = (*Earning, "people", "profit")


@dataclass(frozen=True, eq=False, slots=True)
class MeasuredService:
    """An opened artifact and the costs that its own forecast names.

    Args:
        desk: What decides.
        person_each: What a person's time for one request costs; 0 where the artifact does not say.
        per_month: What it costs a month beside people: machine, transfer, training, labels; None
            where the artifact does not say. What the API of a cascade costs is no part of it: that
            is paid for each request which reaches it.
        traffic: The traffic it was made for; None where the artifact does not say.
        artifact: Where it lies, which says who pays what its endpoints charge.
    """

    desk: Desk
    person_each: float
    per_month: float | None
    traffic: Traffic | None
    artifact: Path

    @classmethod
    def open(cls, path: Path) -> MeasuredService:
        """Open ``NAME.payoff``, or that of a finished run's folder.

        Raises:
            ArtifactError: PF501 to PF504 where it cannot be used.
            ProjectError: PF291 where a folder holds no finished run.

        Example:
            >>> MeasuredService.open(Path("support.payoff")).person_each  # doctest: +SKIP
            1.4
        """
        artifact = _artifact(path)
        desk = load(artifact)
        try:
            documents = desk.artifact.documents
            costs = desk.artifact.read_json("costs.json") if "costs.json" in documents else {}
            text = desk.artifact.read("payoff.toml") if "payoff.toml" in documents else b""
            stated = tomllib.loads(text.decode("utf-8"))
            traffic = Traffic.from_dict(stated["traffic"]) if "traffic" in stated else None
            per_month = _per_month(costs, asked_apart=desk.cascade is not None)
            return cls(desk, _person_each(costs), per_month, traffic, artifact)
        except BaseException:
            desk.close()
            raise

    @contextmanager
    def opened(self) -> Iterator[MeasuredService]:
        """Close it when the block ends; what its endpoints charge until then is booked.

        Raises:
            As `payoff.plan.booked_answers.booked_answers` does.

        Example:
            >>> with MeasuredService.open(path).opened() as service:  # doctest: +SKIP
            ...     decided = service.decided(tickets)
        """
        with self.desk, booked_answers(self.desk, self.artifact):
            yield self

    def decided(self, dataset: Dataset) -> Decided:
        """What it does on labelled rows, and what asking the models of a cascade costs.

        Where the artifact says what its machines cost a month, models of one's own are part of
        that, and only an API is paid by the request.

        Raises:
            DataError: PF103 where no label column was named; PF104 where a label is unknown to it.
        """
        truth = dataset.codes(self.desk.labels)
        segments = segments_of(dataset)
        answered = self.desk.answered(dataset.texts, segments)
        asked = None
        if self.desk.cascade is not None:
            asked = np.cumsum(self._costs_each())[answered.tiers]
        said = answered.probabilities
        return Decided.of(self.desk.policy, said, truth, asked, segments)

    def _costs_each(self) -> list[float]:
        """What asking each tier costs a request, beside what is a cost of the month."""
        assert self.desk.cascade is not None
        return [
            cost if self.per_month is None or tier.kind == "endpoint" else 0.0
            for cost, tier in zip(self.desk.cascade.costs, self.desk.artifact.tiers, strict=True)
        ]


def _artifact(path: Path) -> Path:
    """The artifact itself, or the newest one of a run's folder."""
    if not path.is_dir() or (path / "manifest.json").exists():
        return path
    found = sorted(
        (one for one in path.glob("*.payoff") if (path / "summary.json").exists()),
        key=lambda one: one.stat().st_mtime,
    )
    if not found:
        raise ProjectError(
            "PF291", str(path), "no finished run is there", mend="Name a run's folder under runs/."
        )
    return found[-1]


def _person_each(costs: Mapping[str, Any]) -> float:
    lines = [line for line in costs.get("lines", ()) if line["step"] == "people"]
    return float(lines[0]["unit_price"]) if lines else 0.0


def _per_month(costs: Mapping[str, Any], *, asked_apart: bool) -> float | None:
    """Costs of the month; ``asked_apart`` where the API is paid by the request."""
    steps = costs.get("forecast", {}).get("waterfall")
    if steps is None:
        return None
    return fixed_per_month(
        [(s["name"], float(s["amount"])) for s in steps], asked_apart=asked_apart
    )


def fixed_per_month(steps: Iterable[tuple[str, float]], *, asked_apart: bool) -> float:
    """What a plan costs a month beside people, from the steps of its waterfall.

    Args:
        steps: Name and amount of each.
        asked_apart: Whether an API is left out, being paid by the request.

    Example:
        >>> fixed_per_month([("right answers", 90.0), ("inference", -5.0)], asked_apart=False)
        5.0
    """
    left_out = (*_FLOWS, Step.API.value) if asked_apart else _FLOWS
    return -sum(amount for name, amount in steps if name not in left_out)
