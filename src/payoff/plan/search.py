"""The search: from labelled texts and terms to the plan that is expected to earn most.

1. Cut the rows into training, validation and test.
2. Try candidates by successive halving on validated profit (`ladder`).
3. Export the best of each recipe in every precision and measure it as served (`options`).
4. Solve the best cascade of them, and choose among them and it by validated profit; train the
   choice again on all rows that are not test rows.
5. Report on the test rows, which took no part in any of this.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from payoff.adapt.backbones.find import find
from payoff.adapt.recipes import recipe_named, recipes
from payoff.adapt.recipes.recipe import Recipe
from payoff.adapt.workbench import Workbench
from payoff.core.errors import AdaptError, EconomicsError, ProjectError, did_you_mean, raise_all
from payoff.core.extras import require
from payoff.core.findings import Finding
from payoff.core.progress import Progress, Silent
from payoff.data.dataset import Dataset
from payoff.data.inspection import inspect
from payoff.data.splits import split
from payoff.economics.payoff import Payoff
from payoff.economics.traffic import Traffic
from payoff.plan.cascades.cascade_option import CascadeOption, cascade_among
from payoff.plan.choice import expected_recipe, preferred
from payoff.plan.clock import Clock
from payoff.plan.conclusion import conclude
from payoff.plan.judging import Judge
from payoff.plan.ladder import Ladder, Tried
from payoff.plan.learning_inputs import learning_inputs
from payoff.plan.options import Option, Workshop
from payoff.plan.parts import Parts, parts_of, segments_of, validation_share
from payoff.plan.plan import Plan
from payoff.plan.reckoning import Reckoning
from payoff.plan.runs import Run
from payoff.plan.terms import Terms
from payoff.plan.trackers.tracking import ended, keep_evidence

if TYPE_CHECKING:
    from payoff.learn.meter import Meter

_ENVELOPE_BYTES = 200  # of a request beside its text
_MEASURING_S = 24.0  # quick options and the report
_MEASURING_S_A_MEGABYTE = 0.25  # seen here: four options of an encoder, 29 s at 91 MB, 115 at 471


def search(
    dataset: Dataset,
    worth: Payoff,
    *,
    traffic: Traffic,
    minutes: float = 10.0,
    seed: int = 0,
    test: Dataset | None = None,
    terms: Terms | None = None,
    name: str = "plan",
    runs: Path | str = "runs",
    backbones: Sequence[str] = (),
    only: Sequence[str] = (),
    project: str = "",
    unlabelled: Sequence[str] = (),
    descriptions: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    meter: Meter | None = None,
) -> Plan:
    """Find the plan with the highest expected profit.

    Args:
        dataset: Labelled rows.
        worth: What right, wrong and handed-over requests are worth.
        traffic: Requests a month.
        minutes: Time budget. What was measured within it decides; a candidate that does not fit
            is listed as not run.
        seed: Seed of everything random.
        test: Rows to report on; cut from ``dataset`` where not given.
        terms: All other terms; those that nobody stated where not given.
        name: Name of the artifact.
        runs: Folder of runs; a killed run with the same inputs goes on where it stopped.
        backbones: Backbones to try; chosen by the script of the texts where empty.
        only: Recipes to try; all that may pay where empty. Only one that is named here sends texts
            to an endpoint.
        project: Text of the ``payoff.toml``, which the artifact keeps.
        unlabelled: More texts of the same kind, for recipes that learn from those too.
        descriptions: Label to what it means, for recipes that start from words.
        progress: Who listens.
        meter: Books what the run uses and holds its budget; no books are kept where not given.

    Returns:
        The plan, with its forecast from test rows; its artifact lies in the run's folder.

    Raises:
        DataError: PF104 or PF106 where the rows cannot be learnt from.
        AdaptError: PF401 for an unknown recipe; PF403 where no candidate could be trained; PF405
            where a recipe that is named lacks what it needs.
        EconomicsError: PF605 or PF607 where the LLM API that the terms name has no price; PF601 or
            PF605 where no host has one; PF616 where no host holds the limits; PF620 before the
            budget would be exceeded; PF629 where it cannot be held at an endpoint.
        MachineError: PF803 where the extra ``tune`` is not installed; PF811, PF812, PF814, PF816 or
            PF817 where an endpoint cannot be asked.

    Example:
        >>> plan = search(tickets, worth, traffic=Traffic(40_000))  # doctest: +SKIP
        >>> plan.forecast.profit.interval(0.9)  # doctest: +SKIP
        (Money(91210 USD), Money(104870 USD))
    """
    require("torch", "tune", "training")
    listener = progress or Silent()
    terms = replace(terms, payoff=worth, traffic=traffic) if terms else Terms(worth, traffic)
    cut = split(dataset, test_set=test, seed=seed, validation=validation_share(dataset, test))
    parts = parts_of(cut)
    # What does not fit is told before training.
    worth.check_fits(parts.labels, segments_of(dataset), source=dataset.source)
    chosen = tuple(dict.fromkeys(backbones)) or suited_backbones(parts.train_texts)
    wanted = _wanted(only)
    told = checked_descriptions(descriptions or {}, parts.labels)
    run = Run.open(
        Path(runs),
        name,
        learning=learning_inputs(
            dataset, test, seed, chosen, unlabelled=unlabelled, descriptions=told
        ),
        choosing={"terms": terms.as_dict(), "minutes": minutes, "recipes": sorted(wanted)},
    )
    run = replace(run, meter=meter)
    reckoning = _reckoning(terms, parts)
    reckoning.check_hosts()
    if "model" in terms.llm:
        reckoning.price_api()  # what is wrong with it is told now, not after the work
    clock = _clock(minutes, chosen, run, listener)
    bench = bench_of(parts, chosen, run, seed=seed, progress=listener)
    bench = replace(bench, unlabelled=tuple(unlabelled), descriptions=told)
    workshop = _workshop(wanted, parts, reckoning, run, bench)
    if meter is not None:
        meter.book("reading and checking the rows")
    tried = _climb(workshop, clock, named=only, asked=parts.test_texts)
    options = _options(workshop, tried, minutes)
    tell_options(listener, tried, options, run)
    cascade, no_cascade = _cascade(workshop, options)
    compared: list[Option | CascadeOption] = [*options]
    if cascade is not None:
        compared.append(cascade)
    plan = conclude(
        workshop,
        best(compared, terms, expected_recipe(bench)),
        options,
        tried,
        parts=parts,
        cut=cut,
        clock=clock,
        worlds=reckoning.worlds(parts.test_targets, seed),
        findings=_findings(dataset, test, parts, terms),
        name=name,
        project=project,
        cascade=cascade,
        no_cascade=no_cascade,
    )
    run.tidy()
    if meter is not None:
        meter.book("choosing, exporting and measuring")
    return plan


def tell_options(
    listener: Progress, tried: Sequence[Tried], options: Sequence[Option], run: Run
) -> None:
    """What a tracker is told once all candidates are tried and the best measured as served."""
    for option in options:
        note = f"{option.candidate.key}-{option.precision}.json"
        keep_evidence(listener, option.candidate, option.evidence, run.folder / "evidence" / note)
    for one in tried:
        ended(listener, one.candidate, "finished" if one.status == "trained" else "stopped")


def _clock(minutes: float, backbones: Sequence[str], run: Run, listener: Progress) -> Clock:
    """The budget, less what exporting and measuring will take and what was spent before."""
    if run.spent_before_s:
        listener.say(f"going on with {run.folder}, {run.spent_before_s:.0f} s of it spent before")
    megabytes = sum(b.laid_bytes for b in map(find, backbones) if b.family == "encoder") / 1e6
    measuring = _MEASURING_S + _MEASURING_S_A_MEGABYTE * megabytes
    budget = minutes * 60
    return Clock(budget, reserve_s=min(0.3 * budget, measuring), before_s=run.spent_before_s)


def bench_of(
    parts: Parts, backbones: tuple[str, ...], run: Run, *, seed: int, progress: Progress
) -> Workbench:
    """A workbench over the rows to learn from, with activations kept in the run's folder."""
    return Workbench(
        texts=parts.learnt_texts,
        targets=parts.learnt_targets,
        labels=parts.labels,
        train=parts.train,
        validation=parts.validation,
        backbones=backbones,
        folder=run.activations,
        seed=seed,
        progress=progress,
    )


