"""A head made of what the labels are called: no training rows are needed."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from payoff.adapt.recipes.closed_form import ClosedForm
from payoff.adapt.recipes.linear import LinearHead
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.workbench import Workbench

TEMPLATES = (
    "{}",
    "This is about {}.",
    "A message about {}.",
    "I have a question about {}.",
    "It says: {}.",
)
"""What a label's name is put into."""

TEMPLATES_CHINESE = (
    "{}",
    "这是关于{}的。",
    "一条关于{}的消息。",
    "我想问{}的问题。",
    "内容：{}。",
)
"""The same for names in Chinese characters."""

_CHINESE = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class ZeroShot(ClosedForm):
    """Which label's name is nearest to the text (Yin et al. 2019, section 4, by embeddings)."""

    name = "zero-shot"
    defaults = (("scale", 20.0),)

    def fit(self, candidate: Candidate, bench: Workbench) -> LinearHead:
        """The labels' vectors times the scale."""
        weight = candidate["scale"] * label_vectors(bench, candidate.backbone)
        return LinearHead(weight.astype(np.float32), np.zeros(len(weight), np.float32))

    def fit_seconds(self, candidate: Candidate, bench: Workbench) -> float:
        """The label texts take as long as as many of the others."""
        return label_seconds(bench, candidate.backbone)


def label_vectors(bench: Workbench, backbone: str) -> NDArray[np.float32]:
    """What the labels mean to a backbone: normalised, ``(n_labels, width)``.

    The mean over the templates; where there is a description, its vector counts as much as that
    mean.
    """
    from payoff.adapt.engine.encode import encode

    named = [label_texts(label) for label in bench.labels]
    told = [bench.descriptions.get(label, "").strip() for label in bench.labels]
    texts = [text for group in named for text in group] + [text for text in told if text]
    vectors = encode(bench.opened(backbone), texts)
    n_named = sum(map(len, named))
    means = vectors[:n_named].reshape(len(named), -1, vectors.shape[1]).mean(axis=1)
    has = np.array([bool(text) for text in told])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    means[has] += vectors[n_named:]
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    return np.asarray(means, np.float32)


def label_seconds(bench: Workbench, backbone: str) -> float:
    """Expected seconds of `label_vectors`."""
    each = bench.opened(backbone).forward_seconds() / max(1, len(bench.texts))
    return each * len(bench.labels) * (len(TEMPLATES) + 1)


def label_texts(label: str) -> list[str]:
    """A label's name in every template of its script.

    Example:
        >>> label_texts("card_arrival")[:2]
        ['card arrival', 'This is about card arrival.']
        >>> label_texts("退款")[:2]
        ['退款', '这是关于退款的。']
    """
    templates = TEMPLATES_CHINESE if _CHINESE.search(label) else TEMPLATES
    return [template.format(words(label)) for template in templates]


def words(label: str) -> str:
    """A label's name as words: underscores, hyphens and CamelCase taken apart.

    Example:
        >>> words("card_arrival"), words("CardArrival"), words("ATMLimit"), words("pin-blocked")
        ('card arrival', 'card arrival', 'ATM limit', 'pin blocked')
    """
    parts = _CAMEL.sub(" ", re.sub(r"[_\-]+", " ", label)).split()
    if not parts:
        return label
    return " ".join(w if len(w) > 1 and w.isupper() else w.lower() for w in parts)
