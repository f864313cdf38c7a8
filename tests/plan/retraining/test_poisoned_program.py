"""A program that poisons its labels: found where others tell, and of little weight in any case."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

import numpy as np
import polars as pl
from tests.plan.retraining.market import written

from payoff.core.findings import Finding
from payoff.data.dataset import Dataset
from payoff.learn.entry import Entry, packed_probabilities
from payoff.learn.feedback import Feedback, take
from payoff.learn.journal import Journal
from payoff.plan.retraining.gathered import Gathered, GatheringRules

KNOWN = ("billing", "card", "refund")


def project(n_each: int = 100) -> Dataset:
    rng = np.random.default_rng(5)
    rows = [(written(k, rng, n), k) for n in range(n_each) for k in KNOWN]
    frame = pl.DataFrame({"text": [r[0] for r in rows], "label": [r[1] for r in rows]})
    return Dataset.from_frame(frame, text="text", label="label")


def gathered(kinds: dict[str, float], *, trusted: tuple[str, ...] = ()) -> Gathered:
    """What is learnt where each program sends 300 labels, a share of 'card' turned to 'refund'."""
    rng = np.random.default_rng(1)
    with Journal.open("sqlite://") as journal:
        for name, share in kinds.items():
            entries, texts, told = [], {}, []
            for number in range(300):
                truth, key = KNOWN[number % 3], f"{name}-{number}"
                guess = truth if rng.random() < 0.98 else "billing"
                p = np.where(np.array(KNOWN) == guess, 0.96, 0.02)
                entries.append(
                    Entry(
                        key, "a" * 64, key, guess, guess, 0.96, 1.0, "USD", 1.0,
                        probabilities=packed_probabilities(p),
                    )
                )  # fmt: skip
                texts[key] = written(truth, rng, 10_000 + number)
                label = "refund" if truth == "card" and rng.random() < share else truth
                told.append(Feedback(key, label, sent_by=name))
            journal.append(entries, texts=texts)
            take(journal, told)
        rules = GatheringRules(trusted=trusted)
        return Gathered.of(journal, project(), known=KNOWN, rules=rules)


def taken_for_refund(found: Gathered) -> float:
    """Mean probability of 'refund' for texts of 'card', by naive Bayes on what is learnt."""
    rows = [*zip(project().texts, project().targets, strict=True)]
    rows += [(row.text, row.label) for row in found.learnt]
    counts = {k: Counter(words(text for text, label in rows if label == k)) for k in KNOWN}
    sizes = Counter(label for _, label in rows)
    held = [written("card", np.random.default_rng(9), 90_000 + n) for n in range(50)]
    shares = []
    for text in held:
        logs = [math.log(sizes[k]) + log_likelihood(text, counts[k]) for k in KNOWN]
        raised = [math.exp(one - max(logs)) for one in logs]
        shares.append(raised[KNOWN.index("refund")] / sum(raised))
    return sum(shares) / len(shares)


def log_likelihood(text: str, counts: Counter[str]) -> float:
    return sum(math.log((counts[word] + 1) / (counts.total() + 100)) for word in words([text]))


def words(texts: Iterable[str]) -> list[str]:
    return [word for text in texts for word in text.split() if not word.isdigit()]


def finding(found: Gathered, code: str, name: str = "") -> Finding:
    return next(one for one in found.findings if one.code == code and name in one.title)


def test_beside_an_honest_one_it_is_left_out() -> None:
    found = gathered({"bot": 0.3, "crm": 0.0})
    left_out = {one.name: one.left_out for one in found.labellers}
    assert left_out == {"(bot)": True, "(crm)": False}
    assert finding(found, "PF795", "(bot)").failed
    assert not finding(found, "PF795", "(crm)").failed
    assert {row.teller for row in found.learnt} == {"(crm)"}
    assert finding(found, "PF796").failed  # nobody has checked the honest one either
    assert len(found.learnt) <= 0.1 * (300 + len(found.learnt))
    told = [one.as_dict() for one in found.labellers]
    assert [one["checked"] for one in told] == [False, False]


def test_alone_it_moves_the_model_little() -> None:
    clean = taken_for_refund(gathered({"crm": 0.0}))
    bounded = gathered({"bot": 0.3})
    assert finding(bounded, "PF795", "(bot)").failed
    assert finding(bounded, "PF796").failed
    assert 0 < len(bounded.learnt) <= 0.1 * (300 + len(bounded.learnt))
    unbounded = gathered({"bot": 0.3}, trusted=("(bot)",))
    assert len(unbounded.learnt) > 150
    moved = taken_for_refund(unbounded) - clean
    assert moved > 0
    assert taken_for_refund(bounded) - clean < 0.4 * moved