def _workshop(
    wanted: dict[str, Recipe], parts: Parts, reckoning: Reckoning, run: Run, bench: Workbench
) -> Workshop:
    truth = parts.learnt_targets[parts.validation]
    judge = Judge(
        reckoning.terms.payoff,
        reckoning.policy(),
        truth,
        bench.seed,
        parts.validation_segments,
    )
    worlds = reckoning.worlds(truth, bench.seed)
    return Workshop(wanted, bench, run, judge, reckoning, worlds)


def _reckoning(terms: Terms, parts: Parts) -> Reckoning:
    texts = [parts.learnt_texts[row] for row in parts.validation]
    return Reckoning(
        terms,
        parts.labels,
        n_labelled=len(parts.learnt_texts),
        training_counts=np.bincount(parts.learnt_targets[parts.train], minlength=len(parts.labels)),
        request_bytes=float(np.mean([len(text.encode()) for text in texts])) + _ENVELOPE_BYTES,
        characters_per_text=float(np.mean([len(text) for text in parts.learnt_texts])),
    )


def _options(workshop: Workshop, tried: list[Tried], minutes: float) -> list[Option]:
    """What can be chosen from.

    Raises:
        AdaptError: PF403 where nothing could be trained.
        EconomicsError: PF616 where no host holds the limits of anything that was.
    """
    options = list(workshop.options(tried))
    if not options and workshop.refused:
        raise next(iter(workshop.refused.values()))
    if not options:
        raise AdaptError(
            "PF403",
            f"search in {minutes:g} minutes",
            "; ".join(f"{t.candidate.name}: {t.why}" for t in tried) or "there is no candidate",
            mend="Give more minutes.",
        )
    return options


