from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import payoff
from payoff.artifact.artifact import Artifact, write_artifact
from payoff.artifact.calibration import Calibration
from payoff.artifact.runtime.ngrams import NgramRuntime, NgramVectoriser
from payoff.artifact.tier import TierSpec
from payoff.core.errors import ArtifactError, DataError, EconomicsError, PayoffError
from payoff.core.money import Money
from payoff.economics.desk import Desk, load, policy_document
from payoff.economics.policy import Policy

Write = Callable[..., Path]
LABELS = ("bad", "good")
VALUES = np.array([[3.0, -7.0, -1.0], [-7.0, 3.0, -1.0]])


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """An artifact whose logit for "good" is 4 for each word "good", and the other way round."""

    def _write(**documents: Any) -> Path:
        vectoriser = NgramVectoriser(["bad", "good"], [], [1.0, 1.0], word=(1, 1))
        runtime = NgramRuntime(vectoriser, np.array([[4.0, 0.0], [0.0, 4.0]]), [0.0, 0.0])
        members = runtime.save(tmp_path)
        policy = policy_document(Policy(LABELS, VALUES), "USD")
        return write_artifact(
            tmp_path / "tiny.payoff",
            name="tiny",
            labels=LABELS,
            tiers=[(TierSpec("words", "ngrams", members=members), tmp_path)],
            calibrations=[Calibration(2.0)],
            documents={"policy.json": policy} | documents,
            seed=0,
            data_fingerprint="",
        )

    return _write


def test_decisions_restated_by_hand(write: Write) -> None:
    desk = load(write())
    p = 1 / (1 + np.exp(-2.0))  # one word: logits 4 and 0, halved by the temperature
    decision = desk.decide("good")
    assert (decision.action, decision.label, decision.automated) == ("good", "good", True)
    assert decision.probability == pytest.approx(p)
    assert float(decision.worth) == pytest.approx(3 * p - 7 * (1 - p), abs=1e-6)
    assert decision.worth.currency == "USD"
    assert [label for label, _ in decision.alternatives] == ["good", "bad"]
    unsure = desk.decide("unknown words")
    assert (unsure.action, unsure.label, unsure.automated) == ("handoff", "bad", False)
    assert unsure.worth == Money.of("-1.000000", "USD")
    assert json.loads(json.dumps(unsure.as_dict()))["worth"] == {"amount": -1.0, "currency": "USD"}


def test_many_equals_one_by_one(write: Write) -> None:
    desk = payoff.load(write())
    texts = ["good", "bad bad", "x", "good bad", "BAD!"]
    assert desk.decide_many(texts) == [desk.decide(text) for text in texts]
    assert desk.decide_many([]) == []
    decisions, said = desk.decide_fully(texts)
    assert decisions == desk.decide_many(texts)
    assert np.array_equal(said, desk.probabilities(texts))
    assert desk.decide_fully([])[1].shape == (0, 2)
    assert desk.probabilities([]).shape == (0, 2)
    assert np.allclose(desk.probabilities(texts).sum(axis=1), 1)


def test_what_it_tells_of_itself(write: Write) -> None:
    with load(write(**{"evidence.json": {"split": "test"}}), threads=1) as desk:
        assert desk.name == "tiny"
        assert desk.labels == LABELS
        assert desk.threads == 1
        assert desk.evidence == {"split": "test"}
        assert repr(desk) == "Desk('tiny': 2 labels, words, USD)"
    assert load(write()).evidence == {}
    assert load(write(**{"evidence.json": [1]})).evidence == {"evidence": [1]}
    assert load(write()).threads >= 1


def test_a_prior_shift_moves_label_and_action(write: Write) -> None:
    shifted = Policy(LABELS, VALUES, np.array([1.0, 50.0]))
    desk = load(write(**{"policy.json": policy_document(shifted, "EUR")}))
    decision = desk.decide("nothing known")
    assert decision.label == decision.action == "good"
    assert decision.probability == pytest.approx(50 / 51)
    assert decision.worth.currency == "EUR"
    assert desk.probabilities(["nothing known"])[0] == pytest.approx([0.5, 0.5])
    assert desk.decide_fully(["nothing known"])[1][0] == pytest.approx([1 / 51, 50 / 51])


@pytest.mark.parametrize("text", ["", "  \n", "a\0b", "\ud800", "x" * 1_000_001, None, 3, b"x"])
def test_unusable_texts(write: Write, text: Any) -> None:
    desk = load(write())
    with pytest.raises(DataError, match="PF105 text"):
        desk.decide(text)
    with pytest.raises(DataError, match="PF105 text 2"):
        desk.decide_many(["good", text])
    with pytest.raises(DataError, match="PF105 texts"):
        desk.decide_many("good")


def test_wrong_policies(write: Write) -> None:
    other = policy_document(Policy(("a", "b"), VALUES), "USD")
    with pytest.raises(ArtifactError, match=r"PF504.*other labels"):
        load(write(**{"policy.json": other}))
    with pytest.raises(ArtifactError, match=r"PF504.*currency"):
        load(write(**{"policy.json": {"labels": []}}))
    with pytest.raises(ArtifactError, match=r"PF504.*currency"):
        load(write(**{"policy.json": [1]}))
    with pytest.raises(EconomicsError, match="PF613"):
        load(write(**{"policy.json": {"currency": "USD"}}))
    with pytest.raises(EconomicsError, match="PF610"):
        policy_document(Policy(LABELS, VALUES), "dollars")
    with pytest.raises(EconomicsError, match="PF610"):
        Desk(Artifact.open(write()), Policy(LABELS, VALUES), "dollars")


def test_an_artifact_without_policy(tmp_path: Path, write: Write) -> None:
    import shutil

    source = Artifact.open(write())
    target = write_artifact(
        tmp_path / "bare.payoff",
        name="bare",
        labels=LABELS,
        tiers=[(source.tiers[0], tmp_path)],
        calibrations=[Calibration()],
        documents={},
        seed=0,
        data_fingerprint="",
    )
    with pytest.raises(PayoffError, match=r"PF504.*policy.json"):
        load(target)
    shutil.copy(target, tmp_path / "copy.payoff")
    assert Artifact.open(tmp_path / "copy.payoff").probabilities(["good"]).shape == (1, 2)


def test_loading_and_deciding_imports_little(write: Write) -> None:
    program = (
        "import sys, payoff\n"
        "payoff.load(sys.argv[1]).decide('good')\n"
        "heavy = ('torch', 'transformers', 'polars', 'pandas', 'fastapi', 'pydantic', 'rich',\n"
        "         'sqlalchemy', 'genai_prices', 'scipy', 'sklearn', 'onnx', 'click', 'altair')\n"
        "print([m for m in heavy if m in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(write())], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
