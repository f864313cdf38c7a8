"""Honest forecasts: a founder's whole choice in many worlds, and what it then earns.

A world is one data set of the right size for a small company, drawn from a pool of real rows; the
rows that are left are its reality. The product's own code trains candidates, calibrates, chooses on
validation rows, trains the choice on all rows but the test rows, and forecasts from the test rows.
Then a number of requests, a mix of labels, wages and prices are drawn as the founder stated them,
and the chosen model answers the rows of the reality. Nothing learns from those.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from economics_rows import ENCODER, TABLE, Rows, all_rows, static_vectors

DAY = date(2026, 11, 22)
SETS = ("banking77", "clinc150")
KINDS = 12  # two data sets, three payoffs, a mix as in the rows or a stated one
N_TRAIN, N_VALIDATION, N_TEST = 1500, 300, 500
OF_A_CLASS = 0.6  # of a label's rows that a founder may have: the rest is reality
SURE_OF_POOL = 1500.0  # concentration of the mix of a world around that of the pool
OTHER_MIX = 300.0  # concentration of a stated mix around that of the pool
N_REALITY = 6000  # at most
CANDIDATES = (
    ("frozen-head", {}),
    ("frozen-head", {"C": 1.0}),
    ("static-head", {}),
    ("bag-of-words", {}),
)
SPEED = {  # texts a second on one machine of two processors, megabytes of memory; stated
    "bag-of-words": (20_000.0, 90.0),
    "static-head": (30_000.0, 110.0),
}
ENCODER_SPEED = (300.0, 190.0)


def payoffs() -> dict[str, Any]:
    """Three businesses: errors that cost little, much, and people who can take only so much."""
    from payoff.economics.payoff import Payoff
    from payoff.economics.person import Person

    return {
        "errors cost twice": Payoff(2.0, -4.0, currency="USD", person=Person(4, 24, 0.03)),
        "errors cost eight times": Payoff(1.5, -12.0, currency="USD", person=Person(3, 24, 0.02)),
        "people are few": Payoff(
            2.0, -6.0, currency="USD", nothing=-1.0,
            person=Person(5, 24, 0.03, capacity_per_month=6_000),
        ),
    }  # fmt: skip


@dataclass(frozen=True)
class World:
    """One founder's rows and the reality that is not known to them.

    Args:
        number: Which one; the same number is the same world.
        name: Data set.
        worth: Name of the payoff.
        stated_mix: What the founder says of the mix to come, ``(k,)``; None for "as in my rows".
        true_mix: The mix that comes, ``(k,)``.
        train: Rows.
        validation: Rows.
        test: Rows.
        reality: Rows that are none of these.
        requests: Requests of each month.
        minutes_factor: What people's minutes are multiplied by.
        price_factor: What cloud prices are multiplied by.
    """

    number: int
    name: str
    worth: str
    stated_mix: Any
    true_mix: Any
    train: Any
    validation: Any
    test: Any
    reality: Any
    requests: Any
    minutes_factor: float
    price_factor: float


def traffic() -> Any:
    """What the founder says of it."""
    from payoff.economics.traffic import Traffic

    return Traffic(40_000, 30_000, 60_000, growth_per_month=0.01)


def draw(number: int, pools: dict[str, Rows]) -> World:
    """The world of that number.

    The level of the traffic runs evenly through its distribution, for each data set, payoff and
    kind of mix by itself, so that the mean over worlds is not that of a lucky draw.
    """
    rng = np.random.default_rng([7, number])
    name = SETS[number % 2]
    worth = sorted(payoffs())[number // 2 % 3]
    targets = pools[name].bench.targets
    counts = np.bincount(targets)
    pool_mix = counts / counts.sum()
    if number // 6 % 2:
        founders_mix, stated = pool_mix, rng.dirichlet(OTHER_MIX * pool_mix)
        stated = np.maximum(stated, 0.1 / len(stated))
        stated /= stated.sum()
        true = rng.dirichlet(N_TEST * stated)  # as sure as payoff takes a stated mix to be
    else:
        founders_mix = true = rng.dirichlet(SURE_OF_POOL * pool_mix)
        stated = None
    sizes = (N_TRAIN, N_VALIDATION, N_TEST)
    train, validation, test, reality = _cut(targets, founders_mix, sizes, rng)
    level = traffic().quantile((_evenly(number // KINDS) + number % KINDS / KINDS) % 1.0)
    z = rng.standard_normal(2)
    return World(
        number, name, worth, stated, true, train, validation, test, reality,
        level * 1.01 ** np.arange(12),
        float(np.exp(0.1 * z[0] - 0.1**2 / 2)),
        float(np.exp(0.05 * z[1] - 0.05**2 / 2)),
    )  # fmt: skip


def _evenly(number: int) -> float:
    """Van der Corput's sequence in base 2, moved off 0: evenly spread whatever its length."""
    bits = f"{number:b}"[::-1]
    return sum(int(bit) / 2 ** (place + 1) for place, bit in enumerate(bits)) + 2.0**-9


