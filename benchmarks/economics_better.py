"""Better money: what the chosen plan earns on test rows, beside what else could have been done.

Models are trained once a data set (benchmarks/economics_models.py). Under each payoff and price the
product's code calibrates them, makes a policy, finds a host and chooses on validation rows. All
else is the reckoning of test rows, which took no part, at the mix and the traffic that are
expected: the founder is taken to know the mix of the test rows, as those of the published parts
differ from the training rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from economics_models import BASE, Model, Trained, trained
from economics_rows import PARTS

DAY = date(2026, 11, 22)
CASCADE = "cascade"
N_DRAWS = 400  # of test rows, for how sure a difference is
PRICES = {"as listed": 1, "a hundred times as dear": 100}
REQUESTS = 40_000
STEPS = 12  # of how dear models are taken to be, for the cheapest cascade
THRESHOLDS = np.linspace(0.0, 1.0, 201)
TIERS = ("bag-of-words", "static-head", "fine-tune", BASE)


def payoffs(labels: tuple[str, ...]) -> dict[str, Any]:
    """Six businesses; the name says what an error costs for what a right answer earns."""
    from payoff.economics.class_value import ClassValue
    from payoff.economics.payoff import Payoff
    from payoff.economics.person import Person

    dear = {label: ClassValue(wrong=-40.0) for label in labels[::10]}
    return {
        "errors cost a third": Payoff(3.0, -1.0, -2.0, currency="USD"),
        "errors cost twice": Payoff(3.0, -6.0, -2.0, currency="USD"),
        "errors cost eight times": Payoff(3.0, -25.0, -2.0, currency="USD"),
        "errors cost twelve times, people err too": Payoff(
            2.0, -24.0, currency="USD", person=Person(4, 24, 0.02)
        ),
        "every tenth label is dear": Payoff(2.0, -4.0, -1.5, currency="USD", classes=dear),
        "people are few": Payoff(
            2.0, -8.0, currency="USD", nothing=-3.0,
            person=Person(4, 24, 0.02, capacity_per_month=4_000),
        ),
    }  # fmt: skip


def comparisons(data: Path) -> Iterator[tuple[dict[str, Any], Callable[[], dict[str, Any]]]]:
    """Every data set, payoff and price, with how to compare there."""
    for name in PARTS:
        known = trained(data, name)
        for title, worth in payoffs(known.labels).items():
            for price, factor in PRICES.items():
                key = {"question": "better", "set": name, "payoff": title, "prices": price}
                yield key, partial(compare, known, worth, factor)


@dataclass(frozen=True)
class Measured:
    """A model under one payoff and price.

    Args:
        model: The model.
        said: Calibrated probabilities, by part; cross-fitted on validation rows.
        judge: Of the validation rows, by its policy.
        costs: All that it costs.
        reference: What its host is compared with.
    """

    model: Model
    said: dict[str, Any]
    judge: Any
    costs: Any
    reference: Any


@dataclass(frozen=True)
class Done:
    """What is done with each test row, what that costs, and what it earns a month."""

    actions: Any
    costs: Any
    profit: float


@dataclass(frozen=True)
class Terms:
    """A payoff and a price over the rows of a data set."""

    known: Trained
    reckoning: Any
    judge: Any

    @classmethod
    def of(cls, known: Trained, worth: Any, factor: int) -> Terms:
        """As a search would begin with them."""
        from payoff.economics.prices.book import PriceBook
        from payoff.economics.traffic import Traffic
        from payoff.plan.judging import Judge
        from payoff.plan.reckoning import Reckoning
        from payoff.plan.terms import Terms as Stated

        book = PriceBook.builtin()
        dear = PriceBook(tuple(replace(p, price=p.price * factor) for p in book.prices))
        mix, rows = (
            np.bincount(known.truth[part], minlength=len(known.labels))
            for part in ("test", "validation")
        )
        shares = dict(zip(known.labels, (mix / mix.sum()).tolist(), strict=True))
        stated = Stated(worth, Traffic(REQUESTS), prices=dear, on=DAY, expected_mix=shares)
        reckoning = Reckoning(
            stated, known.labels, n_labelled=int(known.train_counts.sum()),
            training_counts=rows,  # the mix of the rows that calibrate, from which it is shifted
            request_bytes=300.0, characters_per_text=60.0,
        )  # fmt: skip
        return cls(known, reckoning, Judge(worth, reckoning.policy(), known.truth["validation"]))

    def measured(self, model: Model) -> Measured:
        """A model with its policy and its host."""
        terms, logits = self.reckoning.terms, model.logits
        found = self.judge.calibrated(logits["validation"])
        said = {"validation": found.probabilities, "test": found.calibration.apply(logits["test"])}
        judge = self.judge.held(found.probabilities, terms.floors, most_handed=terms.most_handed)
        known = model.evidence
        hosting, reference = self.reckoning.hosting(known.latency, known.footprint)
        return Measured(
            model, said, judge, self.reckoning.costs(hosting, model.training_s), reference
        )

    def profit(self, part: str, actions: Any, costs: Any) -> float:
        """Profit a month of some actions at the expected mix and traffic."""
        counts = np.bincount(self.known.truth[part], minlength=len(self.shares))
        weights = (self.shares / np.maximum(counts, 1))[self.known.truth[part]]
        return float(self._profits(part, actions, costs, weights[:, None])[0])

    def drawn_profits(self, part: str, actions: Any, costs: Any) -> Any:
        """The same with rows weighted anew in each draw, ``(N_DRAWS,)``: Rubin (1981) by class."""
        truth = self.known.truth[part]
        weights = np.random.default_rng(0).exponential(size=(len(truth), N_DRAWS))
        of_class = np.zeros((len(self.shares), N_DRAWS))
        np.add.at(of_class, truth, weights)
        return self._profits(
            part, actions, costs, weights * (self.shares[:, None] / of_class)[truth]
        )

    @property
    def shares(self) -> Any:
        """Share of each label among the requests."""
        mix = self.reckoning.terms.expected_mix
        return np.array([mix[label] for label in self.known.labels])

    def _profits(self, part: str, actions: Any, costs: Any, weights: Any) -> Any:
        """Profit a month with rows of these weights, a column a world."""
        from payoff.economics.case import Case
        from payoff.economics.ledger import Conditions, post
        from payoff.economics.outcome import Outcome

        terms, truth = self.reckoning.terms, self.known.truth[part]
        done = Outcome.of_actions(terms.payoff, self.known.labels, truth, actions)
        means = Case("", done, costs).row_values(len(truth)) @ (weights / weights.sum(axis=0))
        one = np.ones(weights.shape[1])
        met = Conditions(*means, np.full((len(one), 1), REQUESTS), one, one)
        return post(
            met, costs, nothing=terms.payoff.nothing, horizon_months=terms.horizon_months
        ).profit.mean(axis=1)

    def done(self, actions: Any, costs: Any) -> Done:
        """Actions on test rows and what they earn."""
        return Done(actions, costs, self.profit("test", actions, costs))

    def gap_error(self, one: Done, other: Done) -> float:
        """Standard error of what one earns above the other, as a share of what that earns."""
        if one is other:
            return 0.0
        drawn = [
            np.full(N_DRAWS, each.profit)  # nothing is done, whatever comes
            if each.actions is None
            else self.drawn_profits("test", each.actions, each.costs)
            for each in (one, other)
        ]
        return float((drawn[0] - drawn[1]).std() / abs(other.profit))


def compare(known: Trained, worth: Any, factor: int) -> dict[str, Any]:
    """What the choice earns on test rows, and what the others do."""
    terms = Terms.of(known, worth, factor)
    models = [terms.measured(model) for model in known.models]
    cascade = _cascade_plan(terms, models)
    plans = _plans(terms, models, cascade)
    chosen = _chosen(terms, models, cascade)
    profits = {name: plan.profit for name, plan in plans.items()}
    recommended = max([chosen, "people only", "do nothing"], key=lambda name: profits[name])
    best = max(profits, key=lambda name: profits[name])
    threshold, by_threshold = _best_threshold(terms, models)
    argmax, perfect = _most_accurate(terms, models)
    earned = profits[recommended]
    return {
        "chosen": chosen,
        "recommended": recommended,
        "profit": earned,
        "profit_of_choice": profits[chosen],
        "best_in_hindsight": best,
        "share_of_best": _share(earned, profits[best]),
        "share_of_best_error": terms.gap_error(plans[recommended], plans[best]),
        "one_threshold": threshold,
        "over_one_threshold": _gain(earned, threshold["profit"]),
        "over_one_threshold_error": terms.gap_error(plans[recommended], by_threshold),
        "argmax": argmax,
        "over_argmax": _gain(earned, argmax["profit"]),
        "perfect_over_argmax": _gain(perfect, argmax["profit"]),
        "plans": profits,
        "tiers": [tier.name for tier in cascade.tiers] if cascade else [],
        "cascade": _cascade(terms, models) if factor == 1 else None,
    }


def _share(part: float, whole: float) -> float:
    """How much of the best profit is reached; below 0 losses are compared the other way round."""
    return part / whole if whole > 0 else whole / part


def _gain(profit: float, other: float) -> float:
    """By how much of the other's amount it is better."""
    return (profit - other) / abs(other)


