"""Answers that were paid for, kept so that none is paid for twice."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from payoff.artifact.runtime.answered_label import Answer
from payoff.core.files import disk_errors, to_json

FILE = "answers.jsonl"


class PaidAnswers:
    """Answers by the hash of their question, a line each in ``answers.jsonl``.

    An answer is on disk before it is used; a line that a killed process left unfinished is
    passed over. The questions themselves are not kept.

    Args:
        folder: Where to keep them; None to keep them in memory only.

    Example:
        >>> paid = PaidAnswers()
        >>> key = question_key("https://one/v1", "small", [{"role": "user", "content": "hi"}])
        >>> paid.keep(key, Answer("refund"))
        >>> paid.get(key).text, len(paid)
        ('refund', 1)
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._path = None if folder is None else folder / FILE
        self._lock = threading.Lock()
        self._answers: dict[str, Answer] = {}
        self._torn = False
        if self._path is not None and self._path.exists():
            content = self._path.read_bytes()
            self._torn = bool(content) and not content.endswith(b"\n")
            self._answers |= _read(content)

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, key: str) -> Answer | None:
        """The answer, or None."""
        return self._answers.get(key)

    def items(self) -> list[tuple[str, Answer]]:
        """All answers, with the hashes of their questions."""
        with self._lock:
            return list(self._answers.items())

    def keep(self, key: str, answer: Answer) -> None:
        """Add an answer.

        Raises:
            MachineError: PF801 on a full disk.
        """
        with self._lock:
            if self._path is not None and key not in self._answers:
                self._append(key, answer)
            self._answers[key] = answer

    def _append(self, key: str, answer: Answer) -> None:
        assert self._path is not None
        line = _line(key, answer)
        with disk_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab") as file:
                file.write(b"\n" * self._torn + line)
                file.flush()
                os.fsync(file.fileno())
        self._torn = False

    def lines(self, keys: Iterable[str]) -> bytes:
        """Some of the answers as the content of a file that `learn` reads."""
        return b"".join(_line(key, self._answers[key]) for key in sorted(set(keys)))

    def learn(self, content: bytes) -> None:
        """Take over what `lines` gave; nothing is written."""
        with self._lock:
            self._answers = _read(content) | self._answers


def question_key(
    base_url: str,
    model: str,
    messages: Any,
    max_answer_tokens: int = 0,
    labels: Sequence[str] = (),
) -> str:
    """SHA-256 of everything that the answer depends on.

    Example:
        >>> len(question_key("https://one/v1", "small", []))
        64
    """
    asked = {"base_url": base_url, "model": model, "messages": messages, "most": max_answer_tokens}
    if labels:
        asked["labels"] = list(labels)
    return hashlib.sha256(to_json(asked).encode()).hexdigest()


def _line(key: str, answer: Answer) -> bytes:
    content = {"key": key, "answer": answer.as_dict()}
    return (json.dumps(content, ensure_ascii=False, sort_keys=True) + "\n").encode()


def _read(content: bytes) -> dict[str, Answer]:
    answers = {}
    for line in content.splitlines():
        try:
            entry = json.loads(line)
            answers[str(entry["key"])] = Answer.from_dict(entry["answer"])
        except (ValueError, KeyError, TypeError):
            continue  # cut off when the process was killed
    return answers