def _cut(targets: Any, mix: Any, sizes: tuple[int, ...], rng: Any) -> list[Any]:
    """Rows drawn with that mix, none twice; every label is trained on; then all other rows."""
    free = [list(rng.permutation(np.flatnonzero(targets == c))) for c in range(len(mix))]
    most = [int(OF_A_CLASS * len(rows)) for rows in free]
    parts = []
    for place, size in enumerate(sizes):
        wanted = rng.multinomial(size, mix)
        if place == 0:
            wanted = np.maximum(wanted, 2)
        taken: list[int] = []
        for c, rows in enumerate(free):
            n = min(int(wanted[c]), most[c])
            most[c] -= n
            taken += [rows.pop() for _ in range(n)]
        parts.append(np.sort(np.array(taken)))
    rest = np.concatenate(free).astype(np.int64)
    return [*parts, np.sort(rng.permutation(rest)[:N_REALITY])]


def pools(data: Path) -> dict[str, Rows]:
    """All rows of each data set, encoded."""
    found = {name: all_rows(data, name) for name in SETS}
    for name, rows in found.items():
        static_vectors(rows.bench, name)
        rows.bench.opened(ENCODER).trunk.pooled()
    return found


def lived(world: World, rows: Rows) -> dict[str, Any]:
    """What was forecast in a world, and what came of it."""
    from payoff.plan.choice import preferred

    started = time.process_time()
    founder = Founder.of(world, rows)
    options = [founder.option(recipe, settings) for recipe, settings in CANDIDATES]
    chosen = options[
        preferred([o.profit for o in options], [o.name for o in options], aversion=0, expected="")
    ]
    served = founder.trained(chosen.candidate, np.concatenate([world.train, world.validation]))
    told = founder.forecast(chosen, served)
    realised = founder.realised(chosen, served, world)
    requests = float(np.mean(world.requests))
    return {
        "chosen": chosen.name,
        "calibration": chosen.calibration.method,
        "mean": float(told.profit.mean),
        "low": float(told.profit.quantile(0.05)),
        "high": float(told.profit.quantile(0.95)),
        "realised": realised,
        "rank": float(np.mean(told.profit.samples < realised)),
        "mean_each": float(told.per_request.mean),
        "realised_each": realised / requests,
        "rank_each": float(np.mean(told.per_request.samples < realised / requests)),
        "validation_mean": float(chosen.profit.mean),
        "validation_rank": float(np.mean(chosen.profit.samples < realised)),
        "rows": [len(world.train), len(world.validation), len(world.test), len(world.reality)],
        "cpu_s": time.process_time() - started,
    }


@dataclass(frozen=True)
class Option:
    """A candidate as the founder sees it on validation rows."""

    candidate: Any
    calibration: Any
    judge: Any
    profit: Any
    costs: Any
    reference: Any

    @property
    def name(self) -> str:
        """What people read."""
        return str(self.candidate.name)


