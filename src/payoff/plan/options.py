"""Options: the best candidate of each recipe, in each precision, measured as it would be served."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from payoff.adapt.compress import compress_by, compressed_part, ways
from payoff.adapt.recipes.recipe import Candidate, Recipe
from payoff.adapt.workbench import Workbench
from payoff.artifact.calibration import Calibration
from payoff.artifact.runtime import Runtime
from payoff.artifact.runtime.endpoint import EndpointRuntime
from payoff.artifact.runtime.threads import physical_cores
from payoff.artifact.tier import TierSpec
from payoff.artifact.write import write_artifact
from payoff.core.errors import EconomicsError
from payoff.economics.desk import policy_document
from payoff.economics.forecast import Forecast
from payoff.economics.hosting import Hosting
from payoff.economics.policy import Policy
from payoff.economics.tokens import Tokens
from payoff.economics.worlds import Worlds
from payoff.evidence.calibration_choice import CalibrationChoice
from payoff.evidence.evidence import Evidence
from payoff.evidence.footprint import Footprint, measure_footprint
from payoff.evidence.latency import Latency, measure_latency
from payoff.evidence.machine import this_machine
from payoff.plan.asking import latency_of_answers, opened
from payoff.plan.judging import Judge
from payoff.plan.ladder import Tried, best_tried
from payoff.plan.measured import Measured, hosting_of
from payoff.plan.reckoning import Reckoning
from payoff.plan.runs import Run
from payoff.plan.terms import Terms

Logits = NDArray[np.float32]


@dataclass(frozen=True)
class Option:
    """One candidate in one precision, with all that was measured of it.

    Args:
        tried: The candidate and its training.
        precision: ``"fp32"``, or how it was compressed, such as ``"trim+int8"``.
        spec: Its tier.
        folder: Where the tier's files are.
        calibration: The best method, fitted on all validation rows.
        evidence: On validation rows, with cross-fitted calibration.
        hosting: The cheapest way to run it that holds the limits.
        reference: The cheapest rented machine that holds them at list price, to compare with.
        forecast: From validation rows: what the choice is made by.
        policy: What is done at which of its probabilities: floors and people's capacity kept.
        probabilities: Cross-fitted, of the validation rows, ``(n_validation, n_labels)``.
    """

    tried: Tried
    precision: str
    spec: TierSpec
    folder: Path
    calibration: Calibration
    evidence: Evidence
    hosting: Hosting
    reference: Hosting
    forecast: Forecast
    policy: Policy
    probabilities: NDArray[np.float64] = field(repr=False, compare=False)

    @property
    def name(self) -> str:
        """What people read."""
        return f"{self.tried.candidate.name} {self.precision}"

    @property
    def candidate(self) -> Candidate:
        """The candidate."""
        return self.tried.candidate

    @property
    def recipe(self) -> str:
        """Of its candidate."""
        return self.tried.candidate.recipe

    @property
    def backbone(self) -> str:
        """Of its candidate; empty where it has none."""
        return self.tried.candidate.backbone

    @property
    def training_s(self) -> float:
        """Seconds that its training took."""
        return self.tried.seconds

    @property
    def tiers(self) -> tuple[Option, ...]:
        """The models that it asks: itself."""
        return (self,)

    @property
    def measured(self) -> Measured:
        """What is reckoned from, as a run keeps it."""
        return Measured(
            self.name,
            self.recipe,
            self.evidence,
            self.training_s,
            self.probabilities.astype(np.float32),
            tokens=tokens_of(self.spec),
        )


@dataclass(frozen=True)
class Workshop:
    """Makes options: exports, compresses, measures, prices.

    Args:
        recipes: Name to recipe.
        bench: The shared workbench.
        run: Where files go.
        judge: Values decisions on validation rows.
        reckoning: Turns what was measured into money.
        worlds: Drawn over the validation rows.
        refused: Options that break a limit of the host or a floor, by name, and why.
    """

    recipes: dict[str, Recipe]
    bench: Workbench
    run: Run
    judge: Judge
    reckoning: Reckoning
    worlds: Worlds
    refused: dict[str, EconomicsError] = field(default_factory=dict)

    @property
    def terms(self) -> Terms:
        """Value, traffic, prices."""
        return self.reckoning.terms

    @property
    def cost_per_hour(self) -> float:
        """What an hour of searching costs: waiting, and the machine as stated or as rented."""
        meter = self.run.meter
        stated = None if meter is None else meter.terms.machine_per_hour
        machine = self.reckoning.machine_per_hour if stated is None else stated
        return self.terms.hour_of_waiting + machine

    def options(self, tried: Sequence[Tried]) -> Iterator[Option]:
        """Every precision of the best trained candidate of each recipe."""
        for name in self.recipes:
            mine = [t for t in tried if t.candidate.recipe == name and t.status == "trained"]
            if mine:
                yield from self.precisions(best_tried(mine))

    def precisions(self, tried: Tried) -> Iterator[Option]:
        """The candidate as trained, and compressed in every way that applies."""
        spec, folder = self.export(tried.candidate, self.bench)
        yield from self._hosted(tried, "fp32", spec, folder)
        for way in ways(compressed_part(spec, folder)):
            small, place = self.compress(way, spec, folder)
            yield from self._hosted(tried, way, small, place)

    def _hosted(
        self, tried: Tried, precision: str, spec: TierSpec, folder: Path
    ) -> Iterator[Option]:
        """The measured option; none, and said, where no host or no policy holds the limits."""
        try:
            yield self.measure(tried, precision, spec, folder)
        except EconomicsError as error:
            if error.code not in ("PF616", "PF640"):
                raise
            name = f"{tried.candidate.name} {precision}"
            self.bench.progress.say(f"{name}: {error}")
            self.refused[name] = error

    def export(
        self, candidate: Candidate, bench: Workbench, suffix: str = ""
    ) -> tuple[TierSpec, Path]:
        """Write a candidate's tier from what its attempt saved under its key and ``suffix``."""
        place = self.run.tier(f"{candidate.key}{suffix}")
        recipe = self.recipes[candidate.recipe]
        spec = recipe.export(candidate, bench, self.run.attempt(f"{candidate.key}{suffix}"), place)
        return spec, place

    def compress(self, way: str, spec: TierSpec, folder: Path) -> tuple[TierSpec, Path]:
        """Write a compressed copy of a tier, made from training texts where it needs any."""
        place = folder.with_name(f"{folder.name}-{way}")
        texts = (*(self.bench.texts[row] for row in self.bench.train), *self.bench.unlabelled)
        return compress_by(way, spec, folder, place, texts=texts), place

    def opened(self, candidate: Candidate, spec: TierSpec, folder: Path) -> Runtime:
        """A tier, ready to be measured; an endpoint within its caps, and with what it answered."""
        recipe = self.recipes[candidate.recipe]
        return opened(
            spec, folder, run=self.run, recipe=recipe, candidate=candidate, bench=self.bench
        )

    def measure(self, tried: Tried, precision: str, spec: TierSpec, folder: Path) -> Option:
        """Quality on validation, speed and size here, the cheapest host, and the forecast."""
        logits, calibrated, latency, footprint = self._measured(tried, precision, spec, folder)
        calibration, probabilities = calibrated.calibration, calibrated.probabilities
        terms = self.terms
        judge = self.judge.held(probabilities, terms.floors, most_handed=terms.most_handed)
        evidence = Evidence.of(
            "validation",
            logits,
            self.judge.truth,
            probabilities=probabilities,
            calibration=calibrated.report,
            latency=latency,
            footprint=footprint,
            training_s=tried.seconds,
            machine=this_machine(),
        )
        reckoning = self.reckoning
        name = f"{tried.candidate.name} {precision}"
        hosting, reference = hosting_of(evidence, tokens_of(spec), reckoning)
        return Option(
            tried,
            precision,
            spec,
            folder,
            calibration,
            evidence,
            hosting,
            reference,
            reckoning.forecast(
                name,
                judge.outcome(probabilities),
                self.worlds,
                reckoning.costs(hosting, tried.seconds),
                reference,
            ),
            judge.policy,
            probabilities,
        )

    def _measured(
        self, tried: Tried, precision: str, spec: TierSpec, folder: Path
    ) -> tuple[Logits, CalibrationChoice, Latency, Footprint]:
        """What a tier says of the validation rows, how fast, and what it takes.

        A run that was stopped goes on behind what it had measured.
        """
        key = f"{tried.candidate.key}-{precision}"
        kept = self.run.measured(key)
        if kept is not None:
            told, logits = kept
            latency, footprint = Latency(**told["latency"]), Footprint(**told["footprint"])
            return logits, self.judge.calibrated(logits), latency, footprint
        self.bench.progress.say(f"measuring {tried.candidate.name} {precision}")
        texts = [self.bench.texts[row] for row in self.bench.validation]
        runtime = self.opened(tried.candidate, spec, folder)
        logits = runtime.logits(texts)
        latency, calibrated = _latency(runtime, texts), self.judge.calibrated(logits)
        footprint = self._footprint(spec, folder, calibrated.calibration)
        told = {"latency": latency.as_dict(), "footprint": footprint.as_dict()}
        self.run.note_measured(key, told, logits)
        return logits, calibrated, latency, footprint

    def _footprint(self, spec: TierSpec, folder: Path, calibration: Calibration) -> Footprint:
        """Size, memory and start of an artifact with this tier alone."""
        trial = self.run.folder / "trial.payoff"
        write_artifact(
            trial,
            name="trial",
            labels=self.bench.labels,
            tiers=[(spec, folder)],
            calibrations=[calibration],
            documents={"policy.json": policy_document(self.judge.policy, self.terms.currency)},
            seed=self.bench.seed,
            data_fingerprint="",
        )
        footprint = measure_footprint(trial)
        trial.unlink()
        return footprint


def tokens_of(spec: TierSpec) -> Tokens | None:
    """What a text takes of somebody else's model; None for one's own."""
    return Tokens.of_settings(spec.settings) if spec.kind == "endpoint" else None


def _latency(runtime: Runtime, texts: Sequence[str]) -> Latency:
    """Measured here; of an endpoint, what its answers took, while one thread here waits."""
    if isinstance(runtime, EndpointRuntime):
        return replace(latency_of_answers(runtime, texts), threads=1)
    return measure_latency(runtime.logits, texts, threads=physical_cores())
