"""Messages with entities that can be learnt."""

from __future__ import annotations

import numpy as np
from tests.adapt.tiny_backbones import FILLER

from payoff.data.annotations import Annotated, Span


def tagged_messages(n: int, *, seed: int = 0, longest: int = 8, chinese: bool = False) -> Annotated:
    """Distinct texts that name a code of letters and digits, or two words of a place, or neither.

    Args:
        n: How many.
        seed: Same seed, same texts.
        longest: Most words of a text, beside the entities.
        chinese: Without spaces, from Chinese characters.
    """
    rng = np.random.default_rng(seed)
    filler = list("请问一下这个那个吗呢了在哪里退款没有到") if chinese else FILLER
    places = (
        ["北京", "上海"] if chinese else ["juju", "koko"],
        list("市省") if chinese else ["city"],
    )
    between = "" if chinese else " "
    texts: dict[str, tuple[Span, ...]] = {}
    while len(texts) < n:
        pieces = [(str(word), "") for word in rng.choice(filler, int(rng.integers(3, longest)))]
        for label in ("CODE", "PLACE"):
            if rng.random() < 0.6:
                code = f"{rng.choice(['ti', 'xe'])}{rng.integers(100, 999)}"
                place = between.join(str(rng.choice(part)) for part in places)
                named = (code if label == "CODE" else place, label)
                pieces.insert(int(rng.integers(0, len(pieces) + 1)), named)
        text, spans = "", []
        for piece, label in pieces:
            text += between if text else ""
            if label:
                spans.append(Span(len(text), len(text) + len(piece), label))
            text += piece
        texts.setdefault(text, tuple(spans))
    return Annotated(tuple(texts), tuple(texts.values()))