def _cascade_plan(terms: Terms, models: list[Measured]) -> Any:
    """The best cascade of the models by validation rows, as a search solves it; None for none."""
    from payoff.core.errors import EconomicsError
    from payoff.plan.cascades.cascade_of import cascade_of
    from payoff.plan.measured import Measured as Option

    options = [
        Option(
            one.model.recipe, one.model.recipe, one.model.evidence, one.model.training_s,
            one.said["validation"],
        )
        for one in models
    ]  # fmt: skip
    references = {one.model.recipe: one.reference for one in models}
    try:
        return cascade_of(options, references, terms.judge, terms.reckoning)
    except EconomicsError as error:
        print(f"no cascade: {error}", flush=True)
        return None


def _plans(terms: Terms, models: list[Measured], cascade: Any) -> dict[str, Done]:
    """Every plan on test rows."""
    from payoff.economics.costs import PlanCosts

    truth, k = terms.known.truth["test"], len(terms.known.labels)
    worth = terms.reckoning.terms.payoff
    everybody = np.full(len(truth), k)
    found = {
        one.model.recipe: terms.done(one.judge.policy.decide(one.said["test"]).actions, one.costs)
        for one in models
    }
    if cascade is not None:
        by_name = {one.model.recipe: one.said["test"] for one in models}
        answered = cascade.answered([by_name[tier.name] for tier in cascade.tiers], None)
        actions = cascade.policy.decide(answered.probabilities).actions
        found[CASCADE] = terms.done(actions, cascade.costs)
    return found | {
        "people only": terms.done(everybody, PlanCosts(person=worth.person)),
        "do nothing": Done(None, None, REQUESTS * worth.nothing),
    }