def _findings(
    dataset: Dataset, test: Dataset | None, parts: Parts, terms: Terms
) -> tuple[Finding, ...]:
    """What the report tells of the data, the payoff and the prices."""
    return (
        *inspect(dataset, test_set=test),
        *parts.findings,
        *terms.payoff.check(parts.labels, source=dataset.source),
        *terms.prices.check(terms.on),
        *(() if terms.rates is None else terms.rates.check(terms.on)),
    )


def _cascade(workshop: Workshop, options: Sequence[Option]) -> tuple[CascadeOption | None, str]:
    """The best cascade of the options, or why there is none."""
    try:
        return cascade_among(workshop, options), ""
    except EconomicsError as error:
        if error.code != "PF621":
            raise
        return None, error.found


def best(
    options: Sequence[Option | CascadeOption], terms: Terms, expected: str
) -> Option | CascadeOption:
    """The option to take; ``expected`` as `choice.preferred` says."""
    place = preferred(
        [option.forecast.profit for option in options],
        [option.recipe for option in options],
        aversion=terms.risk_aversion,
        expected=expected,
    )
    return options[place]


def suited_backbones(texts: Sequence[str]) -> tuple[str, ...]:
    """Backbones that know the script of the texts: a multilingual one from 2 % of letters on.

    Example:
        >>> suited_backbones(["where is my card"])
        ('minilm-l6', 'wordllama-256')
        >>> suited_backbones(["我的卡在哪里"])
        ('e5-small-multi', 'wordllama-256')
    """
    letters = Counter("latin" if c < "ɐ" else "other" for t in texts for c in t if c.isalpha())
    foreign = letters["other"] / max(1, letters.total())
    return ("e5-small-multi" if foreign > 0.02 else "minilm-l6", "wordllama-256")


def _climb(
    workshop: Workshop, clock: Clock, *, named: Sequence[str], asked: Sequence[str]
) -> list[Tried]:
    ladder = Ladder(
        workshop.recipes,
        workshop.bench,
        workshop.run,
        clock,
        workshop.judge.score,
        worth_of_perfection=workshop.judge.perfect_value(),
        worth_a_second=workshop.cost_per_hour / 3600 / workshop.terms.requests,
        named=named,
        asked=asked,
    )
    return ladder.climb()


def _wanted(only: Sequence[str]) -> dict[str, Recipe]:
    """The recipes to try, by name.

    Raises:
        AdaptError: PF401 where one is unknown.
    """
    known = {recipe.name: recipe for recipe in recipes()}
    for name in only:
        if name not in known:
            recipe_named(name)
    return {name: known[name] for name in (only or known)}


def checked_descriptions(
    descriptions: Mapping[str, str], labels: Sequence[str]
) -> Mapping[str, str]:
    """The same descriptions.

    Raises:
        Problems: PF203 for each that is of a label that the data lack.

    Example:
        >>> checked_descriptions({"refund": "Money back"}, ["card", "refund"])
        {'refund': 'Money back'}
    """
    raise_all(
        ProjectError(
            "PF203",
            "descriptions",
            f"label '{label}' does not occur in the rows to learn from",
            mend=did_you_mean(label, list(labels)) or "Correct or remove it.",
        )
        for label in descriptions
        if label not in labels
    )
    return descriptions
