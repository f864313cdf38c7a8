"""The walk: from models as they were trained, stage by stage, to smaller forms of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from payoff.adapt.compress import JOINT, compressors
from payoff.adapt.compress.stages import STAGES, at_stage
from payoff.core.errors import AdaptError, EconomicsError
from payoff.plan.clock import Clock
from payoff.plan.compressing.frontier import Position, frontier
from payoff.plan.compressing.limits import Limits
from payoff.plan.ladder import Tried
from payoff.plan.options import Option, Workshop

WHOLE = "fp32"
"""The way of a model that is not compressed."""


@dataclass(frozen=True)
class Refused:
    """A form that was not measured, or cannot be served, and why."""

    name: str
    why: str


@dataclass(frozen=True)
class Walked:
    """What a walk found.

    Args:
        whole: The first model as it was trained: what losses are told against.
        options: Every form that was measured, in the order of the walk, the whole one first.
        refused: Forms that were not.
        positions: Where each form stands, by its name.
    """

    whole: Option
    options: tuple[Option, ...]
    refused: tuple[Refused, ...]
    positions: Mapping[str, Position]


@dataclass
class Walk:
    """Takes models through the stages; from stage to stage, what is on the frontier goes on.

    A chain has at most one compressor of a stage. A form that another one is better than in
    everything, or that loses more than may be lost, is told and left: nothing is built on it.

    Args:
        workshop: Exports, compresses and measures.
        clock: Where the time is over, what was measured decides.
        limits: What must hold.
    """

    workshop: Workshop
    clock: Clock
    limits: Limits

    def through(self, models: Sequence[Tried]) -> Walked:
        """Walk.

        Args:
            models: Trained; the first is what losses are told against.

        Raises:
            EconomicsError: PF616 or PF640 where not even the first can be served as it is.
        """
        self._refused: list[Refused] = []
        self._options: list[Option] = []
        for place, tried in enumerate(models):
            spec, folder = self.workshop.export(tried.candidate, self.workshop.bench)
            if place == 0:
                self._options.append(self.workshop.measure(tried, WHOLE, spec, folder))
            else:
                self._options += self._formed(tried, WHOLE, None)
        for number, stage in enumerate(STAGES):
            self.workshop.bench.progress.step("stages", number, len(STAGES))
            self._options += [*self._next(stage)]
        self.workshop.bench.progress.step("stages", len(STAGES), len(STAGES))
        positions = {option.name: self._position(option) for option in self._options}
        return Walked(self._options[0], tuple(self._options), tuple(self._refused), positions)

    def _next(self, stage: str) -> Iterator[Option]:
        """Every form of a stage that follows what is on the frontier."""
        known = compressors()
        for option in self._front():
            for name in at_stage(stage, option.spec, known):
                way = name if option.precision == WHOLE else f"{option.precision}{JOINT}{name}"
                if self.clock.left() <= 0:
                    self._refuse(option.tried, way, "the time is over")
                    continue
                yield from self._formed(option.tried, way, option)

    def _front(self) -> list[Option]:
        """What goes on."""
        whole = self._options[0]
        able = [one for one in self._options if not self.limits.loses_too_much(one, whole)]
        names = {one.name for one in frontier([self._position(option) for option in able])}
        return [option for option in able if option.name in names]

    def _formed(self, tried: Tried, way: str, before: Option | None) -> Iterator[Option]:
        """The measured form; none, and said, where it cannot be made or served."""
        workshop = self.workshop
        try:
            if before is None:
                spec, folder = workshop.export(tried.candidate, workshop.bench)
            else:
                last = way.rpartition(JOINT)[2]
                spec, folder = workshop.compress(last, before.spec, before.folder)
            yield workshop.measure(tried, way, spec, folder)
        except (AdaptError, EconomicsError) as error:
            if isinstance(error, EconomicsError) and error.code not in ("PF616", "PF640"):
                raise
            self._refuse(tried, way, str(error))

    def _refuse(self, tried: Tried, way: str, why: str) -> None:
        name = f"{tried.candidate.name} {way}"
        self.workshop.bench.progress.say(f"{name}: {why}")
        self._refused.append(Refused(name, why))

    def _position(self, option: Option) -> Position:
        """Where an option stands, by validation rows and by what was measured here."""
        latency, footprint = option.evidence.latency, option.evidence.footprint
        assert latency is not None
        assert footprint is not None
        return Position(
            option.name,
            self.workshop.judge.scored(option.probabilities).value,
            footprint.artifact_bytes,
            footprint.peak_rss_bytes or 0.0,
            latency.p50_ms,
            1.0 / max(latency.texts_per_s, 1e-9),
        )
