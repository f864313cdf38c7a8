"""A desk over several models: who is asked about what, and what that costs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.artifact.chat_server import ChatServer, said, serving

from payoff.artifact.artifact import Artifact, write_artifact
from payoff.artifact.calibration import Calibration
from payoff.artifact.runtime.endpoint import Question
from payoff.artifact.runtime.ngrams import NgramRuntime, NgramVectoriser
from payoff.artifact.tier import TierSpec
from payoff.core.errors import ArtifactError, DataError, EconomicsError
from payoff.core.money import Money
from payoff.data.dataset import Dataset
from payoff.economics.cascades.cascade_gain import Gain
from payoff.economics.cascades.cascade_policy import CascadePolicy
from payoff.economics.decision import Decision
from payoff.economics.desk import load, policy_document
from payoff.economics.evaluate import evaluate
from payoff.economics.policy import Policy

Write = Callable[..., Path]
LABELS = ("bad", "good")
POLICY = Policy(LABELS, np.array([[3.0, -7.0, -1.0], [-7.0, 3.0, -1.0]]))
ENDS = np.array([-10.0, 10.0])
# Regret of a model that knows none of the words is 4: handing over earns −1 rather than 3.
ASK_WHERE_UNKNOWN = Gain(np.eye(5)[0], np.zeros(2), -3.5, ENDS, ENDS, "linear")
CASCADE = CascadePolicy(("small", "large"), (0.0001, 0.02), (ASK_WHERE_UNKNOWN,))


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Two models: "small" knows two words, "large" two more that small does not know."""

    def tier(name: str, words: list[str]) -> tuple[TierSpec, Path]:
        place = tmp_path / name
        place.mkdir(exist_ok=True)
        vectoriser = NgramVectoriser(words, [], [1.0] * len(words), word=(1, 1))
        scores = np.tile([[4.0, 0.0], [0.0, 4.0]], (len(words) // 2, 1))
        members = NgramRuntime(vectoriser, scores, [0.0, 0.0]).save(place)
        return TierSpec(name, "ngrams", members=members), place

    def _write(cascade: Any = CASCADE, **changes: Any) -> Path:
        if isinstance(cascade, CascadePolicy):
            policy = policy_document(POLICY, "USD", cascade=cascade)
        else:
            policy = {**policy_document(POLICY, "USD"), **cascade}
        return write_artifact(
            tmp_path / "tiny.payoff",
            name="tiny",
            labels=LABELS,
            tiers=[tier("small", ["bad", "good"]), tier("large", ["awful", "fine"])],
            calibrations=[Calibration(2.0), Calibration(1.0)],
            documents={"policy.json": policy},
            seed=0,
            data_fingerprint="",
            **changes,
        )

    return _write


def test_the_second_model_is_asked_about_what_the_first_does_not_know(write: Write) -> None:
    desk = load(write())
    asked: list[tuple[int, list[str]]] = []
    answers = desk.artifact.probabilities

    def listening(texts: list[str], *, tier: int = -1) -> Any:
        asked.append((tier, list(texts)))
        return answers(texts, tier=tier)

    desk.artifact.probabilities = listening  # type: ignore[method-assign, assignment]
    texts = ["good", "fine", "what", "bad", "awful"]
    decisions = desk.decide_many(texts)
    assert asked == [(0, texts), (1, ["fine", "what", "awful"])]
    assert [d.action for d in decisions] == ["good", "good", "handoff", "bad", "bad"]
    assert [d.tier for d in decisions] == ["small", "large", "large", "small", "large"]
    assert decisions[0].cost == Money.of("0.000100000000", "USD")
    assert decisions[1].cost == Money.of("0.020100000000", "USD")
    small, large = 1 / (1 + np.exp(-2.0)), 1 / (1 + np.exp(-4.0))
    assert [d.probability for d in decisions] == pytest.approx([small, large, 0.5, small, large])
    assert float(decisions[1].worth) == pytest.approx(3 * large - 7 * (1 - large), abs=1e-6)
    asked.clear()
    desk.decide("good")
    assert asked == [(0, ["good"])], "the second model is left alone"


def test_many_equals_one_by_one_and_nothing_is_nothing(write: Write) -> None:
    desk = load(write())
    texts = ["good", "fine", "what", "bad fine", "awful"]
    assert desk.decide_many(texts) == [desk.decide(text) for text in texts]
    assert desk.decide_many([]) == []
    assert desk.probabilities([]).shape == (0, 2)
    chosen = [[d.tier, d.probability] for d in desk.decide_many(texts)]
    assert [p for _, p in chosen] == desk.probabilities(texts).max(axis=1).tolist()
    with pytest.raises(DataError, match="PF105 text 2"):
        desk.decide_many(["good", ""])
    with pytest.raises(DataError, match="PF105 texts"):
        desk.probabilities("good")


def test_a_decision_tells_who_answered(write: Write) -> None:
    told = json.loads(json.dumps(load(write()).decide("fine").as_dict()))
    assert told["tier"] == "large"
    assert told["cost"] == {"amount": 0.0201, "currency": "USD"}


def test_without_a_cascade_the_last_model_answers_all_as_before(write: Write) -> None:
    desk = load(write({}))
    good, fine = desk.decide_many(["good", "fine"])
    assert (good.action, fine.action) == ("handoff", "good")
    assert (good.tier, good.cost) == ("", None)
    assert set(good.as_dict()) == {"action", "label", "probability", "worth", "alternatives"}
    assert good == Decision("handoff", "bad", 0.5, good.worth, good.alternatives)


def test_both_forms_of_an_artifact_answer_alike(write: Write, tmp_path: Path) -> None:
    texts = ["good", "fine", "what"]
    one = load(write()).decide_many(texts)
    (tmp_path / "tiny.payoff").unlink()
    assert load(write(as_folder=True)).decide_many(texts) == one


def test_evaluation_is_of_what_the_cascade_answers(write: Write) -> None:
    import polars as pl

    rows = {"text": ["good", "fine", "awful", "bad"], "label": ["good", "good", "bad", "bad"]}
    dataset = Dataset.from_frame(pl.DataFrame(rows), text="text", label="label")
    found = evaluate(load(write()), dataset, repeat=10, seconds=0)
    assert found.quality.accuracy == 1.0
    assert found.profit_per_1000 == pytest.approx(
        3000 - 1000 * (0.0001 + 0.0201) / 2
    )  # less what asking costs


@pytest.mark.parametrize(
    ("section", "code"),
    [
        ({"cascade": "small"}, "PF613"),
        ({"cascade": []}, "PF613"),
        ({"cascade": {}}, "PF613"),
        ({"cascade": CASCADE.to_dict() | {"costs": [0.1, -2.0]}}, "PF604"),
    ],
)
def test_malformed_sections(write: Write, section: dict[str, Any], code: str) -> None:
    with pytest.raises(EconomicsError, match=code):
        load(write(section))


def test_a_cascade_of_other_models_or_labels(write: Write) -> None:
    others = CascadePolicy(("large", "small"), (0.0, 0.0), CASCADE.gains)
    with pytest.raises(ArtifactError, match=r"PF504.*large, small.*expected small, large"):
        load(write(others))
    alone = CascadePolicy(("small",), (0.0,), ())
    with pytest.raises(ArtifactError, match="PF504"):
        load(write(alone))
    wide = Gain(np.zeros(5), np.zeros(3), 0.0, ENDS, ENDS, "linear")
    with pytest.raises(ArtifactError, match="PF504"):
        load(write(CascadePolicy(("small", "large"), (0.0, 0.0), (wide,))))
    assert len(Artifact.open(write()).tiers) == 2


def test_serving_a_cascade_imports_little(write: Write) -> None:
    import subprocess
    import sys

    program = (
        "import sys, payoff\n"
        "print(payoff.load(sys.argv[1]).decide('fine').tier)\n"
        "heavy = ('torch', 'sklearn', 'polars', 'scipy', 'altair', 'sqlalchemy')\n"
        "print([m for m in heavy if m in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(write())], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["large", "[]"]


def test_an_api_is_asked_about_what_the_first_model_does_not_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(messages: list[dict[str, str]]) -> dict[str, Any]:
        return said("good" if "fine" in messages[-1]["content"] else "bad")

    place = tmp_path / "small"
    place.mkdir()
    vectoriser = NgramVectoriser(["bad", "good"], [], [1.0, 1.0], word=(1, 1))
    small = NgramRuntime(vectoriser, np.array([[4.0, 0.0], [0.0, 4.0]]), [0.0, 0.0])
    members = small.save(place)
    question = Question((("system", "Sort it."),), "", "", LABELS, 100, 8)
    (tmp_path / "endpoint.json").write_text(json.dumps(question.as_dict()), "utf-8")
    with serving(ChatServer(answer)) as server:
        monkeypatch.setenv("PAYOFF_ENDPOINT", server.url)
        settings = {"base_url": server.url, "model": "large", "key_variable": "none"}
        artifact = write_artifact(
            tmp_path / "api.payoff",
            name="api",
            labels=LABELS,
            tiers=[
                (TierSpec("small", "ngrams", members=members), place),
                (TierSpec("large", "endpoint", settings=settings), tmp_path),
            ],
            calibrations=[Calibration(2.0), Calibration()],
            documents={"policy.json": policy_document(POLICY, "USD", cascade=CASCADE)},
            seed=0,
            data_fingerprint="",
        )
        with load(artifact) as desk:
            decisions = desk.decide_many(["good", "fine", "bad", "awful"])
        asked = sorted(body["messages"][-1]["content"] for body in server.bodies)
    assert asked == ["awful", "fine"]
    assert [(d.label, d.tier) for d in decisions] == [
        ("good", "small"),
        ("good", "large"),
        ("bad", "small"),
        ("bad", "large"),
    ]