def _chosen(terms: Terms, models: list[Measured], cascade: Any) -> str:
    """By the rule of the search: forecasts from validation rows."""
    from payoff.economics.case import Case
    from payoff.economics.forecasts import profits
    from payoff.plan.choice import preferred

    stated = terms.reckoning.terms
    cases = [
        Case(one.model.recipe, one.judge.outcome(one.said["validation"]), one.costs, one.reference)
        for one in models
    ]
    recipes = [one.model.recipe for one in models]
    if cascade is not None:
        cases.append(cascade.validated)
        recipes.append(CASCADE)
    worlds = terms.reckoning.worlds(terms.known.truth["validation"], 0)
    told = profits(cases, worlds, currency=stated.currency, nothing=stated.payoff.nothing)
    behind = cascade.surer_than if cascade is not None else ()
    surer = [place for place, recipe in enumerate(recipes) if recipe in behind]
    return recipes[preferred(told, recipes, aversion=0.0, expected="", surer=surer)]


def _best_threshold(terms: Terms, models: list[Measured]) -> tuple[dict[str, Any], Done]:
    """The model and the one threshold that earn most on validation rows, on test rows.

    Its probabilities are calibrated and know the expected mix, as the policy's do.
    """
    shifted = {
        (one.model.recipe, part): one.judge.policy.shifted(said)
        for one in models
        for part, said in one.said.items()
    }

    def actions(one: Measured, part: str, threshold: float) -> Any:
        said = shifted[one.model.recipe, part]
        return np.where(said.max(axis=1) >= threshold, said.argmax(axis=1), said.shape[1])

    def validated(one: Measured, threshold: float) -> float:
        part = "validation"
        return terms.profit(part, actions(one, part, threshold), one.costs)

    tried = [(one, float(threshold)) for one in models for threshold in THRESHOLDS]
    one, threshold = max(tried, key=lambda pair: validated(*pair))
    done = terms.done(actions(one, "test", threshold), one.costs)
    told = {"model": one.model.recipe, "threshold": threshold, "profit": done.profit}
    return told, done


def _most_accurate(terms: Terms, models: list[Measured]) -> tuple[dict[str, Any], float]:
    """The model that is right most often on validation rows, acting on its likeliest label.

    And what it would earn, were it known which of its answers are wrong: those go to people.
    """
    truth = terms.known.truth["validation"]
    one = max(models, key=lambda m: (m.said["validation"].argmax(axis=1) == truth).mean())
    said, wanted = one.said["test"].argmax(axis=1), terms.known.truth["test"]
    profit = terms.profit("test", said, one.costs)
    known = np.where(said == wanted, said, one.said["test"].shape[1])
    return {"model": one.model.recipe, "profit": profit}, terms.profit("test", known, one.costs)


