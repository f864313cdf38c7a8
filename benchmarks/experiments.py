"""Experiments: what `payoff compare` promises, held to account by thousands of made-up customers.

    python benchmarks/experiments.py                  # quiet, gain, harm and rules
    python benchmarks/experiments.py more             # other markets, the bandit
    python benchmarks/experiments.py hold             # after a promotion
    python benchmarks/experiments.py million          # reading a million decisions
    python benchmarks/experiments.py page             # the figures of docs/experiments.md
    python benchmarks/experiments.py --show

Every run is an experiment of its own: customers with rates and errors of their own come again and
again, requests bring +3, -8, -25 or, with a person, -2, and after every day somebody looks and does
what the look says. Nothing but the shipped code decides.

`quiet`: both arms are the same; how many runs end as promoted or harmful. `gain`: the treatment
earns what the size was made for; how many are promoted in time. `harm`: it loses; whether it lost
at most what the size had promised. `rules`: how often a true nought is missed at any look, by the
interval that is shipped, by one that is valid once only, and by Robbins' mixture alone.
`hold`: a version was promoted and 5 % of the customers are held back for 28 days; how many runs are
rolled back, and whether that was in time.
Results are lines in results/experiments.jsonl.
"""

from __future__ import annotations

import argparse
import math
import resource
import tempfile
import time
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

import record
from payoff.learn.experiments.confidence_sequence import errors_wide
from payoff.learn.experiments.course import EXAMPLE
from payoff.learn.experiments.experiment import RAMP, Experiment, Mode
from payoff.learn.experiments.gain import gain_of, spread_of
from payoff.learn.experiments.hold_back import HoldBack
from payoff.learn.experiments.rehearsal import Market, draw, rehearse
from payoff.learn.experiments.sizing import Size, gain_seen_in, size_of
from payoff.learn.experiments.tally import tally_of

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "experiments.jsonl"
PAGE = HERE.parent / "docs" / "experiments.md"
BEGIN, END = "<!-- figures:begin -->", "<!-- figures:end -->"
COMMAND = "python benchmarks/experiments.py"
MARKETS = {
    "usual": Market(),
    "late": Market(label_days=1.5, label_share=0.6, boast=1.0),
    "few customers": Market(customers=150, unevenness=2.0),
    "many customers": Market(customers=3000),
    "rare dear errors": Market(amounts=(0.3, -1.0, -25.0), wrong=(0.05, 0.005), handoff=-1.0),
}
GAINS = {"rare dear errors": 0.3}
HELD = HoldBack()
PILOT_SEED, SEED = 1_000_000, 0


def size(name: str, harm: float | None = None, mode: Mode = Mode.LIVE) -> Size:
    """How long and how dear, from the noise of two weeks of the same market."""
    market = MARKETS[name]
    pilots = [draw(market, 14, seed=PILOT_SEED + number) for number in range(60)]
    noise = [spread_of(one.control, one.customer) ** 2 for one in pilots]
    if market.label_share < 1:  # fewer outcomes, more noise: outcomes alone, none of the model's
        noise = [one / market.label_share for one in noise]
    usual = float(np.mean([one.control.mean() for one in pilots]))
    stated: dict[str, Any] = {
        "spread": float(np.sqrt(np.mean(noise))),
        "requests_per_day": market.requests_per_day,
        "most_harm": usual - market.amounts[2],
        "label_days": math.ceil(market.label_days),
    }
    gain = GAINS.get(name, 1.0)
    if mode is Mode.HOLD_BACK:
        stated["ramp"] = (1.0 - HELD.share,)
        gain = gain_seen_in(round(HELD.days), **stated)
    return size_of(
        gain=gain,
        harm=harm,
        requests_per_customer=float(np.mean([len(p.day) / len(set(p.customer)) for p in pilots])),
        **stated,
    )


