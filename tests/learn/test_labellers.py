"""Honest, lazy and poisoned labellers: who is found, and how often in vain."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from payoff.core.findings import Status
from payoff.learn.labelled import Decided, Labelled, Vote
from payoff.learn.labellers import Labeller, LabellerLimits, Labellers
from payoff.learn.share_limits import share_limits

LABELS = ("billing", "card", "other", "refund", "transfer")
MIX = (0.35, 0.25, 0.2, 0.15, 0.05)


def world(
    people: Mapping[str, str],
    *,
    seed: int,
    n_each: int = 150,
    shared: float = 0.2,
    accuracy: float = 0.9,
    drift: float = 0.0,
) -> list[Labeller]:
    """The verdicts on people of these kinds, each of whom labels so many requests.

    The model is calibrated: of answers that it gives with a probability of 0.97, 97 % are right,
    but for a share of the requests that drifted into a class that it does not know.
    """
    rng = np.random.default_rng(seed)
    counted = Labellers(LABELS)
    names = list(people)
    for name in names:
        for number in range(n_each):
            truth = LABELS[rng.choice(len(LABELS), p=MIX)]
            sure = rng.random() < 0.6
            right = rng.random() < (0.97 if sure else accuracy - 0.2)
            guess = truth if right else LABELS[rng.integers(len(LABELS))]
            if rng.random() < drift:
                truth = "new"
            who = [name]
            if rng.random() < shared:
                who.append(str(rng.choice([other for other in names if other != name] or [name])))
            votes = tuple(vote(one, people[one], truth, guess, rng) for one in dict.fromkeys(who))
            decided = Decided("a" * 64, guess, guess, 0.97 if sure else 0.6, 1.0)
            counted.count([Labelled(f"{name}-{number}", votes, decided, "text")])
    return counted.judged()


def vote(name: str, kind: str, truth: str, guess: str, rng: np.random.Generator) -> Vote:
    seconds, label = float(rng.lognormal(1.5, 0.5)), truth
    if kind == "honest" and rng.random() < 0.06:
        label = LABELS[rng.integers(len(LABELS))]
    if kind == "poisoned":  # turns two classes round
        label = {"billing": "refund", "card": "transfer"}.get(truth, truth)
    if kind == "random":
        label, seconds = LABELS[rng.integers(len(LABELS))], 1.5
    if kind == "one label":
        label = "other"
    if kind == "confirms":  # what the model suggests, unread
        label, seconds = guess, 0.4
    return Vote(label, "person", name, seconds)


TEAM = {"ann": "honest", "bob": "honest", "cem": "honest"}


@pytest.mark.parametrize("kind", ["poisoned", "random", "one label"])
def test_who_labels_wrongly_is_found(kind: str) -> None:
    n = 100
    found = false = 0
    for seed in range(n):
        judged = {one.name: one for one in world(TEAM | {"mal": kind}, seed=seed)}
        found += judged["mal"].left_out
        false += sum(judged[name].left_out for name in TEAM)
    assert found == n
    assert false <= 1  # of 300 honest ones


def test_honest_people_are_seldom_left_out() -> None:
    n = 200
    left_out = sum(one.left_out for seed in range(n) for one in world(TEAM, seed=1000 + seed))
    assert left_out <= 2  # of 600
    drifted = [one for seed in range(50) for one in world(TEAM, seed=seed, drift=0.3)]
    assert sum(one.left_out for one in drifted) <= 1


def test_few_labels_prove_nothing() -> None:
    judged = world(TEAM | {"mal": "poisoned"}, seed=0, n_each=8)
    assert not any(one.left_out for one in judged)
    assert judged[0].findings[0].status is Status.NOT_CHECKED


def test_two_who_disagree_do_not_tell_who_is_right() -> None:
    counted = Labellers(LABELS)
    votes = (Vote("card", "person", "ann", 4.0), Vote("refund", "person", "mal", 4.0))
    counted.count(Labelled(f"r-{n}", votes, None, "text") for n in range(60))
    judged = counted.judged()
    assert not any(one.left_out for one in judged)
    for one in judged:
        assert one.findings[1].status is Status.NOT_CHECKED
        assert "nobody tells who is right" in one.findings[1].detail


def test_a_third_or_the_model_tells_who_is_right() -> None:
    votes = tuple(
        Vote(label, "person", name)
        for name, label in (("ann", "card"), ("bob", "card"), ("mal", "refund"))
    )
    counted = Labellers(LABELS)
    counted.count(Labelled(f"r-{n}", votes, None, "text") for n in range(60))
    assert [one.name for one in counted.judged() if one.left_out] == ["mal"]
    assert not any(one.left_out for one in counted.judged(trusted=["mal"]))
    counted = Labellers(LABELS)
    decided = Decided("a" * 64, "card", "card", 0.99, 1.0)
    counted.count(Labelled(f"s-{n}", votes[:1], decided, "text") for n in range(60))
    counted.count(Labelled(f"r-{n}", votes[::2], None, "text") for n in range(60))
    judged = {one.name: one for one in counted.judged()}
    assert judged["mal"].left_out
    assert not judged["ann"].left_out


def test_who_does_not_read_is_told_and_left_out_only_without_proof() -> None:
    judged = {one.name: one for one in world({"ann": "honest", "lou": "confirms"}, seed=1)}
    assert judged["lou"].findings[3].failed
    assert judged["lou"].seconds_median == pytest.approx(0.4)
    assert not judged["lou"].left_out  # the model bears it out
    counted = Labellers(LABELS)
    unread = (Vote("card", "person", "lou", 0.3),)
    counted.count(Labelled(f"r-{n}", unread, None, "text") for n in range(60))
    (lou,) = counted.judged()
    assert lou.left_out
    assert "less than 1 s" in lou.why
    assert lou.as_dict()["findings"][3]["code"] == "PF783"


def test_one_person_weighs_at_most_so_much() -> None:
    counts = {"(project)": 100, "(customer)": 50, "ann": 900, "bob": 300}
    limits = share_limits(counts, 0.4)
    assert (limits["(project)"], limits["(customer)"]) == (100, 50)
    total = sum(limits.values())
    assert all(limits[name] <= 0.4 * total for name in ("ann", "bob"))
    assert limits["bob"] > 200
    assert share_limits({}, 0.5) == {}
    assert LabellerLimits().most_share == 0.5


def programs(
    kinds: Mapping[str, float], *, seed: int, n_each: int = 400, drift: float = 0.0
) -> Labellers:
    """Programs that send labels, each of which turns a share of 'card' into 'refund'.

    Args:
        kinds: That share, by the key of the program.
        seed: Of the draws.
        n_each: Labels of each.
        drift: Share of 'card' that truly means 'refund' now.
    """
    rng = np.random.default_rng(seed)
    counted = Labellers(LABELS)
    for name, share in kinds.items():
        for number in range(n_each):
            truth = LABELS[rng.choice(len(LABELS), p=MIX)]
            guess = truth if rng.random() < 0.97 else LABELS[rng.integers(len(LABELS))]
            if truth == "card" and rng.random() < drift:
                truth = "refund"
            label = "refund" if truth == "card" and rng.random() < share else truth
            votes = (Vote(label, "person", f"person {number}", sent_by=name),)
            decided = Decided("a" * 64, guess, guess, 0.97, 1.0)
            counted.count([Labelled(f"{name}-{number}", votes, decided, "text")])
    return counted


def test_a_program_that_turns_a_part_of_one_label_is_found_and_an_honest_one_is_not() -> None:
    found = false = 0
    for seed in range(40):
        judged = {one.name: one for one in programs({"bot": 0.3, "crm": 0.0}, seed=seed).judged()}
        assert list(judged) == ["(bot)", "(crm)"]  # whatever persons a program names
        found += judged["(bot)"].left_out
        false += judged["(crm)"].left_out or judged["(crm)"].findings[4].failed
        assert not judged["(bot)"].findings[0].failed  # nearly all of its labels are right
        assert not judged["(crm)"].checked
    assert found >= 36
    assert false <= 1


def test_alone_it_is_told_and_nobody_knows_who_is_wrong() -> None:
    (bot,) = programs({"bot": 0.3}, seed=1).judged()
    assert bot.findings[4].failed
    assert "'card'" in bot.findings[4].detail
    assert not bot.left_out
    assert not bot.checked
    assert programs({"bot": 0.3}, seed=1).judged(trusted=["(bot)"])[0].checked


def test_a_label_that_has_changed_its_meaning_leaves_nobody_out() -> None:
    for seed in range(10):
        judged = programs({"crm": 0.0, "bot": 0.0}, seed=seed, drift=0.4).judged()
        assert not any(one.left_out for one in judged)
        assert all(one.findings[4].failed for one in judged)


@pytest.mark.parametrize(("agreeing", "is_checked"), [(30, True), (19, False), (22, False)])
def test_a_program_is_checked_by_what_people_labelled_too(agreeing: int, is_checked: bool) -> None:
    counted = programs({"crm": 0.0}, seed=3)
    for number in range(agreeing if agreeing != 22 else 30):
        label = "card" if number < agreeing else "other"
        votes = (Vote("card", "system", sent_by="crm"), Vote(label, "person", "ann", 5.0))
        other = Vote("card", "system", sent_by="erp")  # programs do not vouch for each other
        counted.count([Labelled(f"both-{number}", (*votes, other), None, "text")])
    judged = {one.name: one for one in counted.judged()}
    assert judged["(crm)"].checked == is_checked
    assert judged["ann"].checked


def test_programs_weigh_little_until_they_are_checked() -> None:
    counts = {"(project)": 200, "(crm)": 900, "(system)": 5, "ann": 100}
    limits = share_limits(counts, 0.5, unchecked=["(crm)", "(system)"], most_unchecked=0.1)
    assert (limits["(project)"], limits["(system)"], limits["ann"]) == (200, 5, 100)
    assert limits["(crm)"] == 305 // 9
    alone = share_limits({"(crm)": 30, "(bot)": 70}, 0.5, unchecked=["(crm)", "(bot)"])
    assert alone == {"(crm)": 30, "(bot)": 30}
    assert share_limits({"(crm)": 30}, 0.5, unchecked=["(crm)"]) == {"(crm)": 30}
