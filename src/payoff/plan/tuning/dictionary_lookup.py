"""The baseline of finding entities: look up what training texts named."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from payoff.data.annotations import Annotated, Span


class DictionaryLookup:
    """Finds what some annotated texts name, word for word, whatever the case.

    Of several labels that something was given the most frequent counts; of several names that
    overlap the first and then the longest. A name of letters or digits is found as a whole word
    only.

    Args:
        annotated: Texts to learn the names from.

    Example:
        >>> known = Annotated(("is Ann in?",), ((Span(3, 6, "PERSON"),),))
        >>> DictionaryLookup(known).entities(["ask ann", "Anna called"])
        [[Span(start=4, end=7, label='PERSON')], []]
    """

    def __init__(self, annotated: Annotated) -> None:
        named: dict[str, Counter[str]] = defaultdict(Counter)
        for text, spans in zip(annotated.texts, annotated.spans, strict=True):
            for span in spans:
                named[text[span.start : span.end].casefold()][span.label] += 1
        self._label = {
            name: min(labels, key=lambda label: (-labels[label], label))
            for name, labels in named.items()
        }
        longest_first = sorted(named, key=lambda name: (-len(name), name))
        self._pattern = re.compile("|".join(map(_whole, longest_first)) or "(?!)", re.IGNORECASE)

    def entities(self, texts: Sequence[str]) -> list[list[Span]]:
        """What each text names that was named before."""
        found = []
        for text in texts:
            spans = []
            for match in self._pattern.finditer(text):
                label = self._label.get(match[0].casefold())
                if label is not None:
                    spans.append(Span(match.start(), match.end(), label))
            found.append(spans)
        return found


def _whole(name: str) -> str:
    """A pattern for a name that is not a part of a longer word of Latin letters or digits."""
    pattern = re.escape(name)
    if re.match(r"[A-Za-z0-9]", name):
        pattern = rf"(?<![A-Za-z0-9]){pattern}"
    if re.match(r"[A-Za-z0-9]", name[-1]):
        pattern = rf"{pattern}(?![A-Za-z0-9])"
    return pattern
