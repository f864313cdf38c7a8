"""The walk: from models as they were trained, stage by stage, to smaller forms of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from payoff.adapt.compress import JOINT, compressed_part, compressors
from payoff.adapt.compress.compressor import Compressor
from payoff.adapt.compress.stages import STAGES, at_stage
from payoff.core.errors import AdaptError, EconomicsError
from payoff.plan.clock import Clock
from payoff.plan.compressing.frontier import Position, frontier
from payoff.plan.compressing.limits import Limits
from payoff.plan.ladder import Tried
from payoff.plan.options import Option, Workshop

WHOLE = "fp32"
"""The way of a model that is not compressed."""

USUAL = ("trim", "int8", "early-exit", "zstd")
"""Compressors of the first pass: what nearly always pays."""

BREADTH = 6
"""Forms of the frontier that a stage builds on, from the smallest to the whole one."""

_STORAGE = STAGES[-1]
_MORE_ROWS = 1.5  # of the time of a training, for one on all rows
_QUICK_LEVEL = 3  # of zstd, to see what a form would take packed


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
    everything, or that loses more than may be lost, is told and left: nothing is built on it. On
    the way forms are compared by what they would take packed, since some compressors do nothing
    but make that less. The first pass has the usual compressors only; the second has all others,
    as far as the time goes.

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
        self._packed: dict[str, int] = {}
        # The one that is chosen learns once more, from all rows.
        self._to_train = _MORE_ROWS * max(tried.seconds for tried in models)
        for place, tried in enumerate(models):
            spec, folder = self.workshop.export(tried.candidate, self.workshop.bench)
            if place == 0:
                self._options.append(self.workshop.measure(tried, WHOLE, spec, folder))
            else:
                self._options += self._formed(tried, WHOLE, None)
        known = compressors()
        usual = [one for one in known if one.name in USUAL]
        for turn, able in enumerate((usual, known)):
            for number, stage in enumerate(STAGES):
                self._tell(turn * len(STAGES) + number)
                self._options += [*self._next(stage, able)]
        self._tell(2 * len(STAGES))
        positions = {option.name: self._position(option) for option in self._options}
        return Walked(self._options[0], tuple(self._options), tuple(self._refused), positions)

    def _tell(self, done: int) -> None:
        self.workshop.bench.progress.step("stages", done, 2 * len(STAGES))

    def _next(self, stage: str, able: Sequence[Compressor]) -> Iterator[Option]:
        """Every form of a stage that follows what is on the frontier, and is not there yet."""
        there = {option.name for option in self._options} | {one.name for one in self._refused}
        for option in self._front():
            part = compressed_part(option.spec, option.folder)
            for name in at_stage(stage, part, able):
                way = name if option.precision == WHOLE else f"{option.precision}{JOINT}{name}"
                if _name(option.tried, way) in there or _stage_reached(option) >= STAGES.index(
                    stage
                ):
                    continue
                if self.clock.left() <= self._to_train and stage != _STORAGE:
                    self._refuse(option.tried, way, "the time is over")
                    continue
                yield from self._formed(option.tried, way, option)

    def _front(self) -> list[Option]:
        """What is built on: the frontier, spread over the sizes where it is long."""
        whole = self._options[0]
        able = [one for one in self._options if not self.limits.loses_too_much(one, whole)]
        places = {one.name: self._position(one, packed=True) for one in able}
        names = {one.name for one in frontier([*places.values()])}
        found = [option for option in able if option.name in names]
        found.sort(key=lambda option: places[option.name].size_bytes)
        if len(found) <= BREADTH:
            return found
        return [found[round(n * (len(found) - 1) / (BREADTH - 1))] for n in range(BREADTH)]

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
        name = _name(tried, way)
        self.workshop.bench.progress.say(f"{name}: {why}")
        self._refused.append(Refused(name, why))

    def _position(self, option: Option, *, packed: bool = False) -> Position:
        """Where an option stands, by validation rows and by what was measured here.

        Args:
            option: Which.
            packed: By what its files would take packed, and not by what they take.
        """
        latency, footprint = option.evidence.latency, option.evidence.footprint
        assert latency is not None
        assert footprint is not None
        return Position(
            option.name,
            self.workshop.judge.scored(option.probabilities).value,
            self._packed_bytes(option) if packed else footprint.artifact_bytes,
            footprint.peak_rss_bytes or 0.0,
            latency.p50_ms,
            1.0 / max(latency.texts_per_s, 1e-9),
        )

    def _packed_bytes(self, option: Option) -> int:
        """What the files of a form would take, packed quickly."""
        import zstandard

        if option.name not in self._packed:
            packer = zstandard.ZstdCompressor(level=_QUICK_LEVEL)
            files = [(option.folder / member).read_bytes() for member in option.spec.members]
            self._packed[option.name] = sum(len(packer.compress(file)) for file in files)
        return self._packed[option.name]


def _name(tried: Tried, way: str) -> str:
    return f"{tried.candidate.name} {way}"


def _stage_reached(option: Option) -> int:
    """Place of the last stage that a form went through; -1 for none."""
    if option.precision == WHOLE:
        return -1
    last = option.precision.rpartition(JOINT)[2]
    return max((STAGES.index(one.stage) for one in compressors() if one.name == last), default=-1)
