"""Label study: the chosen recipe on nested subsets of the training rows, as the time allows.

It takes at most a tenth of the search's minutes, and only of what is left when the choice is made
and trained. Where the chosen recipe is too dear for that, the best cheap head stands for it, and
that is said. Every model is recorded as it comes, so that a killed run goes on where it stopped.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from payoff.adapt.recipes.recipe import Candidate
from payoff.core.errors import AdaptError, EconomicsError
from payoff.plan.clock import Clock
from payoff.plan.keeping import Keeper
from payoff.plan.labels.label_evidence import LabelEvidence, Studied
from payoff.plan.ladder import Tried, best_tried
from payoff.plan.options import Option, Workshop

SHARE = 0.1
"""Most that the study takes of a search's minutes."""

N_DRAWS = 3
N_SIZES = 5
_LEAST_DRAWS = 2
_SMALLEST = 16  # times as many training rows as labels in the smallest subset
_LEAST_LABELS = 20
_MOST_OF_ALL = 0.5  # the smallest subset, as a share of the training rows
_WHAT = "the label curve"


def study_labels(
    workshop: Workshop, chosen: Option, tried: Sequence[Tried], clock: Clock, *, n_now: int
) -> LabelEvidence:
    """Measure how the choice depends on the number of labels.

    Args:
        workshop: Made the choice.
        chosen: The choice.
        tried: All candidates; one of them may stand for the choice.
        clock: What is left of the budget.
        n_now: Labels that the reported model learns from.
    """
    started = time.monotonic()
    allowed = min(SHARE * clock.budget_s, clock.budget_s - clock.spent())
    bench, studied = workshop.bench, []
    sizes = subset_sizes(len(bench.train), len(bench.labels))
    reason = "" if len(sizes) else "there are too few training rows to take smaller parts of them"
    if chosen.spec.kind == "endpoint":
        sizes, reason = sizes[:0], "an endpoint's model is not trained on labels"
    for one in _worth_studying(workshop, chosen.tried, tried) if len(sizes) else ():
        left = allowed - (time.monotonic() - started)
        found = _study(workshop, one, sizes, left)
        if isinstance(found, str):
            reason = f"{one.candidate.name}: {found}"
            bench.progress.say(f"label curve of {reason}")
        else:
            studied.append(found)
    if workshop.run.meter is not None:
        workshop.run.meter.book(_WHAT)
    return LabelEvidence(
        chosen.candidate.name,
        chosen.probabilities.astype(np.float32),
        n_now,
        tuple(studied),
        "" if studied else reason,
        chosen.candidate.backbone,
    )


