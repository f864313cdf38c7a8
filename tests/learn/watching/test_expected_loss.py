from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.learn.watching.requests_of import LABELS, POLICY, requests_of
from tests.learn.watching.test_audit import restated

from payoff.core.errors import ServiceError
from payoff.learn.watching.audit import audit_sample, inclusions
from payoff.learn.watching.expected_loss import expected_loss
from payoff.learn.watching.reference import Reference
from payoff.learn.watching.window import Window

REFERENCE = Reference.of(requests_of(3000, 10_000), LABELS)


def unlabelled(window: Window) -> Window:
    return replace(window, truth=None)


def labelled(window: Window, how: str, n: int, seed: int) -> Window:
    rng = np.random.default_rng(seed)
    inclusion = None
    if how == "audit":
        inclusion = inclusions(window, n)
        rows = audit_sample(inclusion, seed=seed)
        inclusion[np.setdiff1d(np.arange(len(window)), rows)] = 0.0
    elif how == "queue":
        top = window.probabilities.max(axis=1)
        rows = np.argsort(top + 0.15 * rng.gumbel(size=len(window)))[:n]
    else:
        rows = rng.choice(len(window), n, replace=False)
    assert window.truth is not None
    truth = np.full(len(window), -1)
    truth[rows] = window.truth[rows]
    return replace(window, truth=truth, inclusion=inclusion)


def changed(seed: int, share: float) -> Window:
    """Labels change meaning: what was one is now the next."""
    window = requests_of(2000, seed)
    rng = np.random.default_rng(seed)
    assert window.truth is not None
    moved = rng.random(2000) < share
    return replace(window, truth=np.where(moved, (window.truth + 1) % 4, window.truth))


def test_nothing_is_lost_where_nothing_changed() -> None:
    errors = []
    for seed in range(20):
        window = requests_of(2000, seed)
        loss = expected_loss(unlabelled(window), REFERENCE)
        errors.append(loss.worth - window.realised.mean())
        assert loss.correction == 0
        assert loss.n_labels == 0
    assert abs(np.mean(errors)) < 0.15


def test_without_labels_a_changed_meaning_is_not_seen() -> None:
    loss = expected_loss(unlabelled(changed(5, 0.3)), REFERENCE)
    assert abs(loss.a_day) / 2000 < 0.3


@pytest.mark.parametrize(("how", "least"), [("audit", 0.8), ("random", 0.7)])
def test_labels_tell_a_changed_meaning_within_a_fifth(how: str, least: float) -> None:
    within = []
    for seed in range(30):
        window = changed(seed, 0.3)
        true = REFERENCE.awaited - window.realised.mean()
        loss = expected_loss(labelled(window, how, 300, seed), REFERENCE)
        within.append(abs(loss.awaited - loss.worth - true) < 0.2 * true)
    assert np.mean(within) >= least


@pytest.mark.parametrize("how", ["audit", "random", "queue"])
def test_labels_do_not_invent_a_loss_however_they_were_chosen(how: str) -> None:
    errors = []
    for seed in range(20):
        window = requests_of(2000, seed)
        loss = expected_loss(labelled(window, how, 200, seed), REFERENCE)
        errors.append(loss.worth - window.realised.mean())
    assert abs(np.mean(errors)) < 0.12


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3])
def test_the_interval_holds_as_often_as_it_says(share: float) -> None:
    held = []
    for seed in range(40):
        window = changed(seed, share)
        loss = expected_loss(labelled(window, "audit", 150, seed), REFERENCE)
        held.append(loss.low <= window.realised.mean() <= loss.high)
    assert np.mean(held) >= 0.8


def test_all_labels_leave_nothing_to_guess() -> None:
    window = changed(3, 0.2)
    loss = expected_loss(window, REFERENCE)
    assert loss.worth == pytest.approx(window.realised.mean(), abs=0.02)
    assert loss.high - loss.low < 0.1


def test_the_weighted_correction_is_that_of_the_chances() -> None:
    window = labelled(changed(8, 0.4), "audit", 400, 1)
    loss = expected_loss(window, REFERENCE)
    assert window.inclusion is not None
    told = [None if np.isnan(one) else float(one) for one in window.realised - window.expected]
    again = restated(
        told,
        window.inclusion.tolist(),
        window.probabilities.argmax(axis=1).tolist(),
        (window.actions < 4).tolist(),
    )
    said = float(window.expected.mean()) + again
    assert loss.without_labels + loss.correction == pytest.approx(said, abs=0.03)


def test_dearer_models_cost() -> None:
    window = replace(requests_of(1000, 2, known=False), costs=np.full(1000, 0.4), days=2.0)
    loss = expected_loss(window, REFERENCE)
    assert loss.cost == pytest.approx(0.4)
    free = expected_loss(replace(window, costs=None), REFERENCE)
    assert loss.a_day - free.a_day == pytest.approx(0.4 * 500)


def test_a_mix_that_has_changed_is_followed() -> None:
    window = requests_of(6000, 4)
    assert window.truth is not None
    keep = np.random.default_rng(0).random(6000) < np.where(window.truth == 0, 1.0, 0.15)
    now = unlabelled(window.rows(keep))
    loss = expected_loss(now, REFERENCE)
    assert np.isfinite(loss.by_probabilities)
    assert now.n_labels == len(POLICY.labels)


def test_no_request_and_other_labels_are_refused() -> None:
    empty = requests_of(5, 0).rows(np.zeros(5, dtype=bool))
    with pytest.raises(ServiceError, match="PF751"):
        expected_loss(empty, REFERENCE)
    other = Window(
        probabilities=np.array([[0.5, 0.5]]),
        actions=np.array([0]),
        tables=type(POLICY.tables)(np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])),
    )
    with pytest.raises(ServiceError, match="PF751"):
        expected_loss(other, REFERENCE)
