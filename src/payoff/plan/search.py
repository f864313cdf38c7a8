"""The search: from labelled texts and terms to the plan that is expected to earn most.

1. Cut the rows into training, validation and test.
2. Try candidates by successive halving on validated profit (`ladder`).
3. Export the best of each recipe in every precision and measure it as served (`options`).
4. Solve the best cascade of them, and choose among them and it by validated profit; train the
   choice again on all rows that are not test rows.
5. Report on the test rows, which took no part in any of this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from payoff.adapt.recipes import recipe_named, recipes
from payoff.adapt.recipes.recipe import Recipe
from payoff.core.errors import AdaptError, EconomicsError
from payoff.core.extras import require
from payoff.core.progress import Progress, Silent
from payoff.data.dataset import Dataset
from payoff.economics.payoff import Payoff
from payoff.economics.traffic import Traffic
from payoff.plan.cascades.cascade_option import CascadeOption, cascade_among
from payoff.plan.choice import expected_recipe, preferred
from payoff.plan.conclusion import conclude
from payoff.plan.job import Job
from payoff.plan.ladder import Tried
from payoff.plan.options import Option, Workshop
from payoff.plan.plan import Plan
from payoff.plan.prepared import Prepared
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
    job = Job(
        dataset=dataset,
        terms=replace(terms or Terms(worth, traffic), payoff=worth, traffic=traffic),
        minutes=minutes,
        seed=seed,
        test=test,
        name=name,
        runs=Path(runs),
        backbones=backbones,
        project=project,
        unlabelled=unlabelled,
        descriptions=descriptions or {},
        progress=progress or Silent(),
        meter=meter,
    )
    return search_for(job, only=only)


def search_for(job: Job, *, only: Sequence[str] = ()) -> Plan:
    """`search` for a job.

    Args:
        job: Rows, terms, budget.
        only: Recipes to try, as `search` has it.
    """
    require("torch", "tune", "training")
    wanted = _wanted(only)
    prepared = Prepared.of(job, wanted, {"recipes": sorted(wanted)})
    tried = prepared.ladder(named=only).climb()
    prepared = prepared.after(tried)
    workshop = prepared.workshop
    options = _options(workshop, tried, job.minutes)
    tell_options(job.progress, tried, options, workshop.run)
    cascade, no_cascade = _cascade(workshop, options)
    compared: list[Option | CascadeOption] = [*options]
    if cascade is not None:
        compared.append(cascade)
    expected = expected_recipe(workshop.bench, [option.recipe for option in options])
    chosen = best(compared, job.terms, expected)
    return conclude(prepared, chosen, options, tried, cascade=cascade, no_cascade=no_cascade)


def tell_options(
    listener: Progress, tried: Sequence[Tried], options: Sequence[Option], run: Run
) -> None:
    """What a tracker is told once all candidates are tried and the best measured as served."""
    for option in options:
        note = f"{option.candidate.key}-{option.precision}.json"
        keep_evidence(listener, option.candidate, option.evidence, run.folder / "evidence" / note)
    for one in tried:
        ended(listener, one.candidate, "finished" if one.status == "trained" else "stopped")


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
    behind = {
        name
        for option in options
        if isinstance(option, CascadeOption)
        for name in option.plan.surer_than
    }
    place = preferred(
        [option.forecast.profit for option in options],
        [option.recipe for option in options],
        aversion=terms.risk_aversion,
        expected=expected,
        surer=[at for at, option in enumerate(options) if option.name in behind],
    )
    return options[place]


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
