"""What the recipe `api` would ask about some texts, counted without asking anything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from payoff.adapt.backbones.find import find
from payoff.adapt.backbones.installation import installed
from payoff.adapt.backbones.tokenizer import load_tokenizer
from payoff.adapt.recipes.api import ApiAttempt
from payoff.artifact.runtime.label_schema import format_text
from payoff.artifact.runtime.request_options import TOKENS_A_MESSAGE, RequestOptions
from payoff.core.errors import BackboneError

_MARKS = 5  # of a message: <|im_start|>, the role, a line's end, <|im_end|>, a line's end (ChatML)
_AROUND_LABEL = '{"label": ""}'
_WAY = RequestOptions(strict=True)


@dataclass(frozen=True, slots=True)
class ApiJob:
    """Requests and tokens of a job, each request being answered at its first attempt.

    Args:
        n_texts: Texts that need an answer.
        n_questions: Different questions among them.
        n_kept: Questions whose answers are kept already.
        read: Tokens that the other questions have, as expected.
        read_at_most: From above.
        written: Tokens of their answers, as expected.
        written_at_most: From above.
        counted_by: The tokenizer that counted; empty where bytes were counted, which are at least
            as many as the tokens.

    Example:
        >>> ApiJob(10, 9, 4, 500, 700, 30, 60, counted_by="smollm2-135m").n_requests
        5
    """

    n_texts: int
    n_questions: int
    n_kept: int
    read: int
    read_at_most: int
    written: int
    written_at_most: int
    counted_by: str

    @property
    def n_requests(self) -> int:
        """Questions that would be asked."""
        return self.n_questions - self.n_kept


def job_of(attempt: ApiAttempt, texts: Sequence[str]) -> ApiJob:
    """Count what an attempt would ask about texts.

    Raises:
        BackboneError: PF301, PF303 or PF304 where the setting ``tokenizer`` names none that is
            there.

    Example:
        >>> job_of(Api().unasked(candidate, bench), bench.texts).n_requests  # doctest: +SKIP
        40
    """
    question = attempt.question
    missing: dict[str, str] = {}
    kept = set()
    for text in texts:
        most, labels = question.max_answer_tokens, question.labels
        key = attempt.client.key_of(question.about(text), most, labels)
        if attempt.paid.get(key) is None:
            missing[key] = text
        else:
            kept.add(key)
    name, count = _counter(attempt)
    labels = question.labels
    schema = count(format_text(labels))
    before = [content for _, content in question.messages]
    n_messages = len(before) + 1
    same = schema + sum(count(content) for content in before)
    own = [count(question.about(text)[-1]["content"]) for text in missing.values()]
    read = sum(own) + len(own) * (same + _MARKS * n_messages)
    asked = (question.about(text) for text in missing.values())
    most_read = sum(_WAY.most_read(messages, labels) for messages in asked)
    if name:
        around = TOKENS_A_MESSAGE * (n_messages + 1)
        most_read = min(most_read, sum(own) + len(own) * (same + around))
    each = count(_AROUND_LABEL) + sum(count(label) for label in labels) / len(labels)
    most_each = _WAY.most_written(question.max_answer_tokens)
    return ApiJob(
        n_texts=len(texts),
        n_questions=len(missing) + len(kept),
        n_kept=len(kept),
        read=min(read, most_read),
        read_at_most=most_read,
        written=round(len(own) * min(each, most_each)),
        written_at_most=len(own) * most_each,
        counted_by=name,
    )


def _counter(attempt: ApiAttempt) -> tuple[str, Callable[[str], int]]:
    """Who counts a text's tokens, and how; without a name where bytes are counted."""
    wanted, model = attempt.settings["tokenizer"], attempt.settings["model"]
    if wanted and (Path(wanted) / "tokenizer.json").is_file():
        folder = Path(wanted)
    else:
        try:
            backbone = find(wanted or model)
        except BackboneError:
            if wanted:
                raise
            return "", lambda text: len(text.encode())
        if not installed(backbone):
            if wanted:
                mend = f"Run: payoff backbones install {wanted}"
                raise BackboneError("PF303", wanted, "it is not installed", mend=mend)
            return "", lambda text: len(text.encode())
        folder = backbone.path
    tokenizer = load_tokenizer(folder)
    return wanted or model, lambda text: len(tokenizer.encode(text, add_special_tokens=False))
