"""From a template and a workbench to the prompt of a decoder."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from payoff.adapt.engine.label_scores import token_ids
from payoff.adapt.recipes.prompt_template import Template, meanings_of, spoken
from payoff.adapt.recipes.shots import in_turn
from payoff.adapt.workbench import Workbench
from payoff.artifact.runtime.prompt import Prompt

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_LONGEST_TEXT = 256  # tokens, as of encoders
_SKIPPED_A_SHOT = 8  # examples looked at for each that is shown, where some are too long
_MARK = "<|"  # begins what a chat model reads as the end of a turn


def longest_text(texts: Sequence[str], tokenizer: Tokenizer) -> int:
    """Tokens that cover 99.5 % of the texts, a multiple of 16, at most 256."""
    encoded = tokenizer.encode_batch(list(texts), add_special_tokens=False)
    longest = np.quantile([len(one.ids) for one in encoded], 0.995) if encoded else 0
    return int(min(_LONGEST_TEXT, 16 * np.ceil(longest / 16) + 16))


def write_prompt(
    template: Template,
    bench: Workbench,
    tokenizer: Tokenizer,
    *,
    max_tokens: int,
    window: int,
    shots: int = 0,
) -> tuple[Prompt, tuple[int, ...]]:
    """Fill a template with the labels, and with examples from the training rows.

    Examples are drawn label by label in turn by the workbench's seed, as many as are asked for
    and fit into the window; one that does not fit, or holds a mark of turns, is passed over.
    Labels end with the template's end where one would otherwise be the beginning of another, so
    that the shorter is not always at least as probable.

    Args:
        template: The words around a text.
        bench: Labels, descriptions and training rows.
        tokenizer: The decoder's.
        max_tokens: Longest text, in tokens.
        window: Tokens that prompt, text and label may have together.
        shots: Examples wanted.

    Returns:
        The prompt without a prior, and the rows that it shows.
    """
    names = spoken(bench.labels)
    labels = [template.label(name) for name in names]
    if _one_begins_another([token_ids(tokenizer, label) for label in labels]):
        labels = [label + template.end for label in labels]
    head = template.filled_head(names, meanings_of(bench.labels, bench.descriptions))
    around = [head, template.opening, template.closing, max(labels, key=len)]
    room = window - max_tokens - sum(len(token_ids(tokenizer, part)) for part in around)
    examples: list[str] = []
    shown: list[int] = []
    order = in_turn(bench.targets, bench.train, seed=bench.seed)
    for row in order[: _SKIPPED_A_SHOT * shots].tolist():
        text, name = bench.texts[row], names[bench.targets[row]]
        example = template.example(text, name)
        length = len(token_ids(tokenizer, example))
        if len(examples) == shots or length > room or _MARK in text:
            continue
        room -= length
        examples.append(example)
        shown.append(row)
    before = head + "".join(examples) + template.opening
    return Prompt(before, template.closing, tuple(labels), max_tokens), tuple(shown)


def _one_begins_another(labels: Sequence[Sequence[int]]) -> bool:
    """Whether the tokens of some label are the first ones of another.

    Example:
        >>> _one_begins_another([[1, 2], [1, 3]]), _one_begins_another([[1, 2], [1]])
        (False, True)
    """
    ordered = sorted(tuple(label) for label in labels)
    return any(longer[: len(shorter)] == shorter for shorter, longer in pairwise(ordered))
