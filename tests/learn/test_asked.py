"""Requests that are drawn to be asked about: chances kept, queues mixed, losses told rightly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import select

from payoff.core.errors import ProjectError, ServiceError
from payoff.economics.policy import Policy
from payoff.learn.asked import answered_chances, audit_share_of, draw_audit
from payoff.learn.backup import back_up, restore
from payoff.learn.entry import Entry, packed_probabilities
from payoff.learn.feedback import Feedback, take
from payoff.learn.forgetting import forget_old
from payoff.learn.journal import Journal
from payoff.learn.review import waiting
from payoff.learn.tables import asked, audit_rounds
from payoff.learn.waiting import waiting_requests
from payoff.learn.watching.audit import audited_mean
from payoff.learn.watching.journal_window import newest
from payoff.learn.watching.watched_model import WatchedModel
from payoff.learn.watching.window import Window

LABELS = ("a", "b", "c")
VALUES = np.array([[3.0, -7.0, -6.0, -1.0], [-8.0, 4.0, -5.0, -1.0], [-6.0, -7.0, 2.0, -1.0]])
POLICY = Policy(LABELS, VALUES, segment_values={"dear": 6 * VALUES})
MODEL = WatchedModel(name="m", sha256="s" * 64, policy=POLICY, currency="USD")


def decided(n: int, seed: int, start: int = 0) -> tuple[list[Entry], NDArray[np.int64]]:
    """Decisions, a third of them dear, and what they truly were: the dear ones are oft wrong."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet([0.35] * 3, n)
    dear = rng.random(n) < 1 / 3
    segments = np.where(dear, "dear", "")
    said = POLICY.decide(p, segments)
    own = p.argmax(axis=1)
    turned = rng.random(n) < np.where(dear, 0.4, 0.05)  # what no probability tells
    truth = np.where(turned, (own + 1) % 3, [rng.choice(3, p=row) for row in p])
    entries = [
        Entry(
            f"r-{start + i}", "s" * 64, f"t-{i}", (*LABELS, "handoff")[said.actions[i]],
            LABELS[own[i]], float(p[i].max()), 1.0, "USD", 2.0, segment=str(segments[i]),
            time_utc="2026-11-01T00:00:00.000000Z", probabilities=packed_probabilities(p[i]),
        )
        for i in range(n)
    ]  # fmt: skip
    return entries, truth


def answer(
    journal: Journal, ids: Sequence[str], entries: Sequence[Entry], truth: NDArray[np.int64]
) -> None:
    label = {one.request_id: LABELS[true] for one, true in zip(entries, truth, strict=True)}
    told = [Feedback(name, label=label[name], source="person", person="ann") for name in ids]
    take(journal, told)


def true_gaps(window: Window, truth: NDArray[np.int64]) -> NDArray[np.float64]:
    return window.outcomes[np.arange(len(window)), truth] - window.expected


def drawn_of(journal: Journal) -> list[int]:
    """Places of the requests that were drawn."""
    with journal.reading() as connection:
        return sorted(int(one.request_id[2:]) for one in connection.execute(select(asked)))


def told_gap(window: Window) -> float:
    """The mean gap as watching reckons it, before it is believed by degrees."""
    assert window.inclusion is not None
    counted = np.ptp(window.outcomes, axis=1) > 0
    taken_for = window.probabilities.argmax(axis=1).astype(np.int64)
    gaps = window.realised - window.expected
    return audited_mean(gaps, window.inclusion, taken_for, counted)[0]


def test_every_drawn_request_keeps_its_chance(books_url: str) -> None:
    entries, truth = decided(900, 0)
    shadow = [
        replace(one, request_id=f"{one.request_id}#shadow", experiment="new", arm="treatment")
        for one in entries[:20]
    ]
    with Journal.open(books_url) as journal:
        journal.append([*entries[:40], *shadow[:5]])
        assert draw_audit(journal, POLICY) == 0  # too few yet: they are drawn from later
        journal.append([*entries[40:], *shadow[5:]])
        drawn = draw_audit(journal, POLICY, seed=1)
        assert draw_audit(journal, POLICY, seed=2) == 0  # each decision is in one draw
        with journal.reading() as connection:
            chances = {one.request_id: one.chance for one in connection.execute(select(asked))}
            (lot,) = connection.execute(select(audit_rounds)).all()
        handed = sum(one.action == "handoff" for one in entries)
        assert abs(drawn - max(handed / 4, 9)) <= 1
        assert all(0 < one <= 1 for one in chances.values())
        assert not [one for one in chances if one.endswith("#shadow")]
        assert (lot.n_asked, lot.n_decisions, lot.audit_share) == (drawn, 900, 0.2)
        assert newest(journal, MODEL, 2000, after_id=0).window.inclusion is None
        first, second, third, *_ = chances
        answer(journal, [first, second], entries, truth)
        take(journal, [Feedback(second, correct=False), Feedback(third, label="a")])
        with journal.reading() as connection:
            told = answered_chances(connection, [one.request_id for one in entries])
        assert told == {first: chances[first], second: chances[second]}
        window = newest(journal, MODEL, 2000, after_id=0).window
        assert window.inclusion is not None
        assert sorted(window.inclusion[window.inclusion > 0]) == sorted(told.values())


