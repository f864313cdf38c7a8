"""The runtime of a model that somebody else serves: questions out, scores of labels back."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from payoff.artifact.runtime.answered_label import Answer, label_logits
from payoff.artifact.runtime.endpoint_client import EndpointClient
from payoff.artifact.runtime.endpoint_limits import EndpointLimits
from payoff.artifact.texts import check_texts
from payoff.artifact.tier import TierSpec
from payoff.core.errors import ArtifactError
from payoff.core.findings import Finding, Status

MEMBER = "endpoint.json"
_ROLES = {"system", "developer", "user", "assistant"}
_STRINGS = ("base_url", "model", "key_variable")
_KEYS = {"messages", "opening", "closing", "labels", "max_characters", "max_answer_tokens"}


@dataclass(frozen=True, slots=True)
class Question:
    """What an endpoint is asked about a text: the content of ``endpoint.json``.

    Args:
        messages: Chat before the text, as ``(role, content)``.
        opening: Before the text, in the user's message.
        closing: After it.
        labels: The labels as the model is told them, ``n_labels``.
        max_characters: Longest text; what is beyond is cut.
        max_answer_tokens: Longest answer.

    Raises:
        ArtifactError: PF504 where a value is not what it is called.

    Example:
        >>> question = Question((("system", "Sort."),), "", "", ("card", "refund"), 4000, 16)
        >>> question.about("where is it?")[-1]
        {'role': 'user', 'content': 'where is it?'}
    """

    messages: tuple[tuple[str, str], ...]
    opening: str
    closing: str
    labels: tuple[str, ...]
    max_characters: int
    max_answer_tokens: int

    def __post_init__(self) -> None:
        for role, content in self.messages:
            if not isinstance(role, str) or role not in _ROLES or not isinstance(content, str):
                raise _broken(f"a message of {str(role)[:40]!r}", "role and content of a chat")
        if not isinstance(self.opening, str) or not isinstance(self.closing, str):
            raise _broken("opening or closing is no text", "texts")
        if not self.labels or not all(isinstance(one, str) and one for one in self.labels):
            raise _broken(f"labels are {str(self.labels)[:60]}", "a list of names")
        for count in (self.max_characters, self.max_answer_tokens):
            if type(count) is not int or count < 1:
                raise _broken(f"a limit is {str(count)[:60]}", "a whole number from 1 on")

    def about(self, text: str) -> list[dict[str, str]]:
        """The chat that asks about a text."""
        asked = f"{self.opening}{text[: self.max_characters]}{self.closing}"
        before = [{"role": role, "content": content} for role, content in self.messages]
        return [*before, {"role": "user", "content": asked}]

    def as_dict(self) -> dict[str, Any]:
        """The content of ``endpoint.json``."""
        return {
            "messages": [list(message) for message in self.messages],
            "opening": self.opening,
            "closing": self.closing,
            "labels": list(self.labels),
            "max_characters": self.max_characters,
            "max_answer_tokens": self.max_answer_tokens,
        }

    @classmethod
    def from_json(cls, content: bytes) -> Question:
        """What `as_dict` gave, from JSON.

        Raises:
            ArtifactError: PF504.
        """
        try:
            found = json.loads(content)
            if set(found) != _KEYS:
                raise _broken(f"its keys are {str(sorted(found))[:100]}", ", ".join(sorted(_KEYS)))
            messages = tuple((role, said) for role, said in found.pop("messages"))
            labels = tuple(found.pop("labels"))
        except (ValueError, TypeError, RecursionError) as error:
            raise _broken(str(error)[:100], "a question as JSON") from error
        return cls(messages, labels=labels, **found)


class EndpointRuntime:
    """Scores of labels from an endpoint's answers.

    Args:
        client: Who asks.
        question: What is asked.

    Attributes:
        n_answers: Answers read so far.
        n_unparsed: Answers that named no label; their scores are uniform.
        n_unscored: Answers without probabilities of their tokens.

    Example:
        >>> runtime = EndpointRuntime.open(spec, read, n_labels=77)  # doctest: +SKIP
        >>> runtime.logits(["where is my card?"]).shape  # doctest: +SKIP
        (1, 77)
    """

    def __init__(self, client: EndpointClient, question: Question) -> None:
        self.client = client
        self.question = question
        self.n_answers = 0
        self.n_unparsed = 0
        self.n_unscored = 0
        self._lock = threading.Lock()

    @classmethod
    def open(
        cls,
        spec: TierSpec,
        read: Callable[[str], bytes],
        *,
        n_labels: int | None = None,
        threads: int = 0,
        file: Callable[[str], AbstractContextManager[Path]] | None = None,
    ) -> EndpointRuntime:
        """Make the tier ready; see `payoff.artifact.runtime.open_tier`. Nothing is asked yet.

        A cap in money, the price of a token and a rate are those that the environment states; see
        `payoff.artifact.runtime.endpoint_limits`.

        Raises:
            ArtifactError: PF504 where ``endpoint.json`` or a setting cannot be used.
            MachineError: PF803 without httpx; PF811 without a key that may be sent; PF817, PF801
                or PF802 where a cap that is stated cannot be held.
        """
        question = Question.from_json(read(MEMBER))
        if n_labels is not None and n_labels != len(question.labels):
            raise _broken(f"it has {len(question.labels)} labels", f"{n_labels}")
        found = {name: spec.settings.get(name) for name in _STRINGS}
        for name, value in found.items():
            if not isinstance(value, str) or not value:
                raise _broken(f"tier '{spec.name}', setting '{name}' is {value!r}", "a text")
        parallel = spec.settings.get("max_parallel", 4)
        if type(parallel) is not int or parallel < 1:
            raise _broken(f"tier '{spec.name}', max_parallel is {parallel!r}", "1 or more")
        limits = EndpointLimits.of()
        client = EndpointClient(
            str(found["base_url"]),
            str(found["model"]),
            key_variable=str(found["key_variable"]),
            max_parallel=parallel,
            budgets=limits.budgets(),
            price=limits.price,
            rate=limits.rate(str(found["base_url"])),
        )
        client.check()
        return cls(client, question)

    def answers(
        self, texts: Sequence[str], tell: Callable[[int], object] | None = None
    ) -> list[Answer]:
        """What the endpoint says of each text.

        Args:
            texts: ``n_texts`` of them.
            tell: Called with the number of requests done so far.

        Raises:
            DataError: PF105 where a text is unusable.
            MachineError: PF811 to PF817; see `EndpointClient.ask`.
        """
        check_texts(texts)
        return self.client.ask(
            [self.question.about(text) for text in texts],
            max_answer_tokens=self.question.max_answer_tokens,
            labels=self.question.labels,
            tell=tell,
        )

    def key_of(self, text: str) -> str:
        """What `PaidAnswers` keeps the answer about a text under."""
        asked = self.question
        return self.client.key_of(asked.about(text), asked.max_answer_tokens, asked.labels)

    def logits(
        self, texts: Sequence[str], tell: Callable[[int], object] | None = None
    ) -> npt.NDArray[np.float32]:
        """Uncalibrated scores, ``(n_texts, n_labels)``, in the caller's order.

        Raises:
            DataError: PF105 where a text is unusable.
            MachineError: PF811 to PF817; see `EndpointClient.ask`.
        """
        answers = self.answers(texts, tell)
        scores = np.empty((len(answers), len(self.question.labels)), np.float32)
        n_unparsed = 0
        for row, answer in enumerate(answers):
            scores[row], parsed = label_logits(answer, self.question.labels)
            n_unparsed += not parsed
        with self._lock:
            self.n_answers += len(answers)
            self.n_unparsed += n_unparsed
            self.n_unscored += sum(not answer.tokens for answer in answers)
        return scores

    def findings(self) -> list[Finding]:
        """Whether every answer so far named a label (PF819) and kept to its tokens (PF818)."""
        model, n_beyond = self.client.model, self.client.n_beyond
        counts = {
            ("PF818", "Every answer takes the tokens that it is allowed"): (
                n_beyond,
                f"{n_beyond:,} answers took more tokens than they were allowed; they are counted, "
                "and more is reserved for the next ones",
                "State a larger max_answer_tokens: the cap is sure only where none takes more.",
            ),
            ("PF819", "Every answer names one of the labels"): (
                self.n_unparsed,
                f"{self.n_unparsed:,} of {self.n_answers:,} answers "
                f"({self.n_unparsed / max(1, self.n_answers):.1%}) name no label; their scores "
                "are uniform",
                "Try another model, or tell it more: descriptions of the labels, or shots.",
            ),
        }
        return [
            Finding(code, title, Status.FAILED, f"{model}: {detail}", mend, n_affected=n)
            if n
            else Finding(code, title, Status.PASSED if self.n_answers else Status.NOT_CHECKED)
            for (code, title), (n, detail, mend) in counts.items()
        ]


def _broken(found: str, expected: str) -> ArtifactError:
    return ArtifactError("PF504", MEMBER, found, expected=expected)
