"""Masked language modelling: name the words that were hidden in a text."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from payoff.adapt.engine.batches import Packed
from payoff.adapt.engine.classifier import Classifier
from payoff.adapt.engine.domain_tuning import frozen_part
from payoff.adapt.engine.masked_head import MaskedHead

_MASKED, _OTHER = 0.8, 0.1  # of the tokens that are asked for; the rest stays as it is
_NOT_ASKED = -1


@dataclass(frozen=True, slots=True)
class MaskedLanguage:
    """Cross-entropy of the words asked for (Devlin et al. 2019, section 3.1, task 1).

    Of the tokens that are asked for, 80 % are replaced by the mask, 10 % by another word and 10 %
    stay, so that every token's vector has to know what it stands for. Of the head the first
    linear map is trained, as the head of the classifier; the rest of it and the table of words
    stay as they are.

    Args:
        head: The backbone's own.
        mask: The token that hides.
        special: Tokens that are not asked for: those of the tokenizer's own, ``(n,)``.
        share: Of the tokens, how many are asked for.
    """

    head: MaskedHead
    mask: int
    special: Tensor
    share: float = 0.15

    @property
    def trains_head(self) -> bool:
        """The head is the first linear map."""
        return True

    def __call__(self, classifier: Classifier, batch: Packed, generator: torch.Generator) -> Tensor:
        """Mean over the tokens asked for; 0 where there is none to ask for."""
        encoder = classifier.trunk[0]
        shown, asked = self.hidden_words(batch, encoder.shape.vocabulary, generator)
        truth = torch.full_like(batch.ids, _NOT_ASKED)
        truth[asked] = batch.ids[asked]

        def losses(hidden: Tensor, part: Packed) -> Tensor:
            hidden = classifier.climbed(hidden, part)
            here = part.ids != _NOT_ASKED
            if not bool(here.any()):
                return hidden.sum(dim=1)[:0]
            scores = self.head.scores(hidden[here], classifier.head, encoder.words.weight)
            return functional.cross_entropy(scores, part.ids[here], reduction="none")

        below = frozen_part(classifier, shown)
        each = classifier.in_parts(below, replace(batch, ids=truth), losses)
        return each.mean() if len(asked) else each.sum()

    def hidden_words(
        self, batch: Packed, vocabulary: int, generator: torch.Generator
    ) -> tuple[Packed, Tensor]:
        """The batch with words hidden, and the places of the tokens asked for, ``(n_asked,)``.

        At least one is asked for where there is any that may be.

        Args:
            batch: Whole texts.
            vocabulary: Words to replace by are drawn from all of them.
            generator: Decides which.
        """
        chance, kind = (torch.rand(len(batch.ids), generator=generator) for _ in range(2))
        others = torch.randint(vocabulary, batch.ids.shape, generator=generator)
        chance = chance.masked_fill(torch.isin(batch.ids, self.special), torch.inf)
        least = chance.min()
        asked = (chance < self.share) | ((chance == least) & torch.isfinite(least))
        ids = batch.ids.masked_fill(asked & (kind < _MASKED), self.mask)
        ids = torch.where(asked & (kind >= 1.0 - _OTHER), others, ids)
        return replace(batch, ids=ids), asked.nonzero()[:, 0]
