"""Finding entities by one recipe: measured as served, killed and gone on with."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch
from tests.adapt.tagged_messages import tagged_messages
from tests.adapt.tiny_backbones import encoder_folder

from payoff.adapt.backbones.find import find
from payoff.adapt.backbones.installation import installed
from payoff.artifact.runtime.entities import EntityRuntime
from payoff.core.errors import AdaptError, DataError
from payoff.core.progress import Silent
from payoff.data.annotations import Annotated, Span
from payoff.evidence.entities import measure_entities
from payoff.evidence.latency import measure_latency
from payoff.plan.tuning import tune_entities as module
from payoff.plan.tuning.dictionary_lookup import DictionaryLookup
from payoff.plan.tuning.tune_entities import EntityTrial, tune_entities

EXAMPLES = Path(__file__).parents[3] / "examples" / "entities"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "measure_latency", partial(measure_latency, seconds=0.05))


@pytest.fixture(scope="module")
def annotated() -> Annotated:
    return tagged_messages(120, seed=1)


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory, annotated: Annotated) -> str:
    sample = Annotated.read(EXAMPLES / "train.jsonl")
    folder = tmp_path_factory.mktemp("backbone") / "tiny-bert"
    return str(encoder_folder(folder, [*annotated.texts, *sample.texts]))


def served(trial: EntityTrial) -> EntityRuntime:
    return EntityRuntime.open(trial.spec, lambda name: (trial.folder / name).read_bytes())


@pytest.mark.parametrize("recipe", ["frozen-head", "fine-tune"])
def test_what_is_measured_is_what_is_served(
    annotated: Annotated, recipe: str, backbone: str, tmp_path: Path
) -> None:
    given = tagged_messages(30, seed=2)
    trial = tune_entities(
        annotated, recipe, backbone=backbone, test=given, report=True, runs=tmp_path
    )
    found = served(trial).entities(given.texts)
    assert trial.test == measure_entities(found, given.spans)
    assert trial.validation.strict.f1 > 0.8
    lookup = DictionaryLookup(Annotated(("",), ((),)))
    assert lookup.entities(["x"]) == [[]]
    assert trial.baseline.strict.f1 < trial.test.strict.f1
    assert trial.n_train + trial.validation.n_texts <= len(annotated)
    assert (trial.trained_share is None) is (recipe == "frozen-head")
    told = trial.as_dict()
    assert told["task"] == "entities"
    assert told["test"]["strict"]["f1"] == trial.test.strict.f1
    assert trial.footprint.artifact_bytes > 10_000
    assert not list(tmp_path.rglob("activations"))


def test_test_texts_are_not_looked_at_unasked(
    annotated: Annotated, backbone: str, tmp_path: Path
) -> None:
    trial = tune_entities(annotated, "frozen-head", backbone=backbone, runs=tmp_path)
    assert trial.test is None
    assert trial.as_dict()["test"] is None


def test_settings_change_what_is_trained(
    annotated: Annotated, backbone: str, tmp_path: Path
) -> None:
    settings = {"depth": "1", "epochs": "1"}
    trial = tune_entities(annotated, "lora", backbone=backbone, settings=settings, runs=tmp_path)
    assert (trial.candidate["depth"], trial.candidate["epochs"]) == (1, 1.0)


@pytest.mark.parametrize(
    ("recipe", "settings", "code"),
    [
        ("fine-tuen", {}, "PF401"),
        ("mixup", {}, "PF405"),
        ("fine-tune", {"dept": 1}, "PF406"),
        ("fine-tune", {"epochs": "long"}, "PF406"),
    ],
)
def test_what_cannot_be_tuned_is_told(
    annotated: Annotated,
    recipe: str,
    settings: dict[str, object],
    code: str,
    *,
    backbone: str,
    tmp_path: Path,
) -> None:
    with pytest.raises(AdaptError) as told:
        tune_entities(annotated, recipe, backbone=backbone, settings=settings, runs=tmp_path)
    assert told.value.code == code


def test_texts_that_name_nothing_are_refused(backbone: str, tmp_path: Path) -> None:
    empty = Annotated(tagged_messages(40).texts, ((),) * 40)
    with pytest.raises(DataError) as told:
        tune_entities(empty, "frozen-head", backbone=backbone, runs=tmp_path)
    assert told.value.code == "PF104"


def test_a_killed_training_goes_on(annotated: Annotated, backbone: str, tmp_path: Path) -> None:
    class Kills(Silent):
        def step(self, what: str, done: float, total: float) -> None:
            if what == "fine-tuning" and done / total > 0.5:
                raise KeyboardInterrupt

    begun: list[float] = []

    class Notes(Silent):
        def step(self, what: str, done: float, total: float) -> None:
            if what == "fine-tuning":
                begun.append(done / total)

    go = partial(tune_entities, annotated, "fine-tune", backbone=backbone, settings={"epochs": 4.0})
    with pytest.raises(KeyboardInterrupt):
        go(runs=tmp_path / "one", progress=Kills())
    after = go(runs=tmp_path / "one", progress=Notes())
    assert min(begun) > 0.34
    whole = go(runs=tmp_path / "two")
    texts = ["where is ti123", "juju city"]
    assert served(after).entities(texts) == served(whole).entities(texts)
    seen = len(begun)
    go(runs=tmp_path / "one", progress=Notes())
    assert len(begun) == seen, "what is trained is not trained again"


def test_the_sample_data_end_to_end(backbone: str, tmp_path: Path) -> None:
    trial = tune_entities(
        Annotated.read(EXAMPLES / "train.jsonl"),
        "fine-tune",
        backbone=backbone,
        settings={"epochs": 25.0, "learning_rate": 3e-3},
        test=Annotated.read(EXAMPLES / "test.jsonl"),
        report=True,
        runs=tmp_path,
    )
    assert trial.labels == ("AMOUNT", "DATE", "ORDER", "PERSON", "PRODUCT")
    assert trial.test is not None
    assert trial.test.n_texts == 130
    assert trial.validation.overlapping_f1 > 0.3  # two random layers of width 32


def test_a_real_backbone_finds_names_that_it_never_saw(tmp_path: Path) -> None:
    """Seen once, minilm-l6 on one thread, the English half: see the assertion."""
    if not installed(find("minilm-l6")):
        pytest.skip("minilm-l6 is not installed: payoff backbones install minilm-l6")
    torch.set_num_threads(1)

    def english(name: str) -> Annotated:
        whole = Annotated.read(EXAMPLES / name)
        return whole.take([i for i, text in enumerate(whole.texts) if max(text) < "\u4e00"])

    trial = tune_entities(
        english("train.jsonl"),
        "fine-tune",
        backbone="minilm-l6",
        settings={"depth": 3, "epochs": 4.0},
        test=english("test.jsonl"),
        report=True,
        runs=tmp_path,
    )
    assert trial.test is not None
    assert trial.test.strict.f1 > trial.baseline.strict.f1 + 0.2
    (entity,) = served(trial).entities(["my parcel is PO-771204"])[0]
    assert (entity.label, entity.text) == ("ORDER", "PO-771204")
    assert Span(entity.start, entity.end, entity.label) == Span(13, 22, "ORDER")
