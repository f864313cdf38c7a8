"""Options: the best candidate of each recipe, in each precision, measured as it would be served."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from payoff.adapt.compress import compressors
from payoff.adapt.recipes.recipe import Candidate, Recipe
from payoff.adapt.workbench import Workbench
from payoff.artifact.calibration import Calibration
from payoff.artifact.runtime import open_tier
from payoff.artifact.runtime.threads import physical_cores
from payoff.artifact.tier import TierSpec
from payoff.artifact.write import write_artifact
from payoff.core.errors import EconomicsError
from payoff.core.money import Money
from payoff.economics.charge import PerInstance
from payoff.economics.costs import CostLine, PlanCosts, labels_line, training_line
from payoff.economics.desk import policy_document
from payoff.economics.forecast import Forecast, forecast
from payoff.economics.hosting import Hosting, cheapest, hosting_options
from payoff.economics.outcome import Outcome
from payoff.economics.requirement import Requirement
from payoff.economics.worlds import Worlds
from payoff.evidence.evidence import Evidence
from payoff.evidence.footprint import Footprint, measure_footprint
from payoff.evidence.latency import measure_latency
from payoff.evidence.machine import this_machine
from payoff.plan.judging import Judge
from payoff.plan.ladder import Tried, best_tried
from payoff.plan.runs import Run
from payoff.plan.terms import Terms

Logits = NDArray[np.float32]


@dataclass(frozen=True)
class Option:
    """One candidate in one precision, with all that was measured of it.

    Args:
        tried: The candidate and its training.
        precision: ``"fp32"`` or the compressor's name.
        spec: Its tier.
        folder: Where the tier's files are.
        calibration: Fitted on all validation rows.
        evidence: On validation rows, with cross-fitted calibration.
        hosting: The cheapest way to run it that holds the limits.
        reference: The cheapest rented machine that holds them at list price, to compare with.
        forecast: From validation rows: what the choice is made by.
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

    @property
    def name(self) -> str:
        """What people read."""
        return f"{self.tried.candidate.name} {self.precision}"

    @property
    def candidate(self) -> Candidate:
        """The candidate."""
        return self.tried.candidate

    def logits(self, texts: Sequence[str]) -> Logits:
        """Scores as served, ``(n_texts, n_labels)``."""
        return tier_logits(self.spec, self.folder, texts)


