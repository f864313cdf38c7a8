"""The whole loop on examples/support over many seeds: is profit what the forecast said?

    python benchmarks/whole_loop.py                 # 20 seeds
    python benchmarks/whole_loop.py --seeds 5 --a-day 4000
    python benchmarks/whole_loop.py --show
    python benchmarks/whole_loop.py --write         # docs/retraining.md

`support_desk.py` says who asks what, `support_loop.py` what is done with it. The first version is
made once; each seed is another course of events: other messages, other closed tickets, another
retraining. Told of each: profit after the promotion less the forecast, as a share of the forecast,
with how much of that chance alone makes (the forecast's own interval, and the standard error of the
requests after it). Told of all: the mean, which is bias where it is larger than its standard error,
the spread, and in how many loops the difference was 2 % or less. A loop may end with the
retraining, where the new version is no better or has lost a class: that is a result too, and told.
Results are lines in results/whole_loop.jsonl.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import record
from payoff.plan.project import Project
from support_desk import launched
from support_loop import OldVersionKeptError, Sizes, whole_loop

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "whole_loop.jsonl"
PAGE = HERE.parent / "docs" / "retraining.md"
BEGIN, END = "<!-- loops:begin -->", "<!-- loops:end -->"
COMMAND = "python benchmarks/whole_loop.py"
WITHIN = 0.02


def measure(seeds: int, sizes: Sizes) -> None:
    """One line a seed; those that this commit has already are left out."""
    with tempfile.TemporaryDirectory() as name:
        made = Path(name) / "launched"
        for seed in range(seeds):
            key = {"part": "loop", "seed": seed, "a_day": sizes.a_day}
            if record.is_done(RESULTS, key):
                continue
            if not made.exists():
                launched(made)
            folder = Path(shutil.copytree(made, Path(name) / f"seed-{seed}"))
            command = f"{COMMAND} --seeds {seeds} --a-day {sizes.a_day}"
            try:
                found = whole_loop(folder, Project.read(folder), seed, sizes).as_dict()
                print(f"seed {seed}: off by {found['off_by']:+.2%}", flush=True)
            except OldVersionKeptError as kept:
                found = {"outcome": kept.retrained.outcome.value, "why": str(kept)}
                print(f"seed {seed}: {kept}", flush=True)
            record.append(RESULTS, key, found, command)
            shutil.rmtree(folder)


def told() -> str:
    """A sentence about all loops of the newest results, by requests a day."""
    by_size: dict[int, list[dict[str, Any]]] = {}
    for line in record.latest(RESULTS):
        by_size.setdefault(line["a_day"], []).append(line["result"])
    return "\n".join(_told(a_day, loops) for a_day, loops in sorted(by_size.items()))


def _told(a_day: int, loops: list[dict[str, Any]]) -> str:
    whole = [one for one in loops if "off_by" in one]
    off = np.array([one["off_by"] for one in whole])
    error = off.std(ddof=1) / np.sqrt(len(off)) if len(off) > 1 else np.nan
    within = int((np.abs(off) <= WITHIN).sum())
    inside = sum(one["forecast_low"] <= one["after"] <= one["forecast_high"] for one in whole)
    kept = len(loops) - len(whole)
    return (
        f"With {a_day:,} requests a day, {kept} of {len(loops)} loops ended with the old version, "
        f"as the new one was no better or had lost a class. In the others profit was off by "
        f"{off.mean():+.2%} in the mean (± {error:.2%}), with a spread of {off.std():.2%}: within "
        f"{WITHIN:.0%} of the forecast in {within}, within its 90 % interval in {inside}."
    )


def write() -> None:
    """Put that into docs/retraining.md."""
    before, rest = PAGE.read_text("utf-8").split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    PAGE.write_text(f"{before}{BEGIN}\n{told()}\n{END}{after}", "utf-8")


def main() -> None:
    """Parse the words, and do what they say."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--a-day", type=int, default=Sizes().a_day, help="requests a day")
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--write", action="store_true", help="into docs/retraining.md")
    asked = parser.parse_args()
    if not asked.show and not asked.write:
        measure(asked.seeds, Sizes(a_day=asked.a_day))
    if asked.write:
        write()
    print(told())


if __name__ == "__main__":
    main()