def experiment_of(planned: Size, mode: Mode = Mode.LIVE) -> Experiment:
    return replace(
        EXAMPLE.experiment,
        mode=mode,
        ramp=(1.0 - HELD.share,) if mode is Mode.HOLD_BACK else RAMP,
        planned_information=planned.planned_information,
        horizon_days=float(max(7, planned.days)),
    )


def runs(
    name: str, n: int, *, effect: float = 0.0, mode: Mode = Mode.LIVE, harm: float | None = None
) -> dict[str, Any]:
    """Rehearse many times."""
    planned = size(name, harm, mode)
    rules = experiment_of(planned, mode)
    begin = time.perf_counter()
    found = [rehearse(rules, MARKETS[name], effect=effect, seed=SEED + i) for i in range(n)]
    lost = np.array([one.lost for one in found])
    gains = np.array([one.look.gain.estimate for one in found])
    return {
        "runs": n,
        "ended": dict(Counter(one.advice.value for one in found)),
        "missed_at_any_look": float(np.mean([one.missed for one in found])),
        "mean_days": float(np.mean([one.day for one in found])),
        "lost_p95": float(np.quantile(lost, 0.95)),
        "lost_at_most_promised": float(np.mean(lost <= planned.most_lost_at_harm)),
        "lost_at_most_worst": float(np.mean(lost <= planned.most_lost)),
        "mean_gain_at_end": float(gains.mean()),
        "mean_variance_cut": float(np.mean([one.look.variance_cut for one in found])),
        "requests_at_end": float(np.mean([_requests(one.look) for one in found])),
        "size": planned.as_dict(),
        "seconds": time.perf_counter() - begin,
    }


def _requests(look: Any) -> int:
    return int(look.control.requests + look.treatment.requests)


def rules(name: str, n: int) -> dict[str, Any]:
    """How often the true gain of nought is missed at any look, by three rules; nobody stops."""
    planned, market = size(name), MARKETS[name]
    share_of_day = np.array([0.01, 0.05, 0.25] + [0.5] * planned.days)[: planned.days]
    limits = {"payoff": errors_wide, "once only": _once, "mixture": _mixture}
    missed = dict.fromkeys(limits, 0)
    begin = time.perf_counter()
    for number in range(n):
        drawn = draw(market, planned.days, seed=SEED + number)
        day = drawn.day.astype(np.int64)
        stage = np.minimum(day, 3)
        treated = drawn.bucket[drawn.customer] < share_of_day[day]
        crossed = dict.fromkeys(limits, False)
        for end in np.searchsorted(day, np.arange(1, planned.days + 1)):
            found = gain_of(
                tally_of(
                    drawn.customer[:end], stage[:end], treated[:end], value=drawn.control[:end]
                )
            )
            apart = abs(found.gain) / found.standard_error
            for rule, wide in limits.items():
                limit = wide(found.information, planned.planned_information, 0.95)
                crossed[rule] |= bool(apart > limit)
        for rule, one in crossed.items():
            missed[rule] += one
    at_end = {r: wide(1.0, 1.0, 0.95) for r, wide in limits.items()}
    return {
        "runs": n,
        "missed_at_any_look": {rule: count / n for rule, count in missed.items()},
        "errors_wide_at_the_planned_end": at_end,
        "looks": planned.days,
        "seconds": time.perf_counter() - begin,
    }


def _once(information: float, planned: float, confidence: float) -> float:
    del information, planned, confidence
    return 1.959963984540054


def _mixture(information: float, planned: float, confidence: float) -> float:
    """Robbins' mixture with all of the errors, narrowest at the planned end (r = 8.2)."""
    if not information:
        return math.inf
    ratio = 8.2331 * information / planned
    return math.sqrt((1 + 1 / ratio) * math.log((1 + ratio) / (1 - confidence) ** 2))


