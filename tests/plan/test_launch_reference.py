"""What a run writes for watching: of rows that did not train, and nobody's words."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from payoff.economics.cascades.cascade_policy import Answered
from payoff.economics.policy import Policy
from payoff.learn.entry import Entry, packed_probabilities
from payoff.learn.journal import Journal
from payoff.learn.watching.kept_reference import kept_reference
from payoff.learn.watching.reference import Reference
from payoff.learn.watching.watch import watch
from payoff.learn.watching.watched_model import WatchedModel
from payoff.plan.launch_reference import launch_reference

VALUES = np.array([[3.0, -7.0, -1.0], [-5.0, 2.0, -1.0]])
PLAIN = Policy(("a", "b"), VALUES)
STEPS = [{"name": "right answers", "amount": 300.0}, {"name": "wrong answers", "amount": -100.0}]
FORECAST = {"profit": {"mean": 190.0}, "per_request": {"mean": 1.9}, "waterfall": STEPS}


def plan_on_rows(n: int, policy: Policy) -> tuple[Any, Any]:
    """A plan on test rows and the rows: calibrated by construction."""
    rng = np.random.default_rng(0)
    first = rng.beta(4, 1, n)
    p = np.stack([first, 1 - first], axis=1)
    truth = (rng.random(n) > first).astype(np.int64)
    chosen = SimpleNamespace(
        option=SimpleNamespace(policy=policy),
        probabilities=p,
        actions=policy.decide(p).actions,
        forecast=SimpleNamespace(as_dict=lambda: FORECAST),
        evidence=SimpleNamespace(ece=0.01),
    )
    texts = tuple(f"Zebediah wrote {i}" for i in range(n))
    return chosen, SimpleNamespace(test_targets=truth, test_texts=texts, test_segments=None)


def test_it_holds_means_and_histograms_and_no_word() -> None:
    chosen, parts = plan_on_rows(400, PLAIN)
    answered = Answered(chosen.probabilities, np.zeros(400, np.int64), np.full(400, 0.25))
    content, finding = launch_reference(chosen, parts, answered=answered, seed=0)
    assert content is not None
    assert not finding.failed
    written = json.dumps(content)
    assert "Zebediah" not in written
    assert content["words"] is None
    assert "length of the text" in written
    reference = Reference.from_dict(json.loads(written))
    earned = VALUES[parts.test_targets, chosen.actions].mean()
    assert reference.worth == pytest.approx(earned)
    assert reference.forecast == pytest.approx(2.0)
    assert (reference.n, reference.n_labels, reference.cost) == (400, 400, 0.25)
    assert launch_reference(chosen, parts, answered=answered, seed=0)[0] == content


def test_a_stated_mix_is_that_of_the_reference() -> None:
    shifted = Policy(("a", "b"), VALUES, np.array([0.5, 3.0]))
    chosen, parts = plan_on_rows(4000, shifted)
    content, _ = launch_reference(chosen, parts, answered=None, seed=0)
    assert content is not None
    weights = np.array([0.5, 3.0])[parts.test_targets]
    assert content["n"] == int(weights.sum() ** 2 / (weights**2).sum()) < 4000
    share = weights[parts.test_targets == 1].sum() / weights.sum()
    assert content["mix"][1] == pytest.approx(share, abs=0.04)


def test_too_few_rows_make_none_and_say_so() -> None:
    content, finding = launch_reference(*plan_on_rows(150, PLAIN), answered=None, seed=0)
    assert content is None
    assert finding.failed
    assert "150 test rows" in finding.detail


def test_watching_uses_it_from_the_first_requests_and_says_so() -> None:
    content, _ = launch_reference(*plan_on_rows(2000, PLAIN), answered=None, seed=0)
    about: dict[str, Any] = {"name": "m", "sha256": "s" * 64, "policy": PLAIN, "currency": "USD"}
    launched = WatchedModel(**about, reference=content)
    rng = np.random.default_rng(1)
    with Journal.open("sqlite://") as journal:
        assert watch(journal, launched).reference == "2,000 test rows that came with the artifact"
        for i in range(300):  # a market unlike the test rows from the first day
            p = np.array([0.55, 0.45]) + rng.uniform(-0.02, 0.02) * np.array([1, -1])
            action = ("a", "b", "handoff")[int(PLAIN.decide(p[None]).actions[0])]
            journal.append(
                [
                    Entry(
                        f"r-{i}", "s" * 64, "t", action, "a", float(p[0]),
                        float((p @ VALUES).max()), "USD", 1.0,
                        probabilities=packed_probabilities(p),
                    )
                ]
            )  # fmt: skip
        told = watch(journal, launched)
        assert told.against == "forecast"
        assert told.raised
        assert told.as_dict()["reference"] == "2,000 test rows that came with the artifact"
        kept = kept_reference(journal, launched)
        assert kept is not None
        assert kept.of_launch
        old = watch(journal, WatchedModel(**about))  # an artifact of before: it waits as it did
        assert old.loss is None
        assert "1,000" in old.advice


@pytest.mark.parametrize(("sureness", "of_launch"), [(0.995, False), (0.6, True)])
def test_a_kinder_market_is_what_can_be_lost(sureness: float, of_launch: bool) -> None:
    """Better first requests are compared with; worse ones are never taken for normal."""
    content, _ = launch_reference(*plan_on_rows(2000, PLAIN), answered=None, seed=0)
    about: dict[str, Any] = {"name": "m", "sha256": "s" * 64, "policy": PLAIN, "currency": "USD"}
    launched = WatchedModel(**about, reference=content)
    rng = np.random.default_rng(1)
    entries = []
    for i in range(1000):
        p = np.array([sureness, 1 - sureness]) + rng.uniform(-0.004, 0.004) * np.array([1, -1])
        action = ("a", "b", "handoff")[int(PLAIN.decide(p[None]).actions[0])]
        entries.append(
            Entry(
                f"r-{i}", "s" * 64, "t", action, "a", float(p[0]),
                float((p @ VALUES).max()), "USD", 1.0, probabilities=packed_probabilities(p),
            )
        )  # fmt: skip
    with Journal.open("sqlite://") as journal:
        journal.append(entries[:-1])
        before = kept_reference(journal, launched)
        journal.append(entries[-1:])
        kept = kept_reference(journal, launched)
    assert before is not None
    assert before.of_launch  # until then there is nothing else
    assert kept is not None
    assert kept.of_launch == of_launch
