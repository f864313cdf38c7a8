from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.adapt.recipes.test_contract import DATA, check, files, learn_from, unlabelled
from tests.adapt.tiny_backbones import decoder_folder

from payoff.adapt.backbones.find import find
from payoff.adapt.backbones.installation import installed
from payoff.adapt.recipes.prompted import Prompted
from payoff.adapt.workbench import Workbench
from payoff.artifact.runtime import open_tier
from payoff.core.errors import AdaptError

Make = Callable[..., Any]


@pytest.fixture(scope="session")
def writer_folder(tmp_path_factory: pytest.TempPathFactory, corpus: list[str]) -> Path:
    return decoder_folder(tmp_path_factory.mktemp("llama") / "tiny-llama", corpus)


@pytest.fixture
def make(make_bench: Make, writer_folder: Path, bert_folder: Path) -> Callable[..., Workbench]:
    def bench(name: str, **options: Any) -> Workbench:
        texts, targets, n_train = learn_from(name)
        made: Workbench = make_bench(
            texts, targets, [bert_folder, writer_folder], n_train=n_train, **options
        )
        return replace(made, unlabelled=tuple(unlabelled(name)))

    return bench


@pytest.mark.parametrize(
    ("name", "shots"), [*((name, 0) for name in DATA), ("twelve classes", 3), ("Chinese", 3)]
)
def test_the_recipe_keeps_its_promises(
    name: str, shots: int, make: Callable[..., Workbench], tmp_path: Path
) -> None:
    bench, again = make(name), make(name, folder="elsewhere")
    candidate, logits = check(Prompted(), bench, tmp_path, shots=shots)
    second = Prompted().start(candidate, again)
    second.advance(1.0)
    np.testing.assert_array_equal(second.logits(bench.validation), logits)
    (tmp_path / "saved again").mkdir()
    second.save(tmp_path / "saved again")
    Prompted().export(candidate, again, tmp_path / "saved again", tmp_path / "tier again")
    assert files(tmp_path / "tier again") == files(tmp_path / "tier")


def changed(bench: Workbench, **settings: Any) -> Any:
    candidate = Prompted().standard(bench)[0]
    values = {**dict(candidate.settings), **settings}
    return replace(candidate, settings=tuple(values.items()))


def trained(bench: Workbench, **settings: Any) -> Any:
    attempt = Prompted().start(changed(bench, **settings), bench)
    attempt.advance(1.0)
    return attempt


def test_only_decoders_are_used(make: Callable[..., Workbench], bert_folder: Path) -> None:
    bench = make("two classes")
    (usual,) = Prompted().standard(bench)
    assert "tiny-llama" in usual.backbone
    assert Prompted().candidates(bench) == []
    with pytest.raises(AdaptError, match="PF405"):
        Prompted().start(replace(usual, backbone=str(bert_folder)), bench)


def test_a_sweep_begins_at_the_usual_settings(make: Callable[..., Workbench]) -> None:
    bench = make("two classes")
    usual = Prompted().standard(bench)[0]
    for name, values in Prompted().space(usual, bench).items():
        assert values.holds(usual[name])


def test_examples_are_of_each_label_in_turn_and_never_chosen_by(
    make: Callable[..., Workbench],
) -> None:
    bench = make("twelve classes")
    attempt = trained(bench, shots=12, template="topic")
    before = attempt.prompts[0].before
    shown = [row for row in bench.train if f"Message: {bench.texts[row]}\nTopic:" in before]
    assert sorted(bench.targets[shown]) == list(range(12))
    assert not set(shown) & set(attempt.chosen_by(shown).tolist())
    assert before == trained(bench, shots=12, template="topic").prompts[0].before
    other = replace(bench, seed=1)
    assert before != trained(other, shots=12, template="topic").prompts[0].before