def million() -> dict[str, Any]:
    """Reading and looking at a million decisions, a quarter of them with feedback, from SQLite."""
    from sqlalchemy import insert

    from payoff.learn.experiments.look import look_at
    from payoff.learn.experiments.outcomes import requests_of
    from payoff.learn.journal import Journal
    from payoff.learn.tables import decisions, feedback

    n, block = 1_000_000, 50_000
    rng = np.random.default_rng(SEED)
    bucket, customer = rng.random(150_000), rng.integers(0, 150_000, n)
    usual = {
        "artifact_sha256": "a" * 64, "text_sha256": "t" * 64, "action": "a", "label": "a",
        "probability": 0.9, "worth": 1.0, "currency": "USD", "latency_ms": 3.0, "segment": "",
        "tier": "", "cost": 0.0, "experiment": "new-head",
    }  # fmt: skip
    with (
        tempfile.TemporaryDirectory() as folder,
        Journal.open(Path(folder) / "journal.db") as journal,
    ):
        for start in range(0, n, block):
            numbers = range(start, start + block)
            rows = [
                usual
                | {
                    "request_id": f"request-{i:028d}",
                    "time_utc": f"2026-01-0{2 + i * 7 // n}T12:00:00.{i % 1_000_000:06d}Z",
                    "customer": f"{customer[i]:032d}",
                    "arm": "treatment" if bucket[customer[i]] < 0.05 else "control",
                }
                for i in numbers
            ]
            told = [
                {"feedback_id": f"f{i}", "request_id": f"request-{i:028d}",
                 "label": "ab"[i % 3 % 2], "time_utc": "2026-01-09T12:00:00.000000Z",
                 "correct": None, "worth": None, "source": "customer", "person": "",
                 "seconds": None}
                for i in numbers[::4]
            ]  # fmt: skip
            with journal.writing() as connection:
                connection.execute(insert(decisions), rows)
                connection.execute(insert(feedback), told)
        begin = time.process_time()
        requests = requests_of(journal, EXAMPLE)
        read_s = time.process_time() - begin
        look_at(EXAMPLE, requests, "2026-01-10T00:00:00.000000Z")
        look_s = time.process_time() - begin - read_s
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"decisions": len(requests), "read_cpu_s": read_s, "look_cpu_s": look_s,
            "memory_bytes": most}  # fmt: skip


def keep(part: str, market: str, result: dict[str, Any], **key: Any) -> None:
    shown = asdict(MARKETS[market]) if market in MARKETS else {}
    case = {"part": part, "market": market, **key, "seed": SEED}
    record.append(RESULTS, case, result | {"drawn_from": shown}, f"{COMMAND} {part}")
    told = {k: v for k, v in result.items() if k not in ("size", "drawn_from")}
    print(part, market, key, told, flush=True)


def run(part: str) -> None:
    """One part, each case a line."""
    if part == "quiet":
        for market in ("usual", "late"):
            keep(part, market, runs(market, 2000))
    elif part == "gain":
        keep(part, "usual", runs("usual", 500, effect=1.0), effect=1.0)
    elif part == "harm":
        for harm in (0.5, 1.0, 2.0, 4.0, 10.0):
            keep(part, "usual", runs("usual", 400, effect=-harm, harm=harm), effect=-harm)
    elif part == "rules":
        keep(part, "usual", rules("usual", 2000))
    elif part == "more":
        for market in ("few customers", "rare dear errors"):
            keep(part, market, runs(market, 2000))
        keep(part, "late", runs("late", 500, effect=1.0), effect=1.0)
        keep(part, "rare dear errors", runs("rare dear errors", 500, effect=0.3), effect=0.3)
        keep(part, "late", runs("late", 400, effect=-2.0, harm=2.0), effect=-2.0)
        for effect in (0.0, -1.0):
            result = runs("usual", 1000, effect=effect, mode=Mode.BANDIT)
            keep(part, "usual", result, effect=effect, mode="bandit")
    elif part == "hold":
        for effect, n in ((0.0, 1000), (-1.0, 200), (-2.0, 200), (-4.0, 200), (-10.0, 200)):
            harm = -effect or None
            result = runs("many customers", n, effect=effect, mode=Mode.HOLD_BACK, harm=harm)
            keep(part, "many customers", result, effect=effect, mode="hold back")
    elif part == "page":
        page()
    else:
        keep(part, "", million())


