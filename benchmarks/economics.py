"""Is the money right, and is it reckoned quickly? One subcommand a question.

    python benchmarks/economics.py speed
    python benchmarks/economics.py honest --number 500
    python benchmarks/economics.py better
    python benchmarks/economics.py plot              # docs/assets/honest_forecasts.svg
    python benchmarks/economics.py --show

``speed``: 200 plans × 100,000 worlds, and a what-if. The plans are simulated (so that they can be
of any number), each with an outcome on 1,000 test rows of 20 classes, a machine rented by the step,
transfer, people with wages, labels and training; the arithmetic is the product's. ``honest``: what
was forecast and what came of it, in worlds drawn from real data (benchmarks/economics_honest.py).
``better``: what the chosen plan earns on test rows beside others (benchmarks/economics_better.py).
Every result is a line in results/economics.jsonl; what is there is not computed again, except for
``speed``.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

import record

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "economics.jsonl"
PAGE = HERE.parent / "docs" / "economics.md"
BEGIN, END = "<!-- better:begin -->", "<!-- better:end -->"
PICTURE = HERE.parent / "docs" / "assets" / "honest_forecasts.svg"
_DAY = date(2026, 11, 22)


def speed(options: argparse.Namespace) -> None:
    """Seconds and peak memory of forecasting many plans in many worlds, and of a what-if."""
    from payoff.artifact.runtime.threads import physical_cores

    result = _many_plans(options.plans, options.worlds, options.growth) | _what_if(options.repeat)
    result["cores"] = physical_cores()
    result["peak_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    key = {
        "question": "speed",
        "plans": options.plans,
        "worlds": options.worlds,
        "growth_per_month": options.growth,
    }
    _tell(key, result, options)


def _many_plans(n_plans: int, n_worlds: int, growth: float) -> dict[str, float]:
    from payoff.economics.forecasts import forecasts, profits
    from payoff.economics.traffic import Traffic
    from payoff.economics.worlds import Worlds

    rng = np.random.default_rng(0)
    truth = rng.integers(0, 20, 1000)
    cases = _cases(n_plans, truth, rng)
    traffic = Traffic(40_000, 30_000, 60_000, growth_per_month=growth)
    result = {}
    for name, made in (("profits", profits), ("forecasts", forecasts)):
        started, used = time.perf_counter(), time.process_time()
        worlds = Worlds.draw(truth, 20, traffic, n_worlds=n_worlds, seed=0)
        told = made(cases, worlds, currency="USD")
        result[f"{name}_s"] = time.perf_counter() - started
        result[f"{name}_cpu_s"] = time.process_time() - used
        assert len(told) == n_plans
        del told, worlds
    return result


def _cases(n_plans: int, truth: Any, rng: np.random.Generator) -> list[Any]:
    """Plans that differ in quality, in machine and in price."""
    from payoff.core.money import Money
    from payoff.economics.case import Case
    from payoff.economics.charge import Charge, PerInstance, PerRequest
    from payoff.economics.costs import CostLine, PlanCosts, Step
    from payoff.economics.hosting import Hosting
    from payoff.economics.outcome import Outcome
    from payoff.economics.payoff import Payoff
    from payoff.economics.person import Person

    k = int(truth.max()) + 1
    labels = tuple(f"label {number}" for number in range(k))
    worth = Payoff(3.0, -7.0, currency="USD", person=Person(4, 30, 0.02, capacity_per_month=8000))
    cases = []
    for number in range(n_plans):
        right = rng.random(len(truth)) < rng.uniform(0.7, 0.97)
        other = np.where(rng.random(len(truth)) < 0.6, k, (truth + 1) % k)
        limit = rng.uniform(5_000, 50_000)
        parts = (
            (Step.INFERENCE, PerInstance(730.0, np.array([limit]), limit), "0.05"),
            (Step.TRANSFER, PerRequest(1e-6), "0.09"),
        )
        charges = [
            Charge(
                step, step.value, quantity, "unit", Money.of(price, "USD"),
                as_of=_DAY, source="simulated", measured=True,
            )
            for step, quantity, price in parts
        ]  # fmt: skip
        once = [
            CostLine(
                step, step.value, 1, "unit", Money.of(100 + number, "USD"),
                as_of=None, source="simulated", measured=True,
            )
            for step in (Step.LABELS, Step.TRAINING)
        ]  # fmt: skip
        hosting = Hosting(f"host {number}", "p", "i", "", currency="USD", charges=tuple(charges))
        costs = PlanCosts(
            tuple(once), hosting=hosting, person=worth.person, months_until_retraining=6
        )
        outcome = Outcome.of_actions(worth, labels, truth, np.where(right, truth, other))
        cases.append(Case(f"plan {number}", outcome, costs))
    return cases


def _what_if(repeat: int) -> dict[str, float]:
    """A what-if of ten options on 77 classes, 1,500 validation and 3,080 test rows."""
    sys.path.insert(0, str(HERE.parent))
    from tests.plan.simulated_run import write_run

    from payoff.economics.payoff import Payoff
    from payoff.economics.traffic import Traffic
    from payoff.plan.terms import Terms
    from payoff.plan.what_if import what_if

    terms = Terms(Payoff(3, -7, -2, currency="USD"), Traffic(40_000, 30_000, 60_000), on=_DAY)
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        write_run(
            Path(folder), terms, tuple(f"label {number}" for number in range(77)),
            accuracies=tuple(np.linspace(0.7, 0.95, 10)), n_validation=1500, n_test=3080,
        )  # fmt: skip
        for _ in range(repeat + 1):
            started = time.perf_counter()
            what_if(folder, ["traffic.per_month=100000", "value.wrong=-20"])
            seconds.append(time.perf_counter() - started)
    return {"what_if_first_s": seconds[0], "what_if_median_s": statistics.median(seconds[1:])}


def honest(options: argparse.Namespace) -> None:
    """Worlds that are not there yet, and what all of them say."""
    import economics_honest as founder

    found = founder.pools(options.data)
    for number in range(options.first, options.first + options.number):
        world = founder.draw(number, found)
        key = founder.key(world, options.tag)
        if not any(key.items() <= line.items() for line in record.lines(RESULTS)):
            _tell(key, founder.lived(world, found[world.name]), options)
    if _worlds(options):
        print(json.dumps(founder.summary(_worlds(options)), indent=2))


def _worlds(options: argparse.Namespace) -> list[dict[str, Any]]:
    key = {"question": "honest", "tag": options.tag}
    return [one["result"] for one in record.lines(RESULTS) if key.items() <= one.items()]


def plot(options: argparse.Namespace) -> None:
    """The worlds so far as a picture."""
    import economics_honest as founder

    founder.plot(_worlds(options), PICTURE)


def better(options: argparse.Namespace) -> None:
    """Every data set, payoff and price setting that is not there yet for this commit."""
    import economics_better as beside

    for key, compare in beside.comparisons(options.data):
        if not record.is_done(RESULTS, key):
            _tell(key, compare(), options)


def table(options: argparse.Namespace) -> None:
    """The newest comparisons as a table in docs/economics.md."""
    import economics_better as beside

    newest = [line for line in record.latest(RESULTS) if line["question"] == "better"]
    page = PAGE.read_text("utf-8")
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n{beside.page(newest)}\n{END}{after}", "utf-8")


QUESTIONS: dict[str, Callable[[argparse.Namespace], None]] = {
    "speed": speed,
    "honest": honest,
    "better": better,
    "plot": plot,
    "table": table,
}


def _tell(key: dict[str, Any], result: dict[str, Any], options: argparse.Namespace) -> None:
    """Print a result, and keep it unless it is a trial."""
    print(json.dumps(key | result, indent=2))
    if not options.dry:
        words = [word for word in sys.argv[1:] if word not in ("--data", str(options.data))]
        record.append(RESULTS, key, result, f"python benchmarks/economics.py {' '.join(words)}")


def main() -> None:
    """Answer one question, or show all answers so far."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("question", nargs="?", choices=sorted(QUESTIONS))
    parser.add_argument("--plans", type=int, default=200)
    parser.add_argument("--worlds", type=int, default=100_000)
    parser.add_argument("--growth", type=float, default=0.0, help="growth of traffic a month")
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data")
    parser.add_argument("--first", type=int, default=0, help="honest: first world")
    parser.add_argument("--number", type=int, default=504, help="honest: how many worlds")
    parser.add_argument("--tag", default="", help="honest: keeps results apart")
    parser.add_argument("--repeat", type=int, default=9, help="what-ifs after the first")
    parser.add_argument("--dry", action="store_true", help="print only, keep nothing")
    parser.add_argument("--show", action="store_true", help="all results so far")
    options = parser.parse_args()
    if options.show:
        for line in record.lines(RESULTS):
            print(json.dumps(line))
    elif options.question:
        QUESTIONS[options.question](options)
    else:
        parser.print_help()


if __name__ == "__main__":
    main()
