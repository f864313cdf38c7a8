"""Several adapted models of one backbone in one process: each answers as alone, memory is one's."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.adapt.tiny_backbones import encoder_folder, messages, tiny_model
from tests.serve.conftest import answering

from payoff.adapt.backbones.tokenizer import load_tokenizer
from payoff.adapt.compress.int8 import Int8
from payoff.adapt.recipes import recipe_named
from payoff.adapt.recipes.searched import with_settings
from payoff.adapt.workbench import Workbench
from payoff.artifact.artifact import write_artifact
from payoff.artifact.calibration import Calibration
from payoff.artifact.runtime.shared_session import n_sessions
from payoff.core.errors import AdaptError, ServiceError
from payoff.economics.desk import Desk, load, policy_document
from payoff.economics.policy import Policy
from payoff.learn.journal import Journal
from payoff.serve.app import create_app

N_TEXTS = 12
Make = Callable[..., Path]


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory, corpus: list[str]) -> Path:
    """An encoder of 13 MB, nearly all of it in matrices."""
    folder = encoder_folder(tmp_path_factory.mktemp("wide") / "wide", corpus)
    tiny_model(
        "bert",
        vocabulary=load_tokenizer(folder).get_vocab_size(),
        layers=4,
        hidden_size=256,
        intermediate_size=1024,
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory, backbone: Path) -> Make:
    """Train a recipe on some messages and write the artifact; the same one is made once."""

    @cache
    def made(name: str, recipe: str = "lora", *, n_labels: int = 3, **how: Any) -> Path:
        folder = tmp_path_factory.mktemp("made")
        int8 = how.pop("int8", False)
        texts, targets = messages([N_TEXTS] * n_labels, seed=how.pop("seed", 0))
        labels = tuple(f"label {i:02}" for i in range(n_labels))
        rows = np.arange(len(texts))
        bench = Workbench(tuple(texts), targets, labels, rows, rows, (str(backbone),), folder / "a")
        learner = recipe_named(recipe)
        candidate = learner.standard(bench)[0]
        candidate = with_settings(learner, candidate, bench, {"epochs": 1.0, **how})
        attempt = learner.start(candidate, bench)
        attempt.advance(1.0)
        attempt.save(folder)
        spec, tier = learner.export(candidate, bench, folder, folder / "tier"), folder / "tier"
        if int8:
            spec, tier = Int8().compress(spec, tier, folder / "int8"), folder / "int8"
        values = np.eye(n_labels, n_labels + 1) * 10 - 5
        return write_artifact(
            folder / f"{name}.payoff",
            name=name,
            labels=labels,
            tiers=[(spec, tier)],
            calibrations=[Calibration()],
            documents={"policy.json": policy_document(Policy(labels, values), "USD")},
            seed=0,
            data_fingerprint="0" * 64,
        )

    return made


@pytest.fixture(scope="module")
def four(make: Make) -> tuple[Path, ...]:
    """Models of LoRA, the second of another rank and with more labels."""
    topic = make("topic", merged=0, rank=4, n_labels=5, seed=2)
    mood, *others = (make(f"{name}", merged=0, seed=i) for i, name in enumerate(("mood", "a", "b")))
    return mood, topic, *others


@pytest.fixture(scope="module")
def pair(four: tuple[Path, ...]) -> tuple[Path, ...]:
    """The first two."""
    return four[:2]


TEXTS = messages([4] * 5, seed=9)[0]


def alone(path: Path) -> list[dict[str, Any]]:
    assert n_sessions() == 0
    with load(path, threads=1) as desk:
        return [one.as_dict() for one in desk.decide_many(TEXTS)]


@pytest.mark.parametrize("recipe", ["lora", "prefix-tuning"])
def test_probabilities_are_those_of_the_merged_one(make: Make, recipe: str) -> None:
    with (
        load(make("merged", recipe, seed=0), threads=1) as merged,
        load(make("mood", recipe, merged=0, seed=0), threads=1) as apart,
    ):
        assert n_sessions() == 1
        expected, found = merged.probabilities(TEXTS), apart.probabilities(TEXTS)
        np.testing.assert_allclose(found, expected, atol=1e-4)
        assert np.ptp(found, axis=0).max() > 1e-3


def test_a_service_with_two_answers_as_each_alone(pair: tuple[Path, ...], tmp_path: Path) -> None:
    expected = {path.stem: alone(path) for path in pair}
    with ExitStack() as stack:
        mood, topic = (stack.enter_context(load(path, threads=1)) for path in pair)
        assert n_sessions() == 1
        books = [stack.enter_context(Journal.open(tmp_path / f"{i}.db")) for i in range(2)]
        app = create_app(mood, journal=books[0], more=[(topic, books[1])], max_waiting=200)
        client = stack.enter_context(answering(app))
        listed = client.get("/v1/models").json()["models"]
        assert [(one["name"], len(one["labels"])) for one in listed] == [("mood", 3), ("topic", 5)]
        assert client.get("/v1/model?model=topic").json()["name"] == "topic"
        assert client.get("/v1/model").json()["name"] == "mood"
        assert client.get("/readyz").json() == {"status": "ready", "journal": True}

        def ask(i: int) -> bool:
            name, row = (None, "mood", "topic")[i % 3], i % len(TEXTS)
            body = {"text": TEXTS[row]} | ({"model": name} if name else {})
            decision = client.post("/v1/decide", json=body).json()["decision"]
            return same(decision, expected[name or "mood"][row])

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(ask, range(90)))
        assert [book.count() for book in books] == [60, 30]
        unknown = client.post("/v1/decide", json={"text": "a", "model": "mod"})
        assert unknown.status_code == 404
        assert unknown.json()["error"]["code"] == "PF711"
        assert "mood or topic" in unknown.json()["error"]["expected"]
        assert client.get("/v1/model?model=x").status_code == 404
        assert client.post("/v1/decide", json={"text": "a", "model": 1}).status_code == 422
    gc.collect()
    assert n_sessions() == 0


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Equal but for rounding: texts that are asked together are padded otherwise."""
    keys = ("action", "label")
    near = abs(one["probability"] - other["probability"]) < 1e-5
    return all(one[key] == other[key] for key in keys) and near