def test_examples_that_do_not_fit_are_told(make: Callable[..., Workbench]) -> None:
    class Listener:
        said: list[str] = []  # noqa: RUF012

        def step(self, what: str, done: float, total: float) -> None: ...
        def say(self, message: str) -> None:
            self.said.append(message)

    listener = Listener()
    bench = replace(make("twelve classes"), progress=listener)
    attempt = trained(bench, shots=100)
    assert attempt.logits(bench.validation).shape == (20, 12)
    (said,) = listener.said
    assert "examples fit" in said


def test_several_templates_are_averaged_and_served(
    make: Callable[..., Workbench], tmp_path: Path
) -> None:
    bench = make("twelve classes")
    _, logits = check(Prompted(), bench, tmp_path, templates=2)
    alone = [
        trained(bench, template=name).logits(bench.validation)
        for name in ("topic", "about", "choice")
    ]
    pairs = [(alone[i] + alone[j]) / 2 for i, j in ((0, 1), (0, 2), (1, 2))]
    assert any(np.allclose(logits, pair, atol=1e-5) for pair in pairs)


def test_the_prior_is_what_is_asked_for(make: Callable[..., Workbench]) -> None:
    bench = make("two classes")
    rows = bench.validation
    plain = trained(bench, template="topic", calibration="none", length="sum")
    assert plain.prompts[0].prior == (0.0, 0.0)
    taken = trained(bench, template="topic", calibration="content-free", length="sum")
    difference = plain.logits(rows) - taken.logits(rows)
    np.testing.assert_allclose(difference, np.tile(taken.prompts[0].prior, (20, 1)), atol=1e-5)
    assert np.exp(taken.prompts[0].prior).sum() == pytest.approx(1.0)


def test_the_prior_over_texts_is_their_mean_probability(make: Callable[..., Workbench]) -> None:
    bench = make("two classes")
    plain = trained(bench, template="topic", calibration="none", length="sum")
    taken = trained(bench, template="topic", calibration="texts", length="sum")
    odds = np.exp(plain.logits(plain.chosen_by(())).astype(np.float64))
    mean = (odds / odds.sum(axis=1, keepdims=True)).mean(axis=0)
    np.testing.assert_allclose(taken.prompts[0].prior, np.log(mean), atol=1e-4)


def test_without_training_rows_it_is_zero_shot(make: Callable[..., Workbench]) -> None:
    bench = replace(make("two classes"), train=np.zeros(0, np.int64))
    with_texts = trained(bench)
    assert any(with_texts.prompts[0].prior)
    alone = trained(replace(bench, unlabelled=()))
    assert alone.prompts[0].prior != with_texts.prompts[0].prior
    assert alone.logits(bench.validation).shape == (20, 2)


def test_a_prior_over_texts_needs_texts(make: Callable[..., Workbench]) -> None:
    bench = replace(make("two classes"), train=np.zeros(0, np.int64), unlabelled=())
    with pytest.raises(AdaptError, match=r"PF405.*needs texts"):
        trained(bench, calibration="texts")
    for way in ("none", "content-free"):
        assert np.isfinite(trained(bench, calibration=way).logits(bench.validation)).all()


def test_descriptions_stand_in_the_instruction(make: Callable[..., Workbench]) -> None:
    bench = replace(make("two classes"), descriptions={"label 00": "all that is early"})
    for name in ("topic", "choice"):
        assert "label 00: all that is early" in trained(bench, template=name).prompts[0].before


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"template": "topik"}, "Did you mean 'topic'?"),
        ({"calibration": "yes"}, "auto, texts, content-free, none"),
        ({"length": "median"}, "auto, mean, sum"),
        ({"templates": 0}, "1 or more"),
        ({"shots": -1}, "0 or more"),
    ],
)
def test_wrong_settings_are_told(
    make: Callable[..., Workbench], settings: dict[str, Any], told: str
) -> None:
    bench = make("two classes")
    with pytest.raises(AdaptError, match="PF406") as caught:
        Prompted().start(changed(bench, **settings), bench)
    assert told in str(caught.value)