@dataclass(frozen=True)
class Workshop:
    """Makes options: exports, compresses, measures, prices.

    Args:
        recipes: Name to recipe.
        bench: The shared workbench.
        run: Where files go.
        judge: Values decisions on validation rows.
        terms: Value, traffic, prices.
        worlds: Drawn over the validation rows.
        n_labelled: Labelled rows, which cost what a label costs.
        refused: Options that no host can run within the limits, by name, and why.
    """

    recipes: dict[str, Recipe]
    bench: Workbench
    run: Run
    judge: Judge
    terms: Terms
    worlds: Worlds
    n_labelled: int
    refused: dict[str, EconomicsError] = field(default_factory=dict)

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
        for compressor in compressors():
            if compressor.applies(spec):
                small, place = self.compress(compressor.name, spec, folder)
                yield from self._hosted(tried, compressor.name, small, place)

    def _hosted(
        self, tried: Tried, precision: str, spec: TierSpec, folder: Path
    ) -> Iterator[Option]:
        """The measured option; none, and said, where no host holds the limits."""
        try:
            yield self.measure(tried, precision, spec, folder)
        except EconomicsError as error:
            if error.code != "PF616":
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

    def compress(self, name: str, spec: TierSpec, folder: Path) -> tuple[TierSpec, Path]:
        """Write a compressed copy of a tier."""
        place = folder.with_name(f"{folder.name}-{name}")
        compressor = next(c for c in compressors() if c.name == name)
        return compressor.compress(spec, folder, place), place

    def measure(self, tried: Tried, precision: str, spec: TierSpec, folder: Path) -> Option:
        """Quality on validation, speed and size here, the cheapest host, and the forecast."""
        self.bench.progress.say(f"measuring {tried.candidate.name} {precision}")
        texts = [self.bench.texts[row] for row in self.bench.validation]
        logits = tier_logits(spec, folder, texts)
        calibration = self.judge.calibration(logits)
        probabilities = self.judge.cross_fitted(logits)
        runtime = open_tier(spec, lambda name: (folder / name).read_bytes())
        evidence = Evidence.of(
            "validation",
            logits,
            self.judge.truth,
            probabilities=probabilities,
            latency=measure_latency(runtime.logits, texts, threads=physical_cores()),
            footprint=self._footprint(spec, folder, calibration),
            training_s=tried.seconds,
            machine=this_machine(),
        )
        hosting, reference = self.hosting(evidence, texts)
        return Option(
            tried,
            precision,
            spec,
            folder,
            calibration,
            evidence,
            hosting,
            reference,
            self.forecast(
                f"{tried.candidate.name} {precision}",
                self.judge.outcome(probabilities),
                self.worlds,
                self.costs(hosting, tried.seconds),
                reference,
            ),
        )

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

    def hosting(self, evidence: Evidence, texts: Sequence[str]) -> tuple[Hosting, Hosting]:
        """The cheapest host that holds the limits, and the cheapest rented machine beside it.

        Raises:
            EconomicsError: PF616 where no host holds them, with the reasons.
        """
        latency, footprint = evidence.latency, evidence.footprint
        assert latency is not None
        assert footprint is not None
        assert footprint.peak_rss_bytes is not None
        assert footprint.start_s is not None
        requirement = Requirement(
            texts_per_s=latency.texts_per_s,
            single_latency_ms=latency.p95_ms,
            memory_bytes=footprint.peak_rss_bytes,
            package_bytes=footprint.artifact_bytes,
            start_s=footprint.start_s,
            peak_factor=self.terms.traffic.peak_factor,
            latency_limit_ms=self.terms.latency_limit_ms,
            request_bytes=float(np.mean([len(text.encode()) for text in texts])) + 200,
            threads=latency.threads,
        )
        options = hosting_options(
            self.terms.prices,
            requirement,
            self.terms.traffic,
            currency=self.terms.currency,
            rates=self.terms.rates,
            providers=self.terms.providers or None,
            on=self.terms.on,
        )
        near = [o for o in options if self.terms.region in ("", o.region)]
        requests = self.terms.traffic.per_month
        chosen = cheapest(near, requests)
        rented = [o for o in near if o.meets_limits and o.priced and _is_rented(o)]
        return chosen, cheapest(rented, requests) if rented else chosen

    def costs(self, hosting: Hosting, training_s: float) -> PlanCosts:
        """All that a plan with this host and training costs."""
        once: list[CostLine] = [self._training(training_s)]
        if self.terms.label_price is not None:
            price = Money.of(self.terms.label_price, self.terms.currency)
            once.append(labels_line(self.n_labelled, price, source="payoff.toml [labels]"))
        return PlanCosts(
            once=tuple(once),
            hosting=hosting,
            person=self.terms.payoff.person,
            months_until_retraining=self.terms.months_until_retraining,
        )

    def _training(self, seconds: float) -> CostLine:
        machine = _training_machine(self.terms)
        if machine is None:
            return training_line(
                seconds,
                1,
                machine="this machine",
                as_of=None,
                source="no price in the currency",
                price_per_hour=Money.of(0, self.terms.currency),
            )
        name, price, as_of, source = machine
        return training_line(
            seconds, 1, machine=name, price_per_hour=price, as_of=as_of, source=source
        )

    def forecast(
        self, name: str, outcome: Outcome, worlds: Worlds, costs: PlanCosts, reference: Hosting
    ) -> Forecast:
        """What an outcome earns in some worlds."""
        return forecast(
            name,
            gross_values=outcome.gross_values,
            handed_over=outcome.handed_over,
            right_values=outcome.right_values,
            costs=costs,
            worlds=worlds,
            currency=self.terms.currency,
            nothing=self.terms.payoff.nothing,
            reference=reference,
        )


def _is_rented(hosting: Hosting) -> bool:
    """Whether it is a machine that is rented by the hour."""
    return any(isinstance(charge.quantity, PerInstance) for charge in hosting.charges)


def tier_logits(spec: TierSpec, folder: Path, texts: Sequence[str]) -> Logits:
    """Scores of a tier that lies in a folder, ``(n_texts, n_labels)``."""
    runtime = open_tier(spec, lambda name: (folder / name).read_bytes())
    return runtime.logits(texts)


def _training_machine(terms: Terms) -> tuple[str, Money, date, str] | None:
    """The cheapest rented machine of at least two processors, in the terms' currency."""
    found = []
    for price in terms.prices.find(kind="instance", on=terms.on):
        if (price.vcpu or 0) < 2 or (terms.providers and price.provider not in terms.providers):
            continue
        hourly = price.per_hour
        if hourly.currency != terms.currency:
            if terms.rates is None:
                continue
            hourly = terms.rates.convert(hourly, terms.currency, terms.on)
        found.append((hourly, price))
    if not found:
        return None
    hourly, price = min(found, key=lambda pair: pair[0])
    return f"{price.provider} {price.item}", hourly, price.as_of, price.source
