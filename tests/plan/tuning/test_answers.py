"""From questions and answers to a tier that answers, measured beside the untuned model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.adapt.tiny_decoder import ANSWERS, QUESTIONS, chat_decoder_folder

from payoff.artifact.runtime.answers import AnswerRuntime
from payoff.core.errors import AdaptError, DataError
from payoff.core.progress import Silent
from payoff.data.dataset import Dataset
from payoff.plan.tuning.answer_rows import cut_answers
from payoff.plan.tuning.answers import AnswerTrial, tune_answers

SETTINGS = {"epochs": 25, "batch_texts": 8, "learning_rate": 2e-2, "max_new_tokens": 24}
# Answers that follow from one word of the question, so that new questions can be answered.
PLACES = ("Berlin", "Paris", "Rome", "Oslo")
WAYS = (
    "Where is the branch in {}?",
    "Is there a branch in {}?",
    "Please tell me about {}.",
    "{}: where can I go?",
    "I need a desk in {} today",
    "Which street in {} are you at?",
    "Do you serve {} too?",
    "How do I find you in {}?",
    "My office moved to {}, and now?",
    "Looking for help around {}",
)


@pytest.fixture(autouse=True, scope="module")
def _rouge() -> None:
    pytest.importorskip("rouge_score", reason="pip install 'payoff[generate]'")


@pytest.fixture(scope="module")
def faq() -> Dataset:
    rows = [(way.format(place), f"Go to {place}.") for way in WAYS for place in PLACES]
    table = pl.DataFrame(rows, schema=["question", "answer"], orient="row")
    return Dataset.from_frame(table, text="question", label="answer")


Decoders = Callable[[Dataset], str]


@pytest.fixture(scope="module")
def decoder_of(tmp_path_factory: pytest.TempPathFactory) -> Decoders:
    def made(rows: Dataset) -> str:
        texts = [*rows.texts, *map(str, rows.targets), *QUESTIONS, *ANSWERS]
        return str(chat_decoder_folder(tmp_path_factory.mktemp("decoder") / "tiny", texts))

    return made


@pytest.fixture(scope="module")
def decoder(decoder_of: Decoders, faq: Dataset) -> str:
    return decoder_of(faq)


def trial(faq: Dataset, decoder: str, runs: Path, **options: Any) -> AnswerTrial:
    return tune_answers(faq, **{"backbone": decoder, "settings": SETTINGS, "runs": runs} | options)


def test_what_is_measured_is_what_is_served(faq: Dataset, decoder: str, tmp_path: Path) -> None:
    done = trial(faq, decoder, tmp_path, report=True)
    assert done.report is not None
    assert done.untuned_report is not None
    assert done.validation.n == done.report.n == 6
    assert done.n_train == 28
    assert done.validation.rouge_l > 0.5 > done.untuned.rouge_l
    runtime = AnswerRuntime.open(done.spec, lambda name: (done.folder / name).read_bytes())
    questions = [question for question, _, _ in done.examples]
    assert runtime.answers(questions) == [said for _, _, said in done.examples]
    plain = done.as_dict()
    assert plain["validation"]["rouge_l"] == done.validation.rouge_l
    assert plain["settings"]["epochs"] == 25.0
    again = trial(faq, decoder, tmp_path, report=True)
    assert again.as_dict() == plain


NOTES = (
    "Hello, I live in {place} and my {thing} is gone since last week, please help me soon",
    "Good morning from {place}. Nobody told me why the {thing} does not come, I wait and wait",
    "My {thing}! Again it is late, and here in {place} nobody picks up the phone",
    "We moved to {place} in May and since then the {thing} has never worked as it should",
    "I am writing about a {thing} that I ordered twice, both times to {place}, both times lost",
)


def test_messages_are_summed_up_as_the_rows_do(decoder_of: Decoders, tmp_path: Path) -> None:
    """Long texts, short targets, and an instruction of one's own."""
    rows = [
        (note.format(place=place, thing=thing), f"About the {thing} in {place}.")
        for note in NOTES
        for place in PLACES
        for thing in ("card", "app")
    ]
    table = pl.DataFrame(rows, schema=["message", "summary"], orient="row")
    notes = Dataset.from_frame(table, text="message", label="summary")
    told = "Sum up the message."
    done = trial(notes, decoder_of(notes), tmp_path, settings=SETTINGS | {"instruction": told})
    assert done.settings.instruction == told
    assert done.validation.rouge_1 > 0.5 > done.untuned.rouge_1
    prompt = (done.folder / "prompt.json").read_text("utf-8")
    assert told in prompt, "the model is served after the same instruction"


def test_test_rows_are_not_looked_at_unasked(faq: Dataset, decoder: str, tmp_path: Path) -> None:
    done = trial(faq, decoder, tmp_path, settings={"epochs": 1}, most_judged=2)
    assert (done.report, done.untuned_report) == (None, None)
    assert done.as_dict()["test"] is None
    assert done.validation.n == 2


def test_a_killed_training_goes_on(faq: Dataset, decoder: str, tmp_path: Path) -> None:
    class Kills(Silent):
        def step(self, what: str, done: float, total: float) -> None:
            if what == "instruction tuning" and done / total > 0.6:
                raise KeyboardInterrupt

    class Notes(Silent):
        def __init__(self) -> None:
            self.begun: list[float] = []

        def step(self, what: str, done: float, total: float) -> None:
            if what == "instruction tuning":
                self.begun.append(done / total)

    settings = {"epochs": 4, "learning_rate": 2e-2}
    with pytest.raises(KeyboardInterrupt):
        trial(faq, decoder, tmp_path / "one", settings=settings, progress=Kills())
    notes = Notes()
    after = trial(faq, decoder, tmp_path / "one", settings=settings, progress=notes)
    assert min(notes.begun) > 0.5
    whole = trial(faq, decoder, tmp_path / "two", settings=settings)
    files = [(done.folder / "model.onnx").read_bytes() for done in (after, whole)]
    assert files[0] == files[1]


def test_a_model_that_only_reads_is_refused(
    faq: Dataset, tmp_path: Path, backbones: tuple[str, str]
) -> None:
    for name in ("minilm-l6", backbones[0], backbones[1]):
        with pytest.raises(AdaptError, match=r"PF405 .*cannot write"):
            trial(faq, name, tmp_path)


@pytest.mark.parametrize("settings", [{"epoch": 2}, {"rank": "eight"}])
def test_a_wrong_setting_is_told(
    faq: Dataset, decoder: str, tmp_path: Path, settings: dict[str, Any]
) -> None:
    with pytest.raises(AdaptError, match="PF406"):
        trial(faq, decoder, tmp_path, settings=settings)


def test_questions_that_are_alike_stay_in_one_part(faq: Dataset) -> None:
    double = faq.concat(faq)
    rows = cut_answers(double, seed=3)
    parts = [set(part.texts) for part in (rows.train, rows.validation, rows.test)]
    assert not parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2]
    assert sum(len(part) for part in (rows.train, rows.validation, rows.test)) == len(double)


def test_given_test_rows_are_taken_out_of_the_others(faq: Dataset) -> None:
    test = faq.take(range(5))
    rows = cut_answers(faq, test_set=test)
    assert rows.test is test
    assert not {*rows.train.texts, *rows.validation.texts} & set(test.texts)
    assert rows.n_dropped >= 5


def test_too_few_questions_are_told(faq: Dataset) -> None:
    with pytest.raises(DataError, match=r"PF106 .*no row is left for"):
        cut_answers(faq.take([0, 1]))
