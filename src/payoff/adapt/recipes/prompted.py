"""Prompt learning: a generative model says which label it finds most probable after the text.

Nothing of the model is trained. What is chosen by training rows, where there are any, is the
template, how lengths of labels are made up for, and how the model's prior is taken off; and some
rows may be shown as examples (Brown et al. 2020).
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from payoff.adapt.engine.label_scores import LabelScorer
from payoff.adapt.engine.memory import available_bytes, check_memory
from payoff.adapt.recipes.label_prior import (
    CALIBRATIONS,
    CONTENT_FREE,
    LENGTHS,
    Reading,
    best_variants,
)
from payoff.adapt.recipes.needs import need_family
from payoff.adapt.recipes.prompt_template import TEMPLATES, Template, templates_for
from payoff.adapt.recipes.range import Range
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.recipes.shots import in_turn
from payoff.adapt.recipes.written_prompt import longest_text, write_prompt
from payoff.adapt.workbench import Workbench
from payoff.artifact.runtime.prompt import Prompt
from payoff.artifact.tier import TierSpec
from payoff.core.errors import AdaptError, did_you_mean
from payoff.core.files import write_json

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from payoff.adapt.engine.decoder import Decoder

_WINDOW = 2048  # tokens of a prompt: more would make every text as slow as a long document
_FEWEST_ROWS, _MOST_ROWS, _ROWS_TIMES_LABELS = 16, 32, 2048  # rows that a template is chosen by
_TIMED_TEXTS = 3
_WORKING_BYTES = 1 << 29  # of a group of texts; see engine.label_scores


class Prompted:
    """Labels scored by a decoder after a prompt, zero-shot or with some examples.

    Settings:
        template: Name of a template, or ``auto`` for the best on training rows.
        templates: How many of the best templates are averaged.
        shots: Examples shown before every text; 0 for none.
        calibration: ``texts``, ``content-free``, ``none``, or ``auto``; see `label_prior`.
        length: ``mean`` to divide log-probabilities by a label's tokens, ``sum``, or ``auto``.

    Attributes:
        name: As registered.
        rungs: All at once.
        needs: What there must be, for whoever finds none.
    """

    name = "prompted"
    needs = "a decoder: --backbone smollm2-135m"
    rungs: tuple[float, ...] = (1.0,)
    defaults = (
        ("template", "auto"),
        ("templates", 1),
        ("shots", 0),
        ("calibration", "auto"),
        ("length", "auto"),
    )

    def __init__(self) -> None:
        self._seconds_a_text: dict[tuple[Candidate, tuple[str, ...]], float] = {}

    def standard(self, bench: Workbench) -> list[Candidate]:
        """One candidate a decoder."""
        return [
            Candidate(self.name, name, self.defaults)
            for name in bench.backbones
            if bench.opened(name).backbone.family == "decoder"
        ]

    def candidates(self, bench: Workbench) -> list[Candidate]:
        """None: a recipe is searched where a measurement shows that it can win."""
        return []

    def space(self, candidate: Candidate, bench: Workbench) -> Mapping[str, Range]:
        """More examples, and the mean over templates."""
        return {
            "shots": Range(choices=(0, 1, 4, 8, 16)),
            "templates": Range(choices=(1, 2, 3)),
        }

    def seconds(self, candidate: Candidate, bench: Workbench) -> float:
        """From some timed texts: those that templates are chosen by, and those to judge by."""
        attempt = self.start(candidate, bench)
        key = (candidate, bench.labels)
        if key not in self._seconds_a_text:
            self._seconds_a_text[key] = attempt.timed()
        n_rows = 0 if attempt.is_settled else len(attempt.chosen_by(()))
        chosen_by = len(attempt.templates) * (n_rows + len(CONTENT_FREE))
        judged = candidate["templates"] * len(bench.validation)
        return float(self._seconds_a_text[key] * (chosen_by + judged))

    def start(self, candidate: Candidate, bench: Workbench) -> PromptedAttempt:
        """Check the settings.

        Raises:
            AdaptError: PF405 for a backbone that is no decoder; PF406 for a wrong setting.
        """
        need_family(self.name, bench, candidate.backbone, family="decoder")
        _check(candidate)
        return PromptedAttempt(candidate, bench)

    def export(self, candidate: Candidate, bench: Workbench, saved: Path, target: Path) -> TierSpec:
        """The decoder as ONNX, its tokenizer and the prompt."""
        from payoff.adapt.export.decoder_tier import write_prompted_tier

        attempt = self.start(candidate, bench)
        attempt.restore(saved)
        prompts = [prompt.as_dict() for prompt in attempt.prompts]
        content = prompts[0] if len(prompts) == 1 else {"prompts": prompts}
        return write_prompted_tier(
            attempt.decoder, attempt.tokenizer, content, target, name=candidate.name
        )


@dataclass
class PromptedAttempt:
    """The choice of a prompt on a workbench: one step, no pauses."""

    candidate: Candidate
    bench: Workbench
    prompts: tuple[Prompt, ...] = field(default=())

    @cached_property
    def decoder(self) -> Decoder:
        """The model.

        Raises:
            MachineError: PF808 where it would not fit into memory.
        """
        opened = self.bench.opened(self.candidate.backbone)
        needed = 4 * opened.backbone.n_parameters + _WORKING_BYTES
        if _loaded.cache_info().currsize == 0:
            check_memory(self.candidate.name, needed, available_bytes())
        return _loaded(opened.folder)

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """Its tokenizer, which cuts nothing."""
        tokenizer = self.bench.opened(self.candidate.backbone).tokenizer
        tokenizer.no_truncation()
        return tokenizer

    @cached_property
    def templates(self) -> tuple[Template, ...]:
        """Those that may be taken.

        Raises:
            AdaptError: PF406 where a template is named that the model does not know.
        """
        chat = self.tokenizer.token_to_id("<|im_start|>") is not None
        wanted = self.candidate["template"]
        if wanted == "auto":
            return templates_for(self.bench.texts, chat=chat)
        found = [t for t in TEMPLATES if t.name == wanted]
        if found[0].chat and not chat:
            raise AdaptError(
                "PF406",
                "prompted, setting 'template'",
                f"'{wanted}' is made for a chat model, and '{self.candidate.backbone}' is none",
                expected=", ".join(t.name for t in TEMPLATES if not t.chat),
            )
        return tuple(found)

    @cached_property
    def _max_tokens(self) -> int:
        return longest_text(self.bench.texts, self.tokenizer)

    def _written(self, template: Template) -> tuple[Prompt, tuple[int, ...]]:
        return write_prompt(
            template,
            self.bench,
            self.tokenizer,
            max_tokens=self._max_tokens,
            window=min(_WINDOW, self.decoder.shape.positions),
            shots=self.candidate["shots"],
        )

    def _scorer(self, prompt: Prompt) -> LabelScorer:
        return LabelScorer(self.decoder, self.tokenizer, prompt)

    def chosen_by(self, shown: Sequence[int]) -> NDArray[np.int64]:
        """Training rows to choose by: every label in turn, none that the prompt shows."""
        most = _ROWS_TIMES_LABELS // len(self.bench.labels)
        wanted = int(np.clip(most, _FEWEST_ROWS, _MOST_ROWS))
        rows = np.setdiff1d(self.bench.train, np.asarray(shown, np.int64))
        return in_turn(self.bench.targets, rows, seed=self.bench.seed)[:wanted]

    def timed(self) -> float:
        """Seconds of one text after the first prompt, measured."""
        scorer = self._scorer(self._written(self.templates[0])[0])
        texts = self.bench.texts[:_TIMED_TEXTS] or ("text",)
        scorer.scores(texts[:1])  # what stands before the texts is read once
        begun = time.perf_counter()
        scorer.scores(texts)
        return (time.perf_counter() - begun) / len(texts)

    def advance(self, share: float) -> None:
        """Choose the prompts, at any share."""
        if self.prompts:
            return
        readings, rows = self._readings()
        lengths = _allowed(self.candidate["length"], LENGTHS)
        ways = _allowed(self.candidate["calibration"], CALIBRATIONS)
        if len(rows):
            truth = self.bench.targets[rows]
            found = best_variants(readings, truth, lengths=lengths, calibrations=ways)
        else:  # nothing tells: the usual ones
            usual = ways[0] if len(readings[0].of_texts) or len(ways) == 1 else ways[1]
            found = [reading.variant(lengths[0], usual)[0] for reading in readings]
        wanted = self.candidate["templates"]
        if wanted > len(found):
            self.bench.progress.say(
                f"{self.candidate.name}: there are {len(found)} templates that fit, all are taken"
            )
        self.prompts = tuple(found[:wanted])

    def _readings(self) -> tuple[list[Reading], NDArray[np.int64]]:
        """What each template gives, on the same rows; without rows on texts without labels."""
        written = [self._written(template) for template in self.templates]
        shown = {row for _, rows in written for row in rows}
        rows = self.chosen_by(sorted(shown))
        texts = [self.bench.texts[row] for row in rows] or self.bench.unlabelled[:_MOST_ROWS]
        if self.candidate["calibration"] == "texts" and not texts:
            raise AdaptError(
                "PF405",
                "prompted, setting 'calibration'",
                "'texts' needs texts, and there are none to learn from",
                expected="training rows, texts without labels, or calibration=content-free",
            )
        if self.is_settled:
            rows, texts = rows[:0], []
        readings: list[Reading] = []
        refusal: AdaptError | None = None
        for number, (prompt, _) in enumerate(written):
            self.bench.progress.step("choosing a prompt", number, len(written))
            try:
                scorer = self._scorer(prompt)
            except AdaptError as error:  # it does not fit into the window; another may
                refusal = error
                continue
            of_texts, of_nothing = scorer.scores(texts), scorer.scores(CONTENT_FREE)
            readings.append(Reading(prompt, scorer.token_counts, of_texts, of_nothing))
        if not readings:
            assert refusal is not None
            raise refusal
        self._tell_shots(max(len(rows) for _, rows in written))
        return readings, rows

    @property
    def is_settled(self) -> bool:
        """Whether the settings leave nothing to choose or to measure on texts."""
        fixed = len(self.templates) == 1 and self.candidate["length"] != "auto"
        return fixed and self.candidate["calibration"] in ("none", "content-free")

    def _tell_shots(self, n_shown: int) -> None:
        if n_shown < self.candidate["shots"]:
            self.bench.progress.say(
                f"{self.candidate.name}: {n_shown} examples fit into the prompt or are there"
            )

    def logits(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Mean scores over the chosen prompts, ``(len(rows), n_labels)``."""
        texts = [self.bench.texts[row] for row in rows]
        total = np.zeros((len(rows), len(self.bench.labels)), np.float32)
        for number, prompt in enumerate(self.prompts):
            done = number * len(rows)
            total += self._scorer(prompt).scores(
                texts,
                lambda n, done=done: self.bench.progress.step(  # type: ignore[misc]
                    "prompting", done + n, len(self.prompts) * len(rows)
                ),
            )
        return total / np.float32(len(self.prompts))

    def save(self, folder: Path) -> None:
        """Write the prompts."""
        prompts = [prompt.as_dict() for prompt in self.prompts]
        write_json(folder / "prompts.json", {"prompts": prompts})

    def restore(self, folder: Path) -> None:
        """Read the prompts."""
        content = json.loads((folder / "prompts.json").read_text("utf-8"))
        self.prompts = tuple(map(Prompt.from_dict, content["prompts"]))


@lru_cache(maxsize=1)
def _loaded(folder: Path) -> Decoder:
    """The decoder of a folder; all attempts of a search share it, since nothing trains it."""
    from payoff.adapt.engine.decoder_file import load_decoder

    return load_decoder(folder).eval()


def _allowed(setting: str, known: tuple[str, ...]) -> tuple[str, ...]:
    return known if setting == "auto" else (setting,)


def _check(candidate: Candidate) -> None:
    """Refuse values that no setting has.

    Raises:
        AdaptError: PF406.
    """
    named = {
        "template": [template.name for template in TEMPLATES],
        "calibration": list(CALIBRATIONS),
        "length": list(LENGTHS),
    }
    for setting, known in named.items():
        if candidate[setting] not in ("auto", *known):
            raise AdaptError(
                "PF406",
                f"prompted, setting '{setting}'",
                f"'{candidate[setting]}'",
                expected=f"auto, {', '.join(known)}",
                mend=did_you_mean(str(candidate[setting]), known),
            )
    for setting, least in (("templates", 1), ("shots", 0)):
        if candidate[setting] < least:
            where = f"prompted, setting '{setting}'"
            raise AdaptError("PF406", where, f"{candidate[setting]}", expected=f"{least} or more")