def test_the_queue_is_mixed_so_that_each_beginning_has_its_share(books_url: str) -> None:
    entries, truth = decided(1200, 3)
    with Journal.open(books_url) as journal:
        journal.append(entries, texts={one.request_id: "text" for one in entries})
        found = waiting(journal, POLICY)
        by_chance = [one.by_chance for one in found]
        n_drawn = sum(by_chance)
        handed = [one for one in found if not one.by_chance]
        assert n_drawn > 10
        assert len(handed) > 30
        for n in range(5, 5 * n_drawn // 2, 5):
            assert abs(sum(by_chance[:n]) - n / 5) <= 2  # equal worths may be drawn together
        assert [one.rank for one in found] == sorted((one.rank for one in found), reverse=True)
        assert waiting(journal, POLICY) == found
        drawn = [one.request_id for one in found if one.by_chance]
        assert drawn != sorted(drawn, key=lambda name: int(name[2:]))  # nor by their time
        assert {one.request_id for one in waiting_requests(journal, most=n_drawn)} == set(drawn)
        first, second = drawn[:2]
        take(journal, [Feedback(first, label="a", source="system", sent_by="crm")])
        assert first in [one.request_id for one in waiting(journal, POLICY)]  # people check it
        answer(journal, [first, second], entries, truth)
        left = [one.request_id for one in waiting(journal, POLICY) if one.by_chance]
        assert left == drawn[2:]


def test_no_share_draws_nobody_and_a_whole_one_is_refused() -> None:
    with Journal.open("sqlite://") as journal:
        journal.append(decided(200, 1)[0])
        assert not [one for one in waiting(journal, POLICY, audit_share=0.0) if one.by_chance]
        for share in (1.0, -0.1):
            with pytest.raises(ServiceError, match="PF798"):
                draw_audit(journal, POLICY, audit_share=share)


def stating(section: str) -> Any:
    """An artifact whose project says this of the queue."""
    text = f"[review]\n{section}\n" if section else ""
    return SimpleNamespace(documents=("payoff.toml",), read=lambda _: text.encode())


def test_the_share_is_stated_by_the_project_or_by_who_serves() -> None:
    assert audit_share_of(stating("audit_share = 0.5")) == 0.5
    assert audit_share_of(stating("audit_share = 0")) == 0.0
    assert audit_share_of(stating("audit_share = 0.5"), 0.1) == 0.1
    assert audit_share_of(stating("")) == 0.2
    bare: Any = SimpleNamespace(documents=())
    assert audit_share_of(bare) == 0.2
    for share in (1.0, -0.1, float("nan")):
        with pytest.raises(ServiceError, match="PF798"):
            audit_share_of(bare, share)


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ("audit_share = 1.0", r"PF203 payoff.toml \[review\]: 'audit_share' is 1"),
        ("audit_share = -0.1", "PF203"),
        ("audit_share = nan", "PF203"),
        ('audit_share = "half"', "PF203"),
        ("audit_shar = 0.1", "PF202.*Did you mean 'audit_share'"),
    ],
)
def test_a_share_that_cannot_be_stated(section: str, told: str) -> None:
    with pytest.raises(ProjectError, match=told):
        audit_share_of(stating(section))


def test_the_loss_is_told_rightly_by_chances_and_wrongly_without() -> None:
    """The queue prefers dear texts, and dear texts are wrong more often than the model says."""
    weighed, plain, true = [], [], []
    for seed in range(16):
        entries, truth = decided(400, seed)
        with Journal.open("sqlite://") as journal:
            journal.append(entries)
            draw_audit(journal, POLICY, audit_share=0.6, seed=seed)
            drawn = drawn_of(journal)
            answer(journal, [entries[i].request_id for i in drawn], entries, truth)
            window = newest(journal, MODEL, 1000, after_id=0).window
        gaps = true_gaps(window, truth)
        true.append(float(gaps.mean()))
        weighed.append(told_gap(window))
        plain.append(float(gaps[drawn].mean()))
    off, off_plain = np.array(weighed) - true, np.array(plain) - true
    assert abs(off.mean()) < 3.5 * off.std() / len(off) ** 0.5
    assert off_plain.mean() < 10 * -abs(off.mean())
    assert off_plain.mean() < 0.5 * np.mean(true) < 0


def test_complaints_of_customers_do_not_stand_for_the_others() -> None:
    off, plain = [], []
    for seed in range(16):
        rng = np.random.default_rng(seed)
        entries, truth = decided(400, 100 + seed)
        with Journal.open("sqlite://") as journal:
            journal.append(entries)
            draw_audit(journal, POLICY, audit_share=0.6, seed=seed)
            gaps = true_gaps(newest(journal, MODEL, 1000, after_id=0).window, truth)
            drawn = [i for i in drawn_of(journal) if rng.random() < 0.7]  # nobody saw the rest yet
            answer(journal, [entries[i].request_id for i in drawn], entries, truth)
            angry = np.flatnonzero((gaps < -5) & (rng.random(400) < 0.5))
            told = [Feedback(f"r-{i}", LABELS[truth[i]], source="customer") for i in angry]
            take(journal, told)
            window = newest(journal, MODEL, 1000, after_id=0).window
        off.append(told_gap(window) - float(gaps.mean()))
        plain.append(float(gaps[~np.isnan(window.realised)].mean() - gaps.mean()))
    assert abs(np.mean(off)) < 3.5 * np.std(off) / len(off) ** 0.5
    assert np.mean(plain) < 5 * -abs(np.mean(off))


def test_chances_are_backed_up_and_go_with_their_decisions(tmp_path: Path) -> None:

    entries, _ = decided(300, 2)
    with Journal.open("sqlite://") as journal:
        journal.append(entries)
        n = draw_audit(journal, POLICY)
        path = tmp_path / "kept.zip"
        assert back_up(journal, path).rows["asked"] == n > 0
        with Journal.open("sqlite://") as other:
            restore(path, other)
            assert draw_audit(other, POLICY) == 0
        forget_old(journal, decisions_days=1)
        with journal.reading() as connection:
            assert connection.execute(select(asked)).all() == []