def test_a_chat_template_needs_a_chat_model(make: Callable[..., Workbench]) -> None:
    with pytest.raises(AdaptError, match=r"PF406.*chat model"):
        trained(make("two classes"), template="chat")


def test_labels_that_do_not_fit_are_told(make: Callable[..., Workbench]) -> None:
    bench = make("two classes")
    long = replace(bench, descriptions={"label 00": "very early " * 300})
    with pytest.raises(AdaptError, match=r"PF405.*tokens beside the text's"):
        trained(long)


def test_time_is_measured_and_grows_with_the_texts(make: Callable[..., Workbench]) -> None:
    bench, recipe = make("two classes"), Prompted()
    candidate = changed(bench)
    seconds = recipe.seconds(candidate, bench)
    assert 0 < seconds < 60
    fewer = replace(bench, validation=bench.validation[:2])
    assert recipe.seconds(candidate, fewer) < seconds


def test_a_model_that_can_tell_is_right(make_bench: Make, tmp_path: Path, corpus: Any) -> None:
    """The tables are set so that a label's own word becomes more probable after itself."""
    import torch

    from payoff.adapt.engine.decoder_file import load_decoder
    from payoff.adapt.engine.label_scores import LabelScorer
    from payoff.artifact.runtime.prompt import Prompt

    folder = decoder_folder(tmp_path / "copying", corpus)
    decoder = load_decoder(folder)
    with torch.no_grad():  # without layers, a token's scores are highest for itself
        for layer in decoder.layers:
            layer.out.weight.zero_()
            layer.down.weight.zero_()
    bench = make_bench(["hello you", "thanks you"], np.array([0, 1]), [folder])
    tokenizer = bench.opened(str(folder)).tokenizer
    scorer = LabelScorer(decoder, tokenizer, Prompt("say ", "", ("hello", "thanks"), 16))
    scores = scorer.scores(["please hello", "please thanks"])
    assert scores.argmax(axis=1).tolist() == [0, 1]


def test_served_without_shots_from_several_threads_alike(
    make: Callable[..., Workbench], tmp_path: Path
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    bench = make("Chinese")
    attempt = trained(bench)
    saved = tmp_path / "saved"
    saved.mkdir()
    attempt.save(saved)
    spec = Prompted().export(attempt.candidate, bench, saved, tmp_path / "tier")
    runtime = open_tier(spec, lambda name: (tmp_path / "tier" / name).read_bytes(), threads=1)
    texts = [bench.texts[row] for row in bench.validation]
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(runtime.logits, [texts] * 3))
    for one in found:
        np.testing.assert_allclose(one, attempt.logits(bench.validation), atol=1e-3)


OBVIOUS = {
    "football match": [
        "The goalkeeper saved a penalty in the last minute",
        "Their striker scored twice before half time",
        "The referee showed a red card to the defender",
    ],
    "weather forecast": [
        "Rain is expected tonight and it will be cold in the morning",
        "A warm and sunny weekend with light winds",
        "Heavy snow will fall in the mountains on Monday",
    ],
    "cooking recipe": [
        "Chop the onions and fry them in butter until they are golden",
        "Bake the bread in a hot oven for half an hour",
        "Add salt, pepper and garlic to the soup",
    ],
}


@pytest.mark.parametrize("template", ["topic", "chat"])
def test_the_real_model_tells_obvious_topics_apart(
    make_bench: Make, tmp_path: Path, template: str
) -> None:
    if not installed(find("smollm2-135m")):
        pytest.skip("smollm2-135m is not installed: payoff backbones install smollm2-135m")
    texts = [text for group in OBVIOUS.values() for text in group]
    targets = np.repeat(np.arange(3), 3)
    bench = make_bench(texts, targets, ["smollm2-135m"])
    bench = replace(bench, labels=tuple(OBVIOUS), train=np.zeros(0, np.int64))
    attempt = trained(bench, template=template)
    right = attempt.logits(np.arange(9)).argmax(axis=1) == targets
    assert right.sum() >= 6  # of 9; three by chance