def _cascade(terms: Terms, models: list[Measured]) -> dict[str, Any]:
    """On test, the cheapest cascade that is worth what the largest model is on validation rows.

    Compute is measured seconds: those of all tiers that a request reaches.
    """
    from payoff.economics.cascades.blend import Blends
    from payoff.economics.cascades.cascade import Cascade, CascadeTier
    from payoff.economics.cascades.cascade_frontier import price_factors
    from payoff.economics.cascades.cascade_outcome import CascadeOutcome
    from payoff.economics.cascades.cascade_search import best_cascade

    by_name = {one.model.recipe: one for one in models}
    policy, truth = terms.judge.policy, terms.known.truth
    shift = policy.prior_shift
    weights = {part: shift[truth[part]] for part in truth}
    names = [name for name in TIERS if name in by_name]
    seconds = {name: 1.0 / by_name[name].model.evidence.latency.texts_per_s for name in names}
    cost_a_second = _rent_a_second(by_name[names[-1]])
    tiers = [
        CascadeTier(name, by_name[name].said["validation"], seconds[name] * cost_a_second)
        for name in names
    ]
    blends = Blends(truth["validation"], shift)
    shared: dict[str, Any] = {"row_weights": weights["validation"], "blends": blends}
    alone = Cascade.fit(tiers[-1:], policy, truth["validation"], **shared)
    best = best_cascade(tiers, policy, truth["validation"], **shared)
    found = [best] + [
        Cascade.fit(used, policy, truth["validation"], price_factor=factor, **shared)
        for used in _chains(tiers)
        for factor in np.geomspace(1.0, price_factors(used, policy)[-1], STEPS)
    ]
    reach = [one for one in found if one.judged.worth >= alone.judged.worth]
    cheapest = min(reach or [alone], key=lambda one: one.judged.cost)

    def on_test(one: Cascade) -> tuple[float, float, list[float]]:
        said = [by_name[name].said["test"] for name in one.policy.tiers]
        answered = one.policy.answer(policy, len(truth["test"]), lambda t, rows: said[t][rows])
        done = CascadeOutcome.of(policy, answered, truth["test"], row_weights=weights["test"])
        return done.worth, done.cost, list(done.shares(len(said)))

    base_worth, base_cost, _ = on_test(alone)
    told: dict[str, Any] = {}
    told["largest"] = names[-1]
    for name, one in (("best", best), ("cheapest that reaches the largest model", cheapest)):
        worth, cost, shares = on_test(one)
        told[name] = {
            "tiers": list(one.policy.tiers),
            "shares": shares,
            "worth_each": worth,
            "of_the_largest_models_worth": _share(worth, base_worth),
            "of_the_largest_models_compute": cost / base_cost,
        }
    return told


def _chains(tiers: list[Any]) -> list[list[Any]]:
    """Two or more of the tiers, in their order, that end with the largest model."""
    return [
        [*some, tiers[-1]]
        for size in range(1, len(tiers))
        for some in combinations(tiers[:-1], size)
    ]


def _rent_a_second(one: Measured) -> float:
    """Price of a second of the model's time where whole machines no longer matter."""
    from payoff.economics.costs import Step

    requests = 1e9 * REQUESTS
    paid = one.reference.cost_by_step(np.array(requests))[Step.INFERENCE]
    return float(paid) / requests * one.model.evidence.latency.texts_per_s


def page(lines: list[dict[str, Any]]) -> str:
    """A table of comparisons at listed prices, in Markdown; what else was seen below it."""
    told = [
        "| rows | business | chosen | USD a month | of the best in hindsight "
        "| beside one threshold | beside arg max | perfect selector |",
        "|---|---|---|---:|---:|---:|---:|---:|",
    ]
    for line in lines:
        found = line["result"]
        if line["prices"] == next(iter(PRICES)):
            told.append(
                f"| {line['set']} | {line['payoff']} | {found['recommended']} "
                f"| {found['profit']:,.0f} | {100 * found['share_of_best']:.1f} % "
                f"| {100 * found['over_one_threshold']:+.1f} "
                f"± {100 * found['over_one_threshold_error']:.1f} % "
                f"| {round(100 * found['over_argmax']):+d} % "
                f"| {round(100 * found['perfect_over_argmax']):+d} % |"
            )
    n_good = sum(line["result"]["share_of_best"] >= 0.99 for line in lines)
    n_level = sum(line["result"]["over_one_threshold"] >= -1e-9 for line in lines)
    n_surely_below = sum(
        line["result"]["over_one_threshold"]
        < -2 * line["result"]["over_one_threshold_error"] - 1e-9
        for line in lines
    )
    commits = sorted({line["commit"] for line in lines})
    told += [
        "",
        f"With prices of machines a hundred times as dear besides, {len(lines)} cases in all: at "
        f"least 99 % of the best plan in hindsight in {n_good}, not below the best model with its "
        f"best threshold in {n_level}, and below it by more than two standard errors of the test "
        f"rows (what stands behind ±, {N_DRAWS} draws) in {n_surely_below}. A perfect selector "
        "hands over exactly what the most accurate model gets wrong: nobody can gain more beside "
        f"that model's arg max with the model alone. Commit {', '.join(commits)}.",
    ]
    return "\n".join(told)
