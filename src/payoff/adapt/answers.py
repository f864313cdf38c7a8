"""Answers: a decoder that is taught to answer questions as the examples do."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from payoff.adapt.backbones.installation import ensure
from payoff.adapt.backbones.tokenizer import load_tokenizer
from payoff.adapt.engine.adaptations.decoder_low_rank import DecoderLowRank
from payoff.adapt.engine.adaptations.settings import check_positive
from payoff.adapt.engine.answer_tuning import (
    AnswerSchedule,
    AnswerTraining,
    load_trained_weights,
    trained_weights,
)
from payoff.adapt.engine.decoder import Decoder
from payoff.adapt.engine.decoder_file import load_decoder
from payoff.adapt.engine.generate import generate
from payoff.adapt.engine.lessons import Lessons
from payoff.adapt.engine.memory import available_bytes, check_memory
from payoff.adapt.engine.model_config import ModelConfig
from payoff.adapt.engine.model_weights import require_files
from payoff.artifact.runtime.prompt import AnswerPrompt
from payoff.artifact.runtime.prompt_tokens import PromptTokens
from payoff.core.errors import AdaptError, DataError, did_you_mean
from payoff.core.progress import Progress, Silent

if TYPE_CHECKING:
    from payoff.adapt.workbench import Opened

_START, _END = "<|im_start|>", "<|im_end|>"
_SAVED = "training.pt"


@dataclass(frozen=True, slots=True)
class AnswerSettings:
    """How a decoder is taught; the usual values are customary ones, not compared with others.

    Args:
        instruction: What the model is told before each question.
        rank: Of the low-rank matrices (LoRA); 0 trains the layers' own matrices instead.
        alpha: Scale of what the low-rank matrices add.
        epochs: Passes over the pairs.
        batch_texts: Pairs in a step.
        learning_rate: Peak rate.
        max_tokens: Longest question, in tokens; what is beyond is cut. 0 for what covers 99.5 %
            of the questions, at most 512.
        max_new_tokens: Longest answer alike; 0 for what covers 99.5 % of the answers, at most 256.

    Raises:
        AdaptError: PF406 for a value that cannot be meant.
    """

    instruction: str = "Answer the question in a few sentences."
    rank: int = 8
    alpha: float = 16.0
    epochs: float = 3.0
    batch_texts: int = 8
    learning_rate: float = 1e-3
    max_tokens: int = 0
    max_new_tokens: int = 0

    def __post_init__(self) -> None:
        check_positive(
            alpha=self.alpha,
            epochs=self.epochs,
            batch_texts=self.batch_texts,
            learning_rate=self.learning_rate,
        )
        for name in ("alpha", "epochs", "learning_rate"):
            if math.isinf(value := getattr(self, name)):
                raise AdaptError("PF406", f"setting '{name}'", repr(value), expected="a number")
        for name in ("rank", "max_tokens", "max_new_tokens"):
            if getattr(self, name) < 0:
                found = repr(getattr(self, name))
                raise AdaptError("PF406", f"setting '{name}'", found, expected="0 or more")

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    def changed(self, given: Mapping[str, Any]) -> AnswerSettings:
        """These settings but for those given, which may be text.

        Raises:
            AdaptError: PF406 for a setting that there is not, or a value of another kind.

        Example:
            >>> AnswerSettings().changed({"epochs": "2"}).epochs
            2.0
        """
        usual = self.as_dict()
        found: dict[str, Any] = {}
        for name, value in given.items():
            if name not in usual:
                raise AdaptError(
                    "PF406",
                    "answers",
                    f"there is no setting '{name}'",
                    expected=", ".join(usual),
                    mend=did_you_mean(name, list(usual)),
                )
            try:
                found[name] = type(usual[name])(value)
            except (TypeError, ValueError) as error:
                raise AdaptError(
                    "PF406",
                    f"setting '{name}'",
                    repr(value),
                    expected=f"a value like {usual[name]!r}",
                ) from error
        return replace(self, **found)


class AnswerTuning:
    """Instruction tuning of a decoder on questions and answers; it can be paused and resumed.

    Args:
        backbone: Name of a decoder, its folder, or one that a workbench has opened.
        questions: ``n`` texts.
        answers: What is to be said to each.
        settings: How.
        seed: Order of the pairs, and where the low-rank matrices start.
        progress: Who listens.

    Raises:
        AdaptError: PF405 where the backbone is no decoder that knows the end of an answer.
        BackboneError: PF301 to PF304 where the backbone cannot be had or read.
        DataError: PF106 without any pair, PF107 where an answer is empty.

    Example:
        >>> tuning = AnswerTuning("smollm2-135m", questions, answers)  # doctest: +SKIP
        >>> tuning.advance(1.0)  # doctest: +SKIP
        >>> tuning.answers(["Where is my card?"])  # doctest: +SKIP
        ['Cards take a week to arrive.']
    """

    def __init__(
        self,
        backbone: Opened | Path | str,
        questions: Sequence[str],
        answers: Sequence[str],
        *,
        settings: AnswerSettings | None = None,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> None:
        self.settings = settings or AnswerSettings()
        self.seed = seed
        self.progress = progress or Silent()
        self.folder = _folder(backbone, self.progress)
        require_files(self.folder)
        self.tokenizer = load_tokenizer(self.folder)
        self._tokens = PromptTokens(self.tokenizer)
        _refuse_empty(questions, answers)
        self._questions = self._tokens.of_texts(questions)
        self._answers = self._tokens.of_texts(
            answers if self._chats else [" " + answer for answer in answers]
        )
        self.prompt = self._prompt()

    @property
    def _chats(self) -> bool:
        """Whether the model was made for turns in ChatML."""
        return None not in map(self.tokenizer.token_to_id, (_START, _END))

    def _prompt(self) -> AnswerPrompt:
        settings, ends = self.settings, self._ends()
        told = settings.instruction
        if self._chats:
            system = f"{_START}system\n{told}{_END}\n" if told else ""
            around = f"{system}{_START}user\n", f"{_END}\n{_START}assistant\n"
        else:
            around = f"{told}\n\nQuestion: ".lstrip(), "\nAnswer:"
        return AnswerPrompt(
            *around,
            ends,
            settings.max_tokens or _covering(self._questions, 512),
            settings.max_new_tokens or _covering(self._answers, 255) + 1,  # the end mark's
        )

    def _ends(self) -> tuple[int, ...]:
        """Tokens that end an answer; the first is the one that is taught."""
        told = ModelConfig.read(self.folder / "config.json").content.get("eos_token_id")
        ends = told if isinstance(told, list) else [told]
        ends = [self.tokenizer.token_to_id(_END) if self._chats else None, *ends]
        known = [end for end in dict.fromkeys(ends) if type(end) is int and end >= 0]
        if not known:
            raise AdaptError(
                "PF405",
                str(self.folder),
                "no token of this model ends an answer",
                expected=f"'{_END}' in its tokenizer, or eos_token_id in its config.json",
            )
        return tuple(known)

    @cached_property
    def decoder(self) -> Decoder:
        """The decoder, with what is trained of it."""
        return self._prepared(load_decoder(self.folder))

    def _prepared(self, decoder: Decoder) -> Decoder:
        if self.settings.rank:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(self.seed)  # where the low-rank matrices start
                self._low_rank.attach(decoder)
        else:
            decoder.layers.requires_grad_(True)
        return decoder

    @property
    def _low_rank(self) -> DecoderLowRank:
        return DecoderLowRank(self.settings.rank, self.settings.alpha)

    @cached_property
    def training(self) -> AnswerTraining:
        """The training, from the decoder as it came."""
        settings = self.settings
        training = AnswerTraining(
            self.decoder,
            self.lessons,
            schedule=AnswerSchedule(
                settings.epochs, settings.batch_texts, settings.learning_rate, seed=self.seed
            ),
            progress=self.progress,
        )
        check_memory("instruction tuning", training.training_bytes(), available_bytes())
        return training

    @cached_property
    def lessons(self) -> Lessons:
        """The pairs as tokens; an answer that is too long ends without its end mark."""
        longest, end = self.prompt.max_new_tokens, self.prompt.stop[0]
        assert isinstance(end, int)
        answers = [[*answer, end][:longest] for answer in self._answers]
        return Lessons.of([self._around(ids) for ids in self._questions], answers)

    @property
    def n_cut(self) -> int:
        """Pairs whose question or answer is longer than what is kept of it."""
        prompt = self.prompt
        return sum(
            len(question) > prompt.max_tokens or len(answer) >= prompt.max_new_tokens
            for question, answer in zip(self._questions, self._answers, strict=True)
        )

    @property
    def trained_share(self) -> float:
        """Trained weights over all weights, 0–1."""
        sizes = {name: weight.numel() for name, weight in self.decoder.named_parameters()}
        trained = sum(sizes[name] for name in trained_weights(self.decoder))
        return trained / sum(sizes.values())

    def _around(self, question: Sequence[int]) -> list[int]:
        before, after = self._pieces
        return [*before, *question[: self.prompt.max_tokens], *after]

    @cached_property
    def _pieces(self) -> tuple[list[int], list[int]]:
        return self._tokens.of_prompt(self.prompt.before), self._tokens.of_prompt(self.prompt.after)

    def advance(self, share: float) -> None:
        """Train up to ``share`` of the steps.

        Raises:
            AdaptError: PF402 where the loss is no longer finite.
            MachineError: PF808 where memory would not suffice.
        """
        self.training.advance(share)

    def answers(self, texts: Sequence[str]) -> list[str]:
        """What the model, as far as it is trained, says to each text."""
        prompts = [self._around(ids) for ids in self._tokens.of_texts(texts)]
        found = generate(
            self.decoder,
            prompts,
            stop=[end for end in self.prompt.stop if isinstance(end, int)],
            max_new_tokens=self.prompt.max_new_tokens,
            tell=lambda done: self.progress.step("answering", done, len(prompts)),
        )
        return [self.tokenizer.decode(ids, skip_special_tokens=True).strip() for ids in found]

    def save(self, folder: Path) -> None:
        """Write the trained weights and the optimiser."""
        with (folder / _SAVED).open("wb") as file:
            try:
                torch.save(self.training.state(), file)
            except RuntimeError as error:  # it hides what the disk said
                if isinstance(error.__context__, OSError):
                    raise error.__context__ from error
                raise

    def restore(self, folder: Path) -> None:
        """Go on exactly where `save` was called."""
        self.training.resume(torch.load(folder / _SAVED, weights_only=True))

    def merged(self, folder: Path | None = None) -> Decoder:
        """A decoder of plain layers that answers as this one does, for export.

        Args:
            folder: Take the weights that `save` wrote there; None for those of now.
        """
        decoder = self._prepared(load_decoder(self.folder))
        weights = (
            {name: w.detach() for name, w in trained_weights(self.decoder).items()}
            if folder is None
            else torch.load(folder / _SAVED, weights_only=True)["weights"]
        )
        load_trained_weights(decoder, weights)
        if self.settings.rank:
            self._low_rank.merge(decoder)
        return decoder.eval().requires_grad_(False)


def _folder(backbone: Opened | Path | str, progress: Progress) -> Path:
    if isinstance(backbone, Path):
        return backbone
    return ensure(backbone, progress) if isinstance(backbone, str) else backbone.folder


def _covering(rows: Sequence[Sequence[int]], most: int) -> int:
    """Tokens that cover 99.5 % of the rows, a multiple of 16 or ``most``."""
    longest = np.quantile([len(row) for row in rows], 0.995)
    return int(min(most, 16 * max(1, np.ceil(longest / 16))))


def _refuse_empty(questions: Sequence[str], answers: Sequence[str]) -> None:
    if len(questions) != len(answers):
        raise ValueError(f"{len(questions)} questions and {len(answers)} answers")
    if not questions:
        raise DataError("PF106", "questions", "there is none", expected="one or more")
    bare = [str(row) for row, answer in enumerate(answers, 1) if not answer.strip()]
    if bare:
        raise DataError(
            "PF107",
            f"answers {', '.join(bare[:5])}",
            f"{len(bare)} are empty",
            mend="Write the answers, or leave those rows out.",
        )
