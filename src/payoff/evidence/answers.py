"""Answers: how near what was said comes to what should have been said."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from payoff.core.errors import DataError
from payoff.core.extras import require

_SIGN = re.compile(r"[^\w\s]|_")
_IN_NUMBER = re.compile(r"(?<=\d).(?=\d)|(?<!\w)-(?=\d)|%")
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_SPACES = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_TOKEN = re.compile(rf"{_NO_SPACES.pattern}|(?:(?!{_NO_SPACES.pattern})[^\W_])+")


@dataclass(frozen=True, slots=True)
class AnswerQuality:
    """Figures over one set of questions.

    Args:
        n: Questions.
        exact_match: Share of the answers that equal the wanted ones once both are normalised,
            see `normalised`.
        rouge_1: Mean F-measure of the tokens that both have (Lin 2004, section 2), 0–1.
        rouge_l: Mean F-measure of their longest common subsequence (Lin 2004, section 3), 0–1.
        empty: Share of the answers that say nothing.
    """

    n: int
    exact_match: float
    rouge_1: float
    rouge_l: float
    empty: float

    def as_dict(self) -> dict[str, Any]:
        """The same figures as plain values."""
        return asdict(self)


def measure_answers(answers: Sequence[str], wanted: Sequence[str]) -> AnswerQuality:
    """Measure answers against those that people wrote.

    ROUGE is computed by the package rouge-score over the tokens of `tokenised`, without stemming.

    Args:
        answers: What was said, ``n``.
        wanted: What should have been said, ``n``.

    Raises:
        DataError: PF106 where there is no answer.
        MachineError: PF803 where rouge-score is not installed.
        ValueError: Where the numbers differ.

    Example:
        >>> quality = measure_answers(["In a week.", "No"], ["In one week", "no."])
        ... # doctest: +SKIP
        >>> quality.exact_match, round(quality.rouge_1, 3)  # doctest: +SKIP
        (0.5, 0.833)
    """
    if not len(wanted):
        raise DataError("PF106", "measurement", "there is no answer", expected="at least one")
    pairs = list(zip(answers, wanted, strict=True))
    library = require("rouge_score.rouge_scorer", "generate", "measuring ROUGE")
    scorer = library.RougeScorer(["rouge1", "rougeL"], tokenizer=_Tokens())
    scores = [scorer.score(own, said) for said, own in pairs]
    return AnswerQuality(
        n=len(pairs),
        exact_match=float(np.mean([normalised(said) == normalised(own) for said, own in pairs])),
        rouge_1=float(np.mean([score["rouge1"].fmeasure for score in scores])),
        rouge_l=float(np.mean([score["rougeL"].fmeasure for score in scores])),
        empty=float(np.mean([not said.strip() for said, _ in pairs])),
    )


def normalised(text: str) -> str:
    """A text without what does not change an answer.

    After Rajpurkar et al. 2016 (SQuAD, section 6.1): compatible characters are one (NFKC), case,
    punctuation, English articles and runs of white space go. In texts of scripts without spaces,
    white space goes altogether. What stands between digits, a minus before one and ``%`` stay,
    since they do change an answer.

    Example:
        >>> normalised("The  Card, please!"), normalised("退款 ５ 天内，到账。")
        ('card please', '退款5天内到账')
        >>> normalised("It is 1.5%.")
        'it is 1.5%'
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    plain = _SIGN.sub(_kept, folded)
    if _NO_SPACES.search(plain):
        return unicodedata.normalize("NFKC", "".join(plain.split()))  # an accent may have moved up
    return " ".join(_ARTICLES.sub(" ", plain).split())


def _kept(sign: re.Match[str]) -> str:
    """A sign, where it is more than punctuation."""
    is_punctuation = unicodedata.category(sign[0]).startswith("P")
    return sign[0] if not is_punctuation or _IN_NUMBER.match(sign.string, sign.start()) else ""


def tokenised(text: str) -> list[str]:
    """Words in lower case; each character for itself in scripts without spaces.

    Example:
        >>> tokenised("Don't pay 5 EUR"), tokenised("退款5天")
        (['don', 't', 'pay', '5', 'eur'], ['退', '款', '5', '天'])
    """
    return _TOKEN.findall(unicodedata.normalize("NFKC", text).casefold())


class _Tokens:
    """`tokenised` as rouge-score wants a tokenizer."""

    def tokenize(self, text: str) -> list[str]:
        return tokenised(text)
