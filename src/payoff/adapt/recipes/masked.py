"""Masked language modelling on the texts of the domain, then a logistic regression."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch

from payoff.adapt.engine.domain_tuning import DomainTuning, Task
from payoff.adapt.engine.masked_head import has_masked_head, load_masked_head
from payoff.adapt.engine.masked_language import MaskedLanguage
from payoff.adapt.recipes.domain_tuned import DomainAttempt, DomainTuned, told_share
from payoff.adapt.recipes.needs import need_family
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.workbench import Workbench
from payoff.core.errors import AdaptError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_MASKS = ("[MASK]", "<mask>")


class Masked(DomainTuned):
    """Go on with the pretraining of the backbone on the domain (Gururangan et al. 2020).

    It needs a backbone whose weights still hold the head that it was pretrained with; encoders
    that were made for sentence vectors have lost it.

    Args:
        objective: What is learnt; it comes from the backbone, when a training is started.

    Attributes:
        needs: What a backbone must have, for whoever finds none.
    """

    name = "masked"
    needs = "an encoder with the head of its masked language model"
    cost = 1.1  # the scores of the words asked for

    def __init__(self, objective: MaskedLanguage | None = None) -> None:
        self._objective = objective

    def standard(self, bench: Workbench) -> list[Candidate]:
        """One candidate for each encoder that has the head."""
        return [
            candidate
            for candidate in super().standard(bench)
            if has_masked_head(bench.opened(candidate.backbone).folder)
        ]

    def task(self, candidate: Candidate) -> Task:
        """Name the words that were hidden."""
        assert self._objective is not None, "`start` knows the backbone"
        return self._objective

    def start(self, candidate: Candidate, bench: Workbench) -> MaskedAttempt:
        """Begin from the pretrained layers and head.

        Raises:
            AdaptError: PF405 where the backbone is no encoder, or has no masked-LM head or no
                token that hides; PF406 for a share out of range.
            BackboneError: PF304 where a part of the head is missing.
        """
        need_family(self.name, bench, candidate.backbone)
        told_share(candidate["tuned"])
        opened = bench.opened(candidate.backbone)
        head = load_masked_head(opened.folder, opened.encoder.shape)
        mask = _mask_of(opened.tokenizer)
        if head is None or mask is None:
            lacks = "no masked-LM head in its weights" if head is None else "no token that hides"
            raise AdaptError(
                "PF405",
                f"recipe '{self.name}'",
                f"'{candidate.backbone}' has {lacks}",
                expected=self.needs,
                mend="Use tsdae or simcse, which need no such head, or name a backbone that was "
                "saved with it.",
            )
        objective = MaskedLanguage(head, mask, torch.tensor(_special(opened.tokenizer)))
        return MaskedAttempt(Masked(objective), candidate, bench)


@dataclass
class MaskedAttempt(DomainAttempt):
    """One training, which starts with the pretrained head."""

    @cached_property
    def training(self) -> DomainTuning:
        """The training of the layers and of the head's first map."""
        training = super().training
        task = training.task
        assert isinstance(task, MaskedLanguage)
        with torch.no_grad():
            training.classifier.head.weight.copy_(task.head.dense_weight)
            training.classifier.head.bias.copy_(task.head.dense_bias)
        return training


def _mask_of(tokenizer: Tokenizer) -> int | None:
    found = (tokenizer.token_to_id(mask) for mask in _MASKS)
    return next((token for token in found if token is not None), None)


def _special(tokenizer: Tokenizer) -> list[int]:
    """Tokens that stand for no words."""
    added = tokenizer.get_added_tokens_decoder()
    return sorted(number for number, token in added.items() if token.special)