def test_two_of_one_name_are_refused(pair: tuple[Path, ...]) -> None:
    with (
        load(pair[0], threads=1) as one,
        load(pair[0], threads=1) as two,
        pytest.raises(ServiceError, match=r"PF712 service: 'mood' is the name of several"),
    ):
        create_app(one, more=[(two, None)])


def test_threads_do_not_mix_models_up(pair: tuple[Path, ...]) -> None:
    with ExitStack() as stack:
        desks = [stack.enter_context(load(path, threads=1)) for path in pair]
        expected = [desk.probabilities(TEXTS) for desk in desks]

        def ask(i: int) -> bool:
            return np.array_equal(desks[i % 2].probabilities(TEXTS), expected[i % 2])

        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(ask, range(40)))


def test_opened_in_several_threads_they_share(pair: tuple[Path, ...]) -> None:
    with ThreadPoolExecutor(4) as pool:
        desks: list[Desk] = list(pool.map(lambda path: load(path, threads=1), pair * 2))
    assert n_sessions() == 1
    for desk in desks[1:]:
        desk.close()
    gc.collect()
    assert n_sessions() == 1, "one still uses it"
    assert len(desks[0].decide_many(TEXTS)) == len(TEXTS)
    desks[0].close()
    gc.collect()
    assert n_sessions() == 0


def test_what_differs_is_not_shared(make: Make, pair: tuple[Path, ...]) -> None:
    prefix = make("mood", "prefix-tuning", merged=0, seed=0)
    with load(pair[0], threads=1), load(pair[0], threads=2), load(prefix, threads=1):
        assert n_sessions() == 3, "other threads and other recipes need sessions of their own"


PROGRAM = """
import gc, json, sys
from payoff.economics.desk import load
from payoff.artifact.runtime.shared_session import n_sessions

def resident():
    gc.collect()
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))

desks, sizes = [], [resident()]
for path in json.loads(sys.argv[1]):
    desks.append(load(path, threads=1))
    desks[-1].decide("please ba co du")
    sizes.append(resident())
print(json.dumps({"sizes": sizes, "sessions": n_sessions(), "torch": "torch" in sys.modules}))
"""


def residents(paths: list[Path]) -> dict[str, Any]:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps([str(path) for path in paths])],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_further_model_takes_little_memory(make: Make, four: tuple[Path, ...]) -> None:
    shared = residents(list(four))
    merged = residents([make("merged", "lora", seed=0)] * 3)
    assert (shared["sessions"], merged["sessions"]) == (1, 0)
    assert not shared["torch"]
    growth, usual = (np.diff(found["sizes"])[1:].mean() for found in (shared, merged))
    assert usual > 12e6, "each brings the whole backbone"
    assert growth < 0.2 * usual


def test_eight_bits_are_shared_too(make: Make) -> None:
    paths = [make("small", merged=0, seed=i, int8=True) for i in range(2)]
    with load(paths[0], threads=1) as one, load(paths[1], threads=1) as two:
        assert n_sessions() == 1
        assert np.abs(one.probabilities(TEXTS) - two.probabilities(TEXTS)).max() > 1e-3


def test_only_what_is_added_can_be_left_apart(make: Make) -> None:
    with pytest.raises(AdaptError, match="PF406 setting 'merged': 2 "):
        make("m", merged=2)
