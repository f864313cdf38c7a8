"""Recipes that train inside an encoder, made to find entities instead of labels.

Layers, adaptation and schedule are the recipe's own; the head scores tokens, what is minimised is
their cross-entropy, and the start is the logistic regression on frozen token vectors.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from payoff.adapt.engine.finetuning import FineTuning
from payoff.adapt.engine.memory import available_bytes, check_memory
from payoff.adapt.engine.objectives.token_cross_entropy import TokenCrossEntropy
from payoff.adapt.engine.tagger import Tagger, tagger_logits
from payoff.adapt.recipes.frozen_head import FrozenHead
from payoff.adapt.recipes.linear import LinearHead
from payoff.adapt.recipes.recipe import Attempt, Candidate, Recipe
from payoff.adapt.recipes.tuned import TuneAttempt, Tuned, make_servable
from payoff.adapt.recipes.tuned_settings import is_merged, planned_objective, planned_schedule
from payoff.adapt.tag_bench import TagBench
from payoff.adapt.tagged_texts import TaggedTexts
from payoff.adapt.workbench import Workbench
from payoff.artifact.tier import TierSpec
from payoff.core.errors import AdaptError

_START_STRENGTH = 10.0


class Tagging:
    """A recipe as one for entities.

    Args:
        recipe: ``frozen-head``, or one that trains inside an encoder by plain cross-entropy.

    Raises:
        AdaptError: PF405 for any other.
    """

    def __init__(self, recipe: Recipe) -> None:
        if not can_tag(recipe):
            raise AdaptError(
                "PF405",
                f"recipe '{recipe.name}'",
                "it cannot find entities",
                expected="frozen-head, fine-tune, lora, adalora, adapter, ia3, bitfit,"
                " prefix-tuning, prompt-tuning or p-tuning",
            )
        self.recipe = recipe
        self.name = recipe.name
        self.rungs = recipe.rungs

    def candidates(self, bench: Workbench) -> list[Candidate]:
        """None: entities are not searched."""
        return []

    def standard(self, bench: Workbench) -> list[Candidate]:
        """The recipe's own, as `suited` makes them."""
        return [self.suited(candidate) for candidate in self.recipe.standard(bench)]

    def suited(self, candidate: Candidate) -> Candidate:
        """The same, with the tuned layers served as they are: nothing else was measured."""
        return candidate.without("tuned")

    def seconds(self, candidate: Candidate, bench: Workbench) -> float:
        """The recipe's own."""
        return self.recipe.seconds(candidate, bench)

    def start(self, candidate: Candidate, bench: Workbench) -> Attempt:
        """Prepare the windows and their activations.

        Args:
            candidate: One of the recipe's.
            bench: A `TagBench`.
        """
        tagged = _tagged(candidate, bench)
        if isinstance(self.recipe, Tuned):
            return TagAttempt(self.recipe, candidate, bench, tagged)
        return TagHeadAttempt(tagged, bench.train, candidate["C"])

    def export(self, candidate: Candidate, bench: Workbench, saved: Path, target: Path) -> TierSpec:
        """Frozen and trained layers and the head of tokens as ONNX."""
        from payoff.adapt.export.entities_tier import write_entities_tier

        tagged = _tagged(candidate, bench)
        encoder = tagged.opened.encoder
        if not isinstance(self.recipe, Tuned):
            head = LinearHead.restore(saved)
            return write_entities_tier(tagged, encoder.layers, head, target, name=candidate.name)
        tagger = TagAttempt(self.recipe, candidate, bench, tagged).saved_classifier(saved)
        make_servable(tagger, candidate)
        return write_entities_tier(
            tagged,
            [*encoder.layers[: tagger.depth], *tagger.own_layers()],
            tagger.head,
            target,
            name=candidate.name,
            prompt=None if tagger.prompt is None else tagger.prompt(),
            depth=tagger.depth,
            apart=not is_merged(candidate),
        )


def can_tag(recipe: Recipe) -> bool:
    """Whether a recipe says nothing that holds for labels of texts alone."""
    own = type(recipe)
    if issubclass(own, Tuned):
        plain = ("objective", "start", "export")
        return all(getattr(own, name) is getattr(Tuned, name) for name in plain)
    return isinstance(recipe, FrozenHead)


def _tagged(candidate: Candidate, bench: Workbench) -> TaggedTexts:
    assert isinstance(bench, TagBench)
    return bench.tagged(candidate.backbone)


@dataclass
class TagAttempt(TuneAttempt):
    """One training of a tagger on a workbench.

    Args:
        tagged: The texts on the candidate's backbone.
    """

    tagged: TaggedTexts

    @cached_property
    def training(self) -> FineTuning:
        """The training, from the logistic regression on frozen token vectors."""
        tagged, bench = self.tagged, self.bench
        tagged.trunk.prepare((self.candidate["depth"], tagged.opened.encoder.shape.layers))
        head = tagged.fit_head(bench.train, _START_STRENGTH)
        smoothing = planned_objective(self.recipe, self.candidate, bench).smoothing  # type: ignore[attr-defined]
        training = FineTuning(
            self._classifier(head.weight, head.bias),
            tagged.trunk,
            tagged.targets,
            rows=tagged.windows.of(bench.train),
            schedule=planned_schedule(self.recipe, self.candidate, bench),
            objective=TokenCrossEntropy(smoothing),
            progress=bench.progress,
        )
        needed = training.training_bytes()
        check_memory(self.candidate.name, needed, available_bytes())
        return training

    def _classifier(self, weight: NDArray[Any], bias: NDArray[Any]) -> Tagger:
        torch.manual_seed(self.bench.seed)  # what an adaptation adds starts at random
        return Tagger(
            self.tagged.opened.encoder,
            self.candidate["depth"],
            weight,
            bias,
            adaptation=self.recipe.adaptation(self.candidate),
        )

    def logits(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Of the tokens that count in some texts, text after text, ``(n_tokens, n_tags)``."""
        tagger = self.training.classifier
        assert isinstance(tagger, Tagger)
        found = tagger_logits(tagger, self.training.trunk, self.tagged.windows.of(rows))
        return self.tagged.counting_logits(found, rows)


@dataclass
class TagHeadAttempt:
    """The training of a head on frozen token vectors: one step, no pauses.

    Args:
        tagged: The texts on a backbone.
        train: Texts to train on.
        strength: Inverse of the penalty.
    """

    tagged: TaggedTexts
    train: NDArray[np.int64]
    strength: float
    head: LinearHead | None = field(default=None)

    def advance(self, share: float) -> None:
        """Fit, at any share."""
        if self.head is None:
            self.head = self.tagged.fit_head(self.train, self.strength)

    def logits(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Of the tokens that count in some texts, text after text, ``(n_tokens, n_tags)``."""
        assert self.head is not None
        # Run again rather than read from the cache, whose 16 bits a frozen head would show.
        whole = Tagger(self.tagged.opened.encoder, 0, self.head.weight, self.head.bias).eval()
        found = tagger_logits(whole, self.tagged.trunk, self.tagged.windows.of(rows))
        return self.tagged.counting_logits(found, rows)

    def save(self, folder: Path) -> None:
        """Write the head."""
        assert self.head is not None
        self.head.save(folder)

    def restore(self, folder: Path) -> None:
        """Read the head."""
        self.head = LinearHead.restore(folder)
