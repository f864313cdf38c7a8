from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from payoff.artifact.artifact import write_artifact
from payoff.artifact.calibration import Calibration
from payoff.artifact.runtime.ngrams import NgramRuntime, NgramVectoriser
from payoff.artifact.tier import TierSpec
from payoff.core.errors import ArtifactError, ServiceError
from payoff.economics.desk import policy_document
from payoff.economics.payoff import Payoff
from payoff.economics.policy import Policy
from payoff.learn.experiments.contest import LEAST_REQUESTS, contest_of, past
from payoff.learn.experiments.gain import spread_of
from payoff.learn.experiments.requests import drawn


def made(
    folder: Path, name: str, *, labels: tuple[str, ...] = ("a", "b"), currency: str = "USD"
) -> Path:
    vectoriser = NgramVectoriser.fit(["one text", "another text"], min_df=1)
    weights = np.zeros((vectoriser.n_features, len(labels)))
    NgramRuntime(vectoriser, weights, np.zeros(len(labels))).save(folder / f"{name}-tier")
    worth = Payoff(correct=3.0, wrong=-7.0, handoff=-2.0, currency=currency)
    return write_artifact(
        folder / f"{name}.payoff",
        name=name,
        labels=labels,
        tiers=[(TierSpec("bag of words", "ngrams"), folder / f"{name}-tier")],
        calibrations=[Calibration(temperature=1.0)],
        documents={"policy.json": policy_document(Policy.from_payoff(worth, labels), currency)},
        seed=0,
        data_fingerprint="0" * 64,
    )


def test_two_versions_of_one_task(tmp_path: Path) -> None:
    found = contest_of(made(tmp_path, "now"), made(tmp_path, "new"))
    assert found.model == "now"
    assert len({found.control, found.treatment}) == 2
    assert (found.low, found.high, found.currency) == (-7.0, 3.0, "USD")
    assert contest_of(tmp_path / "now.payoff").treatment == ""


def test_a_version_that_has_learnt_a_label_is_counted_by_its_own_policy(tmp_path: Path) -> None:
    now, wide = made(tmp_path, "now"), made(tmp_path, "wide", labels=("a", "b", "c"))
    found = contest_of(now, wide)
    assert (found.model, found.policy.labels) == ("now", ("a", "b", "c"))
    with pytest.raises(ServiceError, match=r"PF736.*it lacks c"):
        contest_of(wide, now)


def test_what_cannot_be_compared(tmp_path: Path) -> None:
    now = made(tmp_path, "now")
    with pytest.raises(ServiceError, match=r"PF736.*the control itself"):
        contest_of(now, now)
    with pytest.raises(ServiceError, match=r"PF736.*it lacks b"):
        contest_of(now, made(tmp_path, "lost", labels=("a", "c")))
    with pytest.raises(ServiceError, match=r"PF736.*in EUR"):
        contest_of(now, made(tmp_path, "euro", currency="EUR"))
    with pytest.raises(ArtifactError, match="PF501"):
        contest_of(now, tmp_path / "nowhere.payoff")


def test_the_past_tells_how_noisy_requests_are() -> None:
    requests = drawn(2000)
    found = past(requests)
    assert found is not None
    assert found.per_day == 200.0
    assert found.spread == spread_of(requests.realised, requests.customer)
    assert found.per_customer == pytest.approx(2000 / len(np.unique(requests.customer)))
    assert found.as_dict()["requests"] == 2000
    assert past(drawn(LEAST_REQUESTS - 1)) is None