def subset_sizes(n_train: int, n_labels: int) -> NDArray[np.int64]:
    """Sizes of nested subsets, each so many times the one before; empty where rows are too few.

    Example:
        >>> subset_sizes(1600, 10).tolist(), subset_sizes(30, 10).tolist()
        ([100, 200, 400, 800, 1600], [])
    """
    smallest = max(2 * n_labels, _LEAST_LABELS, n_train // _SMALLEST)
    if smallest > _MOST_OF_ALL * n_train:
        return np.zeros(0, np.int64)
    return np.unique(np.geomspace(smallest, n_train, N_SIZES).round().astype(np.int64))


def nested_order(
    targets: NDArray[np.int64], rows: NDArray[np.int64], *, seed: Sequence[int]
) -> NDArray[np.int64]:
    """Rows in an order whose every beginning has the labels in proportion, each once at first.

    Args:
        targets: Class of every text.
        rows: Which texts.
        seed: The same seed gives the same order.

    Example:
        >>> targets = np.array([0] * 6 + [1] * 2)
        >>> targets[nested_order(targets, np.arange(8), seed=[0])][:4].tolist().count(0)
        3
    """
    rng = np.random.default_rng(list(seed))
    shuffled = rng.permutation(rows)
    turns = np.empty(len(rows))
    for label in np.unique(targets[rows]):
        mine = np.flatnonzero(targets[shuffled] == label)
        turns[mine] = (np.arange(len(mine)) + rng.random()) / len(mine)
        turns[mine[0]] = -1.0
    return np.asarray(shuffled[np.argsort(turns, kind="stable")], np.int64)


def _worth_studying(workshop: Workshop, chosen: Tried, tried: Sequence[Tried]) -> list[Tried]:
    """The best cheap head, on the same backbone if there is one, then the choice."""

    def simple(one: Tried) -> bool:
        at_once = len(workshop.recipes[one.candidate.recipe].rungs) == 1
        return at_once and not one.candidate.last and one.logits is not None

    if simple(chosen):
        return [chosen]
    heads = [one for one in tried if one.status == "trained" and simple(one)]
    alike = [one for one in heads if one.candidate.backbone == chosen.candidate.backbone]
    return [*([best_tried(alike or heads)] if heads else []), chosen]


def _study(
    workshop: Workshop, one: Tried, sizes: NDArray[np.int64], allowed_s: float
) -> Studied | str:
    """One candidate on nested subsets, or why it was not studied."""
    bench, started = workshop.bench, time.monotonic()
    below, expected = [], 0.0
    for draw in range(N_DRAWS):
        order = nested_order(bench.targets, bench.train, seed=[bench.seed, draw])
        parts = [np.sort(order[:size]) for size in sizes[:-1]]
        missing = [part for part in parts if not _is_recorded(workshop, one, draw, len(part))]
        expected = max(expected, _seconds(workshop, one.candidate, missing))
        rounds = max(_LEAST_DRAWS - draw, 1)
        left = allowed_s - (time.monotonic() - started)
        if missing and expected * rounds > left:
            if draw >= _LEAST_DRAWS:
                break
            return (
                f"it would take about {expected * rounds:.0f} s and {max(left, 0):.0f} s are left"
            )
        begun = time.monotonic()
        try:
            if missing and workshop.run.meter is not None:
                workshop.run.meter.allow(_WHAT, expected)
            below.append([_probabilities(workshop, one, draw, part) for part in parts])
        except (AdaptError, EconomicsError) as error:
            return str(error)
        expected = time.monotonic() - begun
    assert one.logits is not None
    return Studied(
        one.candidate.name,
        sizes,
        np.array(below, np.float32),
        workshop.judge.cross_fitted(one.logits).astype(np.float32),
        one.candidate.backbone,
    )


def _seconds(workshop: Workshop, candidate: Candidate, parts: Sequence[NDArray[np.int64]]) -> float:
    recipe = workshop.recipes[candidate.recipe]
    return sum(recipe.seconds(candidate, replace(workshop.bench, train=part)) for part in parts)


def _key(one: Tried, draw: int, size: int) -> str:
    return f"{one.candidate.key}-labels-{draw}-{size}"


def _is_recorded(workshop: Workshop, one: Tried, draw: int, size: int) -> bool:
    return (workshop.run.attempt(_key(one, draw, size)) / "result.json").exists()


def _probabilities(
    workshop: Workshop, one: Tried, draw: int, rows: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Of the validation rows, cross-fitted, by the candidate trained on some of the rows."""
    key = _key(one, draw, len(rows))
    kept = workshop.run.recorded(key)
    if kept is None:
        begun = time.perf_counter()
        keeper = Keeper(workshop.run, key, workshop.bench.progress)
        recipe = workshop.recipes[one.candidate.recipe]
        bench = replace(workshop.bench, train=rows, progress=keeper)
        attempt = recipe.start(one.candidate, bench)
        keeper.advance(attempt, 1.0)
        logits = attempt.logits(workshop.bench.validation)
        seconds = time.perf_counter() - begun + keeper.earlier_s
        workshop.run.record(key, {"seconds": seconds}, logits, lambda folder: None)
        keeper.forget()
    else:
        logits = kept[1]
    return workshop.judge.cross_fitted(logits)