def page() -> None:
    """Write the part of the documentation with figures."""
    newest = record.latest(RESULTS)
    ended = [line for line in newest if "ended" in line["result"]]
    rows = [_row(line) for line in ended if line["part"] != "hold"]
    columns = ("market", "true gain", "runs", "promoted", "stopped: harmful",
               "interval missed at any look", "lost at most what was promised")  # fmt: skip
    table = ["| " + " | ".join(columns) + " |", "|---|---:|---:|---:|---:|---:|---:|"]
    table += ["| " + " | ".join(row) + " |" for row in rows]
    table += _held([line for line in ended if line["part"] == "hold"])
    told = [one["result"] for one in newest if one["part"] == "rules"]
    for one in told:
        missed = one["missed_at_any_look"]
        table += [
            f"\nWith no gain at all and {one['looks']} looks, the bare interval (nothing added for "
            f"what is unseen) missed at a look in {missed['payoff']:.1%} of {one['runs']:,} runs, "
            f"and one that is valid once only (1.96 errors) in {missed['once only']:.1%}."
        ]
    for one in newest:
        if one["part"] == "million":
            table += [
                "\nA million decisions, a quarter of them with feedback, are read from SQLite in "
                f"{one['result']['read_cpu_s']:.1f} s of processor time and looked at in "
                f"{one['result']['look_cpu_s']:.1f} s."
            ]
    text = PAGE.read_text("utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(before + BEGIN + "\n" + "\n".join(table) + "\n" + END + after, "utf-8")


def _held(lines: list[dict[str, Any]]) -> list[str]:
    """The table of what happens after a promotion."""
    columns = ("true gain", "runs", "rolled back", "days until the end",
               "interval missed at any look", "lost at most what was promised")  # fmt: skip
    table = [
        f"\nAfter a promotion, with {HELD.share:.0%} of the customers held back for {HELD.days:g} "
        "days:\n",
        "| " + " | ".join(columns) + " |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    for line in lines:
        result, n, effect = line["result"], line["result"]["runs"], line["effect"]
        row = (
            f"{effect:+g}" if effect else "0",
            f"{n:,}",
            f"{result['ended'].get('roll back', 0) / n:.1%}",
            f"{result['mean_days']:.1f}",
            f"{result['missed_at_any_look']:.1%}",
            f"{result['lost_at_most_promised']:.1%}" if effect < 0 else "-",
        )
        table.append("| " + " | ".join(row) + " |")
    return table if lines else []


def _row(line: dict[str, Any]) -> tuple[str, ...]:
    result, n = line["result"], line["result"]["runs"]

    def part(advice: str) -> str:
        return f"{result['ended'].get(advice, 0) / n:.1%}"

    effect = line.get("effect", 0.0)
    mode = f", {line['mode']}" if "mode" in line else ""
    promised = f"{result['lost_at_most_promised']:.1%}" if effect < 0 else "-"
    missed = f"{result['missed_at_any_look']:.1%}"
    return (line["market"] + mode, f"{effect:+g}" if effect else "0", f"{n:,}", part("promote"),
            part("stop: harmful"), missed, promised)  # fmt: skip


def show() -> None:
    """The newest result of each case."""
    for line in record.latest(RESULTS):
        result = line["result"]
        told = {k: line[k] for k in ("part", "market", "effect", "mode") if k in line}
        print(told, {k: v for k, v in result.items() if k not in ("size", "drawn_from")})


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=["quiet", "gain", "harm", "rules"])
    parser.add_argument("--show", action="store_true")
    options = parser.parse_args()
    if not options.show:
        for part in options.parts:
            run(part)
    show()


if __name__ == "__main__":
    main()
