"""A search over pairs of texts gives a desk that decides on pairs."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from tests.adapt import task_samples

from payoff.data.dataset import Dataset
from payoff.economics.desk import load
from payoff.economics.payoff import Payoff
from payoff.economics.traffic import Traffic
from payoff.plan.search import search


def test_pairs_from_a_table_to_a_desk(
    runs: Path, worth: Payoff, backbones: tuple[str, str], tmp_path: Path
) -> None:
    first, second, cells = task_samples.pairs(200)
    table = pl.DataFrame({"question": first, "answer": second, "y": cells})
    data = Dataset.from_frame(table, text="question", pair="answer", label="y")
    for only in ("bag-of-words", "frozen-head"):
        plan = search(
            data,
            worth,
            traffic=Traffic(1000),
            only=(only,),
            backbones=backbones[:1],
            runs=runs,
        )
        plan.save(tmp_path / f"{only}.payoff")
        with load(tmp_path / f"{only}.payoff") as desk:
            assert desk.reads_pairs
            new = task_samples.pairs(60, seed=9)
            decided = desk.decide_many(new[0], pairs=new[1])
            right = [d.label == y for d, y in zip(decided, new[2], strict=True)]
            assert sum(right) / 60 > 0.8