@dataclass(frozen=True)
class Founder:
    """The product with one world's rows."""

    world: World
    bench: Any
    reckoning: Any
    judge: Any
    worlds: Any

    @classmethod
    def of(cls, world: World, rows: Rows) -> Founder:
        """Begin as a search does."""
        from payoff.plan.judging import Judge
        from payoff.plan.reckoning import Reckoning
        from payoff.plan.terms import Terms

        labels = rows.bench.labels
        mix = world.stated_mix
        bench = replace(
            rows.bench, train=world.train, validation=world.validation, seed=world.number
        )
        terms = Terms(
            payoffs()[world.worth], traffic(), on=DAY,
            expected_mix=None if mix is None else dict(zip(labels, mix.tolist(), strict=True)),
        )  # fmt: skip
        truth = bench.targets[world.validation]
        reckoning = Reckoning(
            terms, labels, n_labelled=len(world.train) + len(world.validation),
            training_counts=np.bincount(bench.train_targets, minlength=len(labels)),
            request_bytes=300.0, characters_per_text=60.0,
        )  # fmt: skip
        judge = Judge(terms.payoff, reckoning.policy(), truth, bench.seed)
        return cls(world, bench, reckoning, judge, reckoning.worlds(truth, bench.seed))

    def trained(self, candidate: Any, train: Any) -> Any:
        """An attempt on these rows."""
        from payoff.adapt.recipes import recipe_named

        bench = replace(self.bench, train=np.sort(train))
        attempt = recipe_named(candidate.recipe).start(candidate, bench)
        attempt.advance(1.0)
        return attempt

    def option(self, recipe: str, settings: dict[str, Any]) -> Option:
        """A candidate: calibrated, with a policy, a host and a forecast."""
        from payoff.adapt.recipes import recipe_named
        from payoff.economics.case import Case
        from payoff.economics.forecasts import profits

        backbone = TABLE if recipe == "static-head" else ENCODER
        single = replace(self.bench, backbones=(backbone,))
        candidate = recipe_named(recipe).standard(single)[0]
        changed = {**dict(candidate.settings), **settings}
        candidate = replace(candidate, settings=tuple(changed.items()))
        attempt = self.trained(candidate, self.world.train)
        terms = self.reckoning.terms
        calibrated = self.judge.calibrated(attempt.logits(self.world.validation))
        judge = self.judge.held(
            calibrated.probabilities, terms.floors, most_handed=terms.most_handed
        )
        known = _evidence(recipe)
        hosting, reference = self.reckoning.hosting(known.latency, known.footprint)
        costs = self.reckoning.costs(hosting, 60.0)
        case = Case(recipe, judge.outcome(calibrated.probabilities), costs, reference)
        (profit,) = profits(
            [case], self.worlds, currency=terms.currency, nothing=terms.payoff.nothing
        )
        return Option(candidate, calibrated.calibration, judge, profit, costs, reference)

    def outcome(self, chosen: Option, attempt: Any, rows: Any) -> Any:
        """What the served model does with some rows."""
        judge = replace(chosen.judge, truth=self.bench.targets[rows])
        return judge.outcome(chosen.calibration.apply(attempt.logits(rows)))

    def forecast(self, chosen: Option, attempt: Any) -> Any:
        """What is reported: from test rows, which took no part in anything."""
        test = self.world.test
        worlds = self.reckoning.worlds(self.bench.targets[test], self.bench.seed)
        done = self.outcome(chosen, attempt, test)
        return self.reckoning.forecast(chosen.name, done, worlds, chosen.costs, chosen.reference)

    def realised(self, chosen: Option, attempt: Any, world: World) -> float:
        """What it earns a month, in the mix, the traffic and at the prices that came."""
        from payoff.economics.case import Case
        from payoff.economics.ledger import Conditions, post

        rows = world.reality
        done = self.outcome(chosen, attempt, rows)
        targets = self.bench.targets[rows]
        weights = (world.true_mix / np.bincount(targets, minlength=len(world.true_mix)))[targets]
        means = Case("", done, chosen.costs).row_values(len(rows)) @ weights
        one = [np.array([mean]) for mean in means]
        met = Conditions(
            *one, world.requests[None], np.array([world.minutes_factor]),
            np.array([world.price_factor]),
        )  # fmt: skip
        terms = self.reckoning.terms
        ledger = post(
            met, chosen.costs, nothing=terms.payoff.nothing, horizon_months=terms.horizon_months
        )
        return float(ledger.profit.mean())


