"""Halving, refusals and going on, with a recipe that does what its settings say."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.workbench import Workbench
from payoff.artifact.tier import TierSpec
from payoff.core.errors import AdaptError
from payoff.plan.clock import Clock
from payoff.plan.ladder import Ladder, Tried
from payoff.plan.runs import Run
from payoff.plan.score import Score
from payoff.plan.stopping import HeldBack


def score(worths: NDArray[Any]) -> Score:
    """Worths alone: the log loss of all is the same."""
    return Score(worths.astype(np.float64), np.ones(len(worths)))


@dataclass
class HandClock:
    """A clock that stands still but for what training takes."""

    budget_s: float = 1e6
    spent_s: float = 0.0

    def spent(self) -> float:
        return self.spent_s

    def left(self) -> float:
        return self.budget_s - self.spent_s


@dataclass
class Staged:
    """A recipe whose candidates reach stated values, in stated seconds.

    Args:
        values: Candidate's number to its value after each rung; NaN scores not finite; None fails.
        seconds_each: Candidate's number to its seconds, told and taken.
        last: Numbers of those that come after all others.
    """

    values: Sequence[Sequence[float | None]]
    seconds_each: Sequence[float] = ()
    rungs: tuple[float, ...] = (1.0,)
    name: str = "staged"
    clock: HandClock = field(default_factory=HandClock)
    trained: list[tuple[int, float]] = field(default_factory=list)
    kill_at: tuple[int, float] | None = None
    last: tuple[int, ...] = ()

    def candidates(self, bench: Workbench) -> list[Candidate]:
        numbers = range(len(self.values))
        return [Candidate(self.name, "", (("n", n),), last=n in self.last) for n in numbers]

    def seconds(self, candidate: Candidate, bench: Workbench) -> float:
        return float(self.seconds_each[candidate["n"]]) if self.seconds_each else 1.0

    def start(self, candidate: Candidate, bench: Workbench) -> StagedAttempt:
        return StagedAttempt(self, candidate["n"])

    def export(self, candidate: Candidate, bench: Workbench, saved: Path, target: Path) -> TierSpec:
        raise NotImplementedError


@dataclass
class StagedAttempt:
    recipe: Staged
    number: int
    share: float = 0.0

    def advance(self, share: float) -> None:
        if self.recipe.kill_at == (self.number, share):
            raise KeyboardInterrupt
        self.recipe.trained.append((self.number, share))
        if self._value(share) is None:
            raise AdaptError("PF402", "step 3", "the loss is nan")
        whole = self.recipe.seconds_each[self.number] if self.recipe.seconds_each else 1.0
        self.recipe.clock.spent_s += whole * (share - self.share)
        self.share = share

    def _value(self, share: float) -> float | None:
        return self.recipe.values[self.number][self.recipe.rungs.index(share)]

    def logits(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.full((len(rows), 2), self._value(self.share), np.float32)

    def save(self, folder: Path) -> None:
        (folder / "share.json").write_text(json.dumps([self.number, self.share]))

    def restore(self, folder: Path) -> None:
        number, self.share = json.loads((folder / "share.json").read_text())
        assert number == self.number


@pytest.fixture
def run(runs: Path) -> Run:
    return Run.open(runs, "desk", learning={}, choosing={})


def climb(recipe: Staged, run: Run, tmp_path: Path, **options: Any) -> dict[int, Tried]:
    bench = Workbench(
        ("x",) * 6, np.zeros(6, np.int64), ("a", "b"), np.arange(4), np.arange(4, 6), (), tmp_path
    )
    ladder = Ladder(
        {recipe.name: recipe},
        bench,
        run,
        recipe.clock,  # type: ignore[arg-type]
        lambda logits: score(logits.mean(axis=1)),
        **({"worth_of_perfection": 100.0, "worth_a_second": 0.0} | options),
    )
    tried = ladder.climb()
    assert len({t.candidate for t in tried}) == len(tried)
    return {t.candidate["n"]: t for t in tried}


def test_the_cheapest_goes_first(run: Run, tmp_path: Path) -> None:
    recipe = Staged([[1.0], [2.0], [3.0]], seconds_each=[5, 1, 3])
    tried = climb(recipe, run, tmp_path)
    assert recipe.trained == [(1, 1.0), (2, 1.0), (0, 1.0)]
    assert [tried[n].value for n in range(3)] == [1.0, 2.0, 3.0]
    assert [tried[n].started_s for n in (1, 2, 0)] == [0.0, 1.0, 4.0]
    logits = tried[0].logits
    assert logits is not None
    assert logits.shape == (2, 2)


def test_the_best_third_goes_on(run: Run, tmp_path: Path) -> None:
    values = [[n, 10.0 + n] for n in (3, 1, 6, 2, 5, 4)]
    recipe = Staged(values, rungs=(0.25, 1.0))
    tried = climb(recipe, run, tmp_path)
    assert recipe.trained == [(n, 0.25) for n in range(6)] + [(2, 1.0), (4, 1.0)]
    assert {n for n, t in tried.items() if t.status == "trained"} == {2, 4}
    assert [tried[n].share for n in range(6)] == [0.25, 0.25, 1.0, 0.25, 1.0, 0.25]
    assert tried[0].status == "stopped"
    assert tried[0].why == "behind staged n=2 by 3.0000 a request at 25% of the work"


def test_three_rungs_keep_a_third_each_time(run: Run, tmp_path: Path) -> None:
    recipe = Staged([[n] * 3 for n in range(7)], rungs=(0.1, 0.5, 1.0))
    climb(recipe, run, tmp_path)
    assert [n for n, share in recipe.trained if share == 0.5] == [6, 5, 4]
    assert [n for n, share in recipe.trained if share == 1.0] == [6]


def test_what_does_not_fit_is_not_begun_and_said(run: Run, tmp_path: Path) -> None:
    recipe = Staged([[1.0], [2.0]], seconds_each=[10, 700], clock=HandClock(600))
    tried = climb(recipe, run, tmp_path)
    assert recipe.trained == [(0, 1.0)]
    assert tried[1].status == "not run"
    assert tried[1].why == "it would take about 700 s and 590 s are left"
    assert tried[1].held_back is not None
    assert (tried[1].held_back.by, tried[1].held_back.seconds) == ("minutes", 700.0)
    assert np.isnan(tried[1].value)
    assert tried[1].logits is None


def test_a_candidate_that_could_not_be_finished_does_not_go_on(run: Run, tmp_path: Path) -> None:
    """The best at the rung would take 45 s more and 25 s are left: the next best is finished."""
    recipe = Staged(
        [[5.0, 9.0], [4.0, 8.0], [3.0, 7.0]],
        seconds_each=[60, 20, 20],
        rungs=(0.25, 1.0),
        clock=HandClock(65),
    )
    recipe.clock.spent_s = 0.0
    tried = climb(recipe, run, tmp_path)
    assert (0, 0.25) in recipe.trained
    recipe_left = 65 - 15 - 5 - 5
    assert recipe_left == 40 < 45
    assert [t for t in recipe.trained if t[1] == 1.0] == [(1, 1.0)]
    assert tried[1].status == "trained"
    assert tried[0].status == "stopped"
    assert "at 25% of the work, it would take about 45 s and 40 s are left" in tried[0].why


@pytest.mark.parametrize(("worth_a_second", "pays"), [(0.0049, True), (0.0051, False)])
def test_what_would_not_pay_is_not_begun(
    run: Run, tmp_path: Path, worth_a_second: float, pays: bool
) -> None:
    """Half of what is left to gain is (5 − 4) / 2 = 0.5 a request, for 100 seconds."""
    recipe = Staged([[4.0], [4.5]], seconds_each=[1, 100])
    tried = climb(recipe, run, tmp_path, worth_of_perfection=5.0, worth_a_second=worth_a_second)
    assert tried[0].status == "trained", "the first always runs"
    assert (tried[1].status == "trained") is pays
    if not pays:
        assert tried[1].why == (
            "what it is expected to gain (0.5000 a request) would not pay for its 100 s"
        )
        assert tried[1].held_back == HeldBack("worth", 100.0, 0.5)


@pytest.mark.parametrize("bad", [None, float("nan")])
def test_one_that_fails_does_not_end_the_search(
    run: Run, tmp_path: Path, bad: float | None
) -> None:
    recipe = Staged([[bad], [2.0]], seconds_each=[1, 2])
    tried = climb(recipe, run, tmp_path)
    assert tried[0].status == "failed"
    assert tried[0].why.startswith("PF402")
    assert tried[1].status == "trained"
    assert run.recorded(tried[0].candidate.key) is None


def test_one_that_fails_on_the_way_does_not_end_the_halving(run: Run, tmp_path: Path) -> None:
    recipe = Staged([[None, 1.0], [2.0, 5.0], [3.0, None]], rungs=(0.5, 1.0))
    tried = climb(recipe, run, tmp_path)
    assert {n: t.status for n, t in tried.items()} == {0: "failed", 1: "stopped", 2: "failed"}


def test_what_was_recorded_is_not_trained_again(run: Run, tmp_path: Path) -> None:
    values = [[n, 10.0 + n] for n in (3, 1, 2)]
    first = climb(Staged(values, rungs=(0.5, 1.0)), run, tmp_path)
    again = Staged(values, rungs=(0.5, 1.0))
    second = climb(again, run, tmp_path)
    assert again.trained == []
    for n, tried in first.items():
        kept = second[n]
        assert (kept.status, kept.value, kept.share, kept.why) == (
            tried.status,
            tried.value,
            tried.share,
            tried.why,
        )


# At the rung, 0 is best; whole, it is worse than 1 was at the rung.
FICKLE = [[3.0, 1.5], [2.0, 9.0], [1.0, 9.0]]


@pytest.mark.parametrize("kill_at", [(0, 0.5), (1, 0.5), (2, 0.5), (0, 1.0), None])
def test_a_killed_run_goes_on_to_the_same_end(
    run: Run, runs: Path, tmp_path: Path, kill_at: tuple[int, float] | None
) -> None:
    rungs = (0.5, 1.0)
    whole = climb(
        Staged(FICKLE, rungs=rungs),
        Run.open(runs, "other", learning={"x": 1}, choosing={}),
        tmp_path,
    )
    killed = Staged(FICKLE, rungs=rungs, kill_at=kill_at)
    if kill_at:
        with pytest.raises(KeyboardInterrupt):
            climb(killed, run, tmp_path)
    else:
        climb(killed, run, tmp_path)
    after = Staged(FICKLE, rungs=rungs)
    end = climb(after, run, tmp_path)
    assert sorted(killed.trained + after.trained) == [(0, 0.5), (0, 1.0), (1, 0.5), (2, 0.5)]
    assert {n: (t.status, t.value) for n, t in end.items()} == {
        n: (t.status, t.value) for n, t in whole.items()
    }


def test_other_terms_judge_the_same_scores_anew(run: Run, tmp_path: Path) -> None:
    recipe = Staged([[3.0], [1.0]])
    climb(recipe, run, tmp_path)
    ladder = Ladder(
        {"staged": recipe},
        Workbench(
            ("x",) * 6,
            np.zeros(6, np.int64),
            ("a", "b"),
            np.arange(4),
            np.arange(4, 6),
            (),
            tmp_path,
        ),
        run,
        recipe.clock,  # type: ignore[arg-type]
        lambda logits: score(-logits.mean(axis=1)),
        worth_of_perfection=0.0,
        worth_a_second=0.0,
    )
    assert [t.value for t in ladder.climb()] == [-3.0, -1.0]
    assert len(recipe.trained) == 2


def test_why_the_second_lost() -> None:
    one, two = (Candidate("staged", "", (("n", n),)) for n in (1, 2))
    rows = np.array([3.0, -6.0, 3.0])
    worse = Tried(one, "trained", score=Score(rows - 0.5, np.full(3, 0.2)))
    level = Tried(one, "trained", score=Score(rows, np.full(3, 0.35)))
    winner = Tried(two, "trained", score=Score(rows, np.full(3, 0.3)))
    assert worse.behind(winner) == "behind staged n=2 by 0.5000 a request"
    assert "not told from staged n=2" in level.behind(winner)
    assert level.behind(winner).endswith("log loss by 0.0500")


def test_a_short_candidate_is_tried_only_where_no_other_fits(run: Run, tmp_path: Path) -> None:
    usual = Candidate("staged", "", (("n", 1),))
    short = Candidate("staged", "", (("n", 2),), only_if_short=True)

    def fitting(seconds_left: float) -> list[Candidate]:
        recipe = Staged([[1.0], [1.0]])
        ladder = Ladder(
            {"staged": recipe},
            None,  # type: ignore[arg-type]
            run,
            Clock(seconds_left),
            lambda logits: logits[:, 0].astype(np.float64),
            worth_of_perfection=0.0,
            worth_a_second=0.0,
        )
        ladder._seconds = lambda candidate: 5.0 if candidate is short else 50.0  # type: ignore[method-assign]
        return ladder._fitting([usual, short])

    assert fitting(100.0) == [usual]
    assert fitting(10.0) == [usual, short]


def test_what_combines_others_comes_after_them(run: Run, tmp_path: Path) -> None:
    recipe = Staged([[1.0, 2.0], [1.0, 3.0], [1.0, 9.0]], rungs=(0.5, 1.0), last=(1,))
    tried = climb(recipe, run, tmp_path)
    assert recipe.trained == [(0, 0.5), (2, 0.5), (0, 1.0), (2, 1.0), (1, 1.0)]
    assert tried[1].status == "trained"
    at_once = Staged([[1.0], [2.0]], seconds_each=[5, 1], name="at-once", last=(1,))
    climb(at_once, run, tmp_path)
    assert at_once.trained == [(0, 1.0), (1, 1.0)], "the cheaper one was told to be the last"


@pytest.mark.parametrize(("budget_s", "begun"), [(260, True), (250, False)])
def test_it_must_leave_time_to_be_trained_on_all_rows(
    run: Run, tmp_path: Path, budget_s: float, begun: bool
) -> None:
    """4 of 6 rows take 100 s, so that all of them take 150 s more."""
    recipe = Staged([[1.0], [2.0]], seconds_each=[5, 100], clock=HandClock(budget_s), last=(1,))
    tried = climb(recipe, run, tmp_path)
    assert (tried[1].status == "trained") is begun
    if not begun:
        assert tried[1].why == "it would take about 250 s, on all rows too, and 245 s are left"
        assert tried[1].held_back is not None
        assert (tried[1].held_back.by, tried[1].held_back.seconds) == ("minutes", 100.0)
