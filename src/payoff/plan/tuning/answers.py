"""Tuning a generative model to answer: train, measure beside the untuned one, export."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from payoff.adapt.backbones.find import find
from payoff.adapt.recipes.recipe import Candidate
from payoff.artifact.runtime.answers import AnswerRuntime
from payoff.artifact.tier import TierSpec
from payoff.core.errors import AdaptError
from payoff.core.extras import require
from payoff.core.files import to_json
from payoff.core.progress import Progress, Silent
from payoff.data.dataset import Dataset
from payoff.evidence.answers import AnswerQuality, measure_answers
from payoff.learn.meter import NEXT_S, Meter
from payoff.plan.ladder import rung
from payoff.plan.learning_inputs import learning_inputs
from payoff.plan.runs import Run
from payoff.plan.tuning.answer_rows import cut_answers

if TYPE_CHECKING:
    from payoff.adapt.answers import AnswerSettings, AnswerTuning

RUNGS = (0.25, 0.5, 0.75, 1.0)
"""Shares of the work after which the training is kept, so that a killed one goes on there."""


@dataclass(frozen=True, slots=True)
class AnswerTrial:
    """A model taught to answer, and measured beside itself before.

    Args:
        backbone: Name of the decoder.
        settings: How it was taught.
        spec: The exported tier.
        folder: Where its files are.
        validation: The exported tier's answers to validation questions.
        untuned: The untuned model's answers to the same, after the same instruction.
        report: The tier's answers to test questions; None where it was not asked for.
        untuned_report: The untuned model's; None likewise.
        n_train: Rows that were trained on.
        n_cut: Those of them whose question or answer was too long to be kept whole.
        trained_share: Trained weights over all weights, 0–1.
        training_s: Seconds of training.
        examples: Some validation questions, what was wanted and what the tier said.
    """

    backbone: str
    settings: AnswerSettings
    spec: TierSpec
    folder: Path
    validation: AnswerQuality
    untuned: AnswerQuality
    report: AnswerQuality | None
    untuned_report: AnswerQuality | None
    n_train: int
    n_cut: int
    trained_share: float
    training_s: float
    examples: tuple[tuple[str, str, str], ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        figures = {
            "validation": self.validation,
            "validation_untuned": self.untuned,
            "test": self.report,
            "test_untuned": self.untuned_report,
        }
        names = ("question", "wanted", "said")
        return {
            "recipe": "answers",
            "backbone": self.backbone,
            "settings": self.settings.as_dict(),
            "n_train": self.n_train,
            "n_cut": self.n_cut,
            "trained_share": self.trained_share,
            "training_s": self.training_s,
            "tier": str(self.folder),
            **{name: quality and quality.as_dict() for name, quality in figures.items()},
            "examples": [dict(zip(names, example, strict=True)) for example in self.examples],
        }


def tune_answers(
    dataset: Dataset,
    *,
    backbone: str = "smollm2-135m",
    settings: Mapping[str, Any] | None = None,
    test: Dataset | None = None,
    report: bool = False,
    seed: int = 0,
    runs: Path | str = "runs",
    most_judged: int = 200,
    progress: Progress | None = None,
    meter: Meter | None = None,
) -> AnswerTrial:
    """Teach a generative model to answer as the rows do, and measure it.

    Args:
        dataset: Questions as texts, answers as labels.
        backbone: A decoder.
        settings: Those of `payoff.adapt.answers.AnswerSettings` where the usual are not wanted.
        test: Rows to report on; cut from ``dataset`` where not given.
        report: Measure on the test rows too. Choose by validation first.
        seed: Seed of everything random.
        runs: Folder of runs; a killed training goes on where it stopped.
        most_judged: Questions of a part that are answered to measure it, since writing is slow; a
            random choice where there are more.
        progress: Who listens.
        meter: Books what is used and holds the budget; no books are kept where not given.

    Raises:
        DataError: PF103, PF106 or PF107 where the rows cannot be learnt from.
        AdaptError: PF405 for a backbone that cannot write; PF406 for a wrong setting; PF402 where
            training fails.
        EconomicsError: PF620 before the budget would be exceeded.
        MachineError: PF803 where the extras ``tune`` and ``generate`` are not installed; PF808
            where memory would not suffice.

    Example:
        >>> trial = tune_answers(faq)  # doctest: +SKIP
        >>> trial.validation.rouge_l > trial.untuned.rouge_l  # doctest: +SKIP
        True
    """
    require("torch", "tune", "training")
    require("rouge_score", "generate", "measuring ROUGE")
    from payoff.adapt.answers import AnswerSettings, AnswerTuning

    listener = progress or Silent()
    how = AnswerSettings().changed(settings or {})
    _refuse_readers(backbone)
    rows = cut_answers(dataset, test_set=test, seed=seed)
    learning = learning_inputs(dataset, test, seed, (backbone,))
    run = Run.open(Path(runs), "answers", learning=learning, choosing={"recipe": "answers"})
    run = replace(run, meter=meter)
    candidate = _candidate(backbone, how)
    if meter is not None:
        meter.allow(f"the untuned answers of {backbone}", NEXT_S)  # before a decoder is loaded
    tuning = AnswerTuning(
        backbone,
        rows.train.texts,
        rows.train.targets,
        settings=how,
        seed=seed,
        progress=listener,
    )
    parts = {"validation": rows.validation} | ({"test": rows.test} if report else {})
    judged = {name: _judged(part, most_judged, seed) for name, part in parts.items()}
    untuned = _untuned(tuning, judged, backbone, run)
    if meter is not None:
        meter.book(f"untuned answers of {backbone}")
    seconds = _trained(tuning, candidate, run)
    folder = run.tier(candidate.key)
    spec = _exported(tuning, folder, candidate)
    trial = AnswerTrial(
        backbone,
        how,
        spec,
        folder,
        validation=untuned["validation"],
        untuned=untuned["validation"],
        report=None,
        untuned_report=untuned.get("test"),
        n_train=len(rows.train),
        n_cut=tuning.n_cut,
        trained_share=tuning.trained_share,
        training_s=seconds,
        examples=(),
    )
    del tuning  # two decoders need not be in memory with the tier
    trial = _measured(trial, judged, listener)
    if meter is not None:
        meter.book(f"measuring {candidate.name}")
    return trial


def _refuse_readers(backbone: str) -> None:
    known = find(backbone)
    if known.family != "decoder" and not (known.format == "hub" and not known.n_parameters):
        raise AdaptError(
            "PF405",
            f"answers on {backbone}",
            f"it is of the family '{known.family}', which cannot write",
            expected="a decoder, such as smollm2-135m",
        )


def _candidate(backbone: str, how: AnswerSettings) -> Candidate:
    """What names the folders; an instruction may hold any sign and be of any length."""
    settings = how.as_dict()
    told = hashlib.sha256(settings["instruction"].encode()).hexdigest()[:8]
    return Candidate("answers", backbone, tuple((settings | {"instruction": told}).items()))


def _judged(part: Dataset, most: int, seed: int) -> Dataset:
    if len(part) <= most:
        return part
    return part.take(np.sort(np.random.default_rng(seed).permutation(len(part))[:most]))


def _untuned(
    tuning: AnswerTuning, judged: Mapping[str, Dataset], backbone: str, run: Run
) -> dict[str, AnswerQuality]:
    """The untuned model's figures; its answers are kept, since writing is slow.

    They depend on the prompt and on nothing else of the settings.
    """
    found = {}
    prompt = hashlib.sha256(to_json(tuning.prompt.as_dict()).encode()).hexdigest()[:8]
    for name, part in judged.items():
        key = Candidate(f"untuned-{name}", backbone, (("prompt", prompt),)).key
        kept = run.recorded(key)
        if kept is None or kept[0]["questions"] != part.texts:
            answers = tuning.answers(part.texts)
            result = {"questions": part.texts, "answers": answers}
            run.record(key, result, np.zeros(0, np.float32), lambda _: None)
            kept = result, np.zeros(0, np.float32)
        found[name] = measure_answers(kept[0]["answers"], part.targets)
    return found


def _trained(tuning: AnswerTuning, candidate: Candidate, run: Run) -> float:
    """Train to the end, kept at every rung; its seconds, those of before included."""
    keys = [rung(candidate, share) for share in RUNGS]
    kept = [run.recorded(key) for key in keys]
    done = max((place for place, found in enumerate(kept) if found is not None), default=-1)
    seconds = 0.0
    if done >= 0:
        tuning.restore(run.attempt(keys[done]))
        found = kept[done]
        seconds = found[0]["seconds"] if found else 0.0
    before = RUNGS[done] if done >= 0 else 0.0
    for share, key in list(zip(RUNGS, keys, strict=True))[done + 1 :]:
        if run.meter is not None:
            expected = seconds / before * (share - before) if before else NEXT_S
            run.meter.allow(candidate.name, expected)
        begun = time.perf_counter()
        tuning.advance(share)
        seconds += time.perf_counter() - begun
        before = share
        result = {"share": share, "seconds": seconds}
        run.record(key, result, np.zeros(0, np.float32), tuning.save)
        if run.meter is not None:
            run.meter.book(candidate.name)
    return seconds


def _exported(tuning: AnswerTuning, folder: Path, candidate: Candidate) -> TierSpec:
    from payoff.adapt.export.decoder_tier import write_answers_tier

    name = f"answers {candidate.backbone}"
    prompt = tuning.prompt.as_dict()
    return write_answers_tier(tuning.merged(), tuning.tokenizer, prompt, folder, name=name)


def _measured(trial: AnswerTrial, judged: Mapping[str, Dataset], progress: Progress) -> AnswerTrial:
    """The trial with the figures of the tier that was written: what is measured is served."""
    from contextlib import nullcontext

    runtime = AnswerRuntime.open(
        trial.spec,
        lambda name: (trial.folder / name).read_bytes(),
        file=lambda name: nullcontext(trial.folder / name),
    )
    part = judged["validation"]
    said = _answered(runtime.answers, part.texts, progress)
    examples = zip(part.texts[:5], part.targets[:5], said[:5], strict=True)
    trial = replace(trial, validation=measure_answers(said, part.targets), examples=tuple(examples))
    if "test" not in judged:
        return trial
    part = judged["test"]
    said = _answered(runtime.answers, part.texts, progress)
    return replace(trial, report=measure_answers(said, part.targets))


def _answered(
    answers: Callable[[Sequence[str]], list[str]], texts: Sequence[str], progress: Progress
) -> list[str]:
    """Answers in pieces of 32, so that it is seen how far they are."""
    said: list[str] = []
    for start in range(0, len(texts), 32):
        said += answers(texts[start : start + 32])
        progress.step("answering as served", len(said), len(texts))
    return said