def _evidence(recipe: str) -> Any:
    """Speed and size of a recipe as stated; its quality is not looked at."""
    from payoff.evidence.evidence import Evidence
    from payoff.evidence.footprint import Footprint
    from payoff.evidence.latency import Latency

    speed, megabytes = SPEED.get(recipe, ENCODER_SPEED)
    two = np.eye(2)
    return Evidence.of(
        "validation",
        two,
        np.arange(2),
        probabilities=two * 0.8 + 0.1,
        latency=Latency(1000 / speed, 2000 / speed, speed, 64, 100, 2),
        footprint=Footprint(int(megabytes * 5e5), int(megabytes * 1e6), 0.5),
    )


def key(world: World, tag: str) -> dict[str, Any]:
    """What tells a world's result from others."""
    return {
        "question": "honest",
        "world": world.number,
        "set": world.name,
        "payoff": world.worth,
        "mix": "as in the rows" if world.stated_mix is None else "stated",
        "rows": f"{N_TRAIN} + {N_VALIDATION} + {N_TEST}",
        "tag": tag,
    }


def summary(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Coverage of the intervals and the bias of the means, over worlds."""

    def of(name: str) -> Any:
        return np.array([result[name] for result in results])

    def bias(told: str, came: str) -> tuple[float, float]:
        """Relative to the mean that came, with its standard error (a ratio of means)."""
        off, came_mean = of(told) - of(came), float(of(came).mean())
        relative = float(off.mean()) / came_mean
        error = float((off - relative * of(came)).std()) / np.sqrt(len(off)) / came_mean
        return relative, error

    levels = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
    return {
        "worlds": len(results),
        "coverage": {f"{level:.2f}": coverage(of("rank"), level) for level in levels},
        "coverage_each": {f"{level:.2f}": coverage(of("rank_each"), level) for level in levels},
        "bias": bias("mean", "realised"),
        "bias_each": bias("mean_each", "realised_each"),
        "bias_of_validation": bias("validation_mean", "realised"),
    }


def plot(results: list[dict[str, Any]], picture: Path) -> None:
    """Share of the worlds within the interval over the level that it is said to have."""
    import altair as alt

    levels = np.arange(0.5, 0.951, 0.05)
    ranks = np.array([result["rank"] for result in results])
    found = np.array([coverage(ranks, level) for level in levels])
    error = np.sqrt(found * (1 - found) / len(ranks))
    points = [
        {
            "stated": 100 * float(level),
            "found": 100 * float(share),
            "low": 100 * float(share - 1.96 * off),
            "high": 100 * float(share + 1.96 * off),
        }
        for level, share, off in zip(levels, found, error, strict=True)
    ]
    base = alt.Chart(alt.Data(values=points))
    across = alt.X("stated:Q", title="stated, %", scale=alt.Scale(domain=[45, 100]))
    line = base.mark_line(color="#9aa0a6", strokeDash=[4, 4]).encode(across, y="stated:Q")
    band = base.mark_rule(color="#1f6feb").encode(across, alt.Y("low:Q"), alt.Y2("high:Q"))
    dots = base.mark_point(color="#1f6feb", filled=True, size=60).encode(
        across,
        alt.Y(
            "found:Q",
            title="worlds whose profit lay within, %",
            scale=alt.Scale(domain=[45, 100]),
        ),
    )
    title = f"Profit forecast and profit realised in {len(ranks)} worlds"
    alt.layer(line, band, dots).properties(width=420, height=420, title=title).save(str(picture))


def coverage(ranks: Any, level: float) -> float:
    """Share of the worlds whose realised profit lies in the middle ``level`` of the forecast."""
    return float(np.mean(np.abs(np.asarray(ranks) - 0.5) <= level / 2))
