"""Queues: the instance count of the formula against a simulation of the pool it asks for.

    python benchmarks/queues.py              # both parts, every case a line
    python benchmarks/queues.py hour week    # one of them
    python benchmarks/queues.py --show

For each case, `instances_needed` says how many instances hold a latency limit, and the pool of
that many is simulated, request by request; then the pools of fewer, down to the smallest that
holds the limit and the planned utilisation. Told is whether the simulated 95 % quantile of the
latency (waiting and service) is within its limit, and how far the count is above the smallest.

`hour`: constant rates, requests alone or in groups of four on average, service regular or not.
`week`: 168 rates of a week of office hours; the latency is that of the busiest hour's requests.
Results are lines in results/queues.jsonl.
"""

from __future__ import annotations

import argparse
import itertools
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import record
from payoff.economics.instance import instances_needed
from payoff.economics.queue_simulation import Arrivals, simulated_waits_s
from payoff.economics.requirement import Requirement
from payoff.economics.traffic import SECONDS_PER_MONTH

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "queues.jsonl"
UTILISATION = 0.9  # the most that may be planned: where the limit binds, it binds before this
N_HOUR = 120_000
N_WEEK = 1_200_000
SERVICE_S = {"hour": 0.010, "week": 0.500}


def office_week() -> np.ndarray:
    """Requests in each hour of a week, relative: two humps a working day, little at night."""
    hours = np.arange(24)
    humps = np.exp(-(((hours - 10) / 2.2) ** 2)) + 0.8 * np.exp(-(((hours - 15) / 2.5) ** 2))
    return np.concatenate([(0.05 + humps) * share for share in (1.1, 1, 1, 1, 0.9, 0.2, 0.15)])


def cases(part: str) -> Iterator[dict[str, Any]]:
    """What is varied; load is in servers, at the peak, and the limit in p95 of one alone."""
    loads = (0.3, 1.0, 3.0, 10.0, 30.0) if part == "hour" else (0.3, 1.0, 3.0)
    limits = (1.2, 2.0, 5.0) if part == "hour" else (1.2, 2.0)
    for at_once, scv, servers, load, limit in itertools.product(
        (1.0, 4.0), (0.05, 0.3, 1.0), (1, 2), loads, limits
    ):
        if part == "hour" or (servers == 1 and scv != 0.05):
            yield {
                "part": part,
                "at_once": at_once,
                "service_scv": scv,
                "servers_each": servers,
                "load": load,
                "limit": limit,
            }


def measure(case: dict[str, Any], seed: int = 0) -> dict[str, Any]:
    """The count of the formula, the latency it leads to, and the smallest count that holds."""
    week = case["part"] == "week"
    service_s, servers = SERVICE_S[case["part"]], case["servers_each"]
    n = N_WEEK if week else N_HOUR
    rng = np.random.default_rng(seed + 1)
    service = rng.gamma(1 / case["service_scv"], service_s * case["service_scv"], n)
    alone_ms = 1000 * float(np.quantile(service, 0.95))
    shape = office_week() if week else np.ones(1)
    peak_per_s = case["load"] / service_s
    arrivals = Arrivals(tuple(shape / shape.max() * peak_per_s), case["at_once"])
    times = arrivals.draw(n, seed=seed)
    counted = arrivals.in_busiest_hour(times)
    counted[: n // 20] &= week  # a queue that starts empty
    need = Requirement(
        texts_per_s=1 / service_s,
        single_latency_ms=alone_ms,
        memory_bytes=1e8,
        package_bytes=1e7,
        start_s=0.5,
        peak_factor=float(shape.max() / shape.mean()),
        latency_limit_ms=case["limit"] * alone_ms,
        target_utilisation=UTILISATION,
        threads=1,
        service_scv=case["service_scv"],
        at_once=case["at_once"],
    )
    month = np.array([peak_per_s / need.peak_factor * SECONDS_PER_MONTH])
    count = int(instances_needed(need, float(servers), units=1.0).count(month)[0])

    def p95_ms(instances: int) -> float:
        waits = simulated_waits_s(times, service, instances * servers)
        return 1000 * float(np.quantile((waits + service)[counted], 0.95))

    limit_ms = case["limit"] * alone_ms
    reached = p95_ms(count)
    smallest = count
    while reached <= limit_ms and smallest > 1:
        fewer = smallest - 1
        if fewer * servers * UTILISATION < case["load"] * (1 - 1e-9) or p95_ms(fewer) > limit_ms:
            break
        smallest = fewer
    return {
        "count": count,
        "p95_ms": reached,
        "limit_ms": limit_ms,
        "holds": reached <= limit_ms,
        "above_smallest": count - smallest if reached <= limit_ms else None,
        "requests_counted": int(counted.sum()),
    }


def show() -> None:
    """How many cases hold, and how many are at most one instance above the smallest."""
    found: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for line in record.lines(RESULTS):
        key = (line["part"], line["at_once"], line["service_scv"])
        found[key].append(line["result"])
    for (part, at_once, scv), results in sorted(found.items()):
        held = [result for result in results if result["holds"]]
        above = [result["above_smallest"] for result in held]
        over = [r["p95_ms"] / r["limit_ms"] - 1 for r in results if not r["holds"]]
        print(
            f"{part:5} groups of {at_once:g}, service scv {scv:<4g}: {len(held)} of {len(results)}"
            f" hold (worst {max(over, default=0.0):+.1%}), {sum(a <= 1 for a in above)} of those at"
            f" most one above the smallest (most {max(above, default=0)})"
        )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=["hour", "week"])
    parser.add_argument("--show", action="store_true")
    options = parser.parse_args()
    if not options.show:
        done = record.lines(RESULTS)
        for part in options.parts:
            for case in cases(part):
                if not any(case.items() <= line.items() for line in done):
                    record.append(RESULTS, case, measure(case), "python benchmarks/queues.py")
    show()


if __name__ == "__main__":
    main()
