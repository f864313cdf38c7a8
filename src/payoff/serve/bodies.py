"""What goes in and comes out over HTTP."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from payoff.core.errors import PayoffError, ServiceError, raise_all
from payoff.core.pair import SIGN

if TYPE_CHECKING:
    from fastapi import Request

_MOST_PROBLEMS = 20
_MOST_BODY_BYTES = 16_000_000
_ENVELOPE_BYTES = 65_536
_VALUES_EACH = 16  # values of JSON beside a text: its pair, its segment, all that feedback says
_ENVELOPE_VALUES = 1_000
_ANYTHING: TypeAdapter[Any] = TypeAdapter(Any)

BODY_S = 30.0
"""Seconds in which the body of a request has to be there."""

_Body = TypeVar("_Body", bound=BaseModel)

RequestId = Annotated[str, Field(min_length=1, max_length=150, pattern=r"^[A-Za-z0-9._:-]+$")]


def _new_id() -> str:
    return uuid.uuid4().hex


class DecideRequest(BaseModel):
    """One text or several, or pairs of texts.

    Args:
        text: A text to decide on. Give this or ``texts``.
        texts: Texts to decide on, answered in the same order.
        pair: The second text beside ``text``, for a model that was trained on pairs.
        pairs: The second texts beside ``texts``, as many.
        segment: Segment of the customer beside ``text``, where requests are not worth the same to
            all; unknown ones are worth what requests are in general.
        segments: The segments beside ``texts``, as many; null for those that are not known.
        customer: Who asks, as the caller names it; the journal keeps a hash of it. In an experiment
            a customer is always answered by the same version.
        within_ms: The answer is wanted within so many milliseconds, or not at all.
        model: Name of the model that decides; the first of the service where none is given.
        request_id: Names the request for ever: sent again with the same text, it is written to
            the journal once. One is made where none is given.

    Example:
        >>> DecideRequest(text="where is my card?").all_texts
        ['where is my card?']
    """

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"text": "someone used my card in Lisbon"}]},
    )

    text: str | None = None
    texts: list[str] | None = None
    pair: str | None = None
    pairs: list[str] | None = None
    segment: str | None = None
    segments: list[str | None] | None = None
    customer: Annotated[str, Field(max_length=1000)] | None = None
    within_ms: Annotated[float, Field(gt=0)] | None = None
    model: str | None = None
    request_id: RequestId = Field(default_factory=_new_id)

    @model_validator(mode="after")
    def _one_of_both(self) -> DecideRequest:
        if (self.text is None) == (self.texts is None):
            raise ValueError("give 'text' or 'texts', and not both")
        alone = self.pair is not None and self.text is None
        if alone or (self.pairs is not None and self.texts is None):
            raise ValueError("'pair' goes with 'text', and 'pairs' with 'texts'")
        if self.pairs is not None and len(self.pairs) != len(self.texts or ()):
            raise ValueError("give as many 'pairs' as 'texts'")
        alone = self.segment is not None and self.text is None
        if alone or (self.segments is not None and self.texts is None):
            raise ValueError("'segment' goes with 'text', and 'segments' with 'texts'")
        if self.segments is not None and len(self.segments) != len(self.texts or ()):
            raise ValueError("give as many 'segments' as 'texts'")
        return self

    @property
    def first_texts(self) -> list[str]:
        """The text, or the texts; the first ones of pairs."""
        return [self.text] if self.text is not None else list(self.texts or ())

    @property
    def second_texts(self) -> list[str] | None:
        """The second ones of pairs, as many; None where there are none."""
        return [self.pair] if self.pair is not None else self.pairs

    @property
    def all_texts(self) -> list[str]:
        """The text, or the texts; each pair joined by U+001F."""
        second = self.second_texts
        if second is None:
            return self.first_texts
        return [a + SIGN + b for a, b in zip(self.first_texts, second, strict=True)]

    @property
    def all_segments(self) -> list[str | None]:
        """The segment of each text."""
        if self.text is not None:
            return [self.segment]
        return list(self.segments or [None] * len(self.texts or ()))


class WorthBody(BaseModel):
    """Money: the expected worth of the action, or what asking the models cost."""

    amount: float
    currency: str


class AlternativeBody(BaseModel):
    """A label and its probability."""

    label: str
    probability: float


class DecisionBody(BaseModel):
    """What to do with one text; ``action`` is a label or ``"handoff"``.

    ``tier`` and ``cost`` are there where several models are asked one after the other, and
    ``segment`` where the worth of that segment's own requests decided.
    """

    action: str
    label: str
    probability: float
    worth: WorthBody
    alternatives: list[AlternativeBody]
    tier: str | None = None
    cost: WorthBody | None = None
    segment: str | None = None


class DecideResponse(BaseModel):
    """``decision`` for a ``text``, ``decisions`` for ``texts``."""

    request_id: str
    latency_ms: float
    decision: DecisionBody | None = None
    decisions: list[DecisionBody] | None = None


class ErrorFacts(BaseModel):
    """What went wrong and how to mend it."""

    code: str
    where: str
    found: str
    expected: str
    mend: str


class ErrorResponse(BaseModel):
    """Every answer that is no success."""

    error: ErrorFacts


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may hold.

    Args:
        max_texts: Texts.
        max_text_bytes: UTF-8 bytes of one text.

    Example:
        >>> Limits(max_texts=1, max_text_bytes=1000).body_bytes
        67536
    """

    max_texts: int = 256
    max_text_bytes: int = 100_000

    @property
    def body_bytes(self) -> int:
        """Bytes of the body."""
        # A character of JSON may take twice the bytes of the text it stands for (\uXXXX).
        return min(2 * self.max_texts * self.max_text_bytes + _ENVELOPE_BYTES, _MOST_BODY_BYTES)

    @property
    def body_values(self) -> int:
        """Values in the JSON of the body: far more than any request needs."""
        return _VALUES_EACH * self.max_texts + _ENVELOPE_VALUES

    def check(self, texts: Sequence[str]) -> None:
        """Refuse too many texts, or too long a one.

        Raises:
            ServiceError: PF702.
        """
        if len(texts) > self.max_texts:
            raise too_large(f"{len(texts):,} texts", f"at most {self.max_texts:,}", "body.texts")
        for number, text in enumerate(texts, 1):
            size_bytes = len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
            if size_bytes > self.max_text_bytes:
                raise too_large(
                    f"text {number} has {size_bytes:,} bytes",
                    f"at most {self.max_text_bytes:,}",
                    "body",
                )


async def read_body(request: Request, max_bytes: int, *, within_s: float = BODY_S) -> bytes:
    """The body, refused as soon as it is known to be too large or too slow.

    Raises:
        ServiceError: PF702 where it is larger than ``max_bytes``; PF715 where it is not there after
            ``within_s`` seconds.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > max_bytes:
        raise too_large(f"{int(announced):,} bytes", f"at most {max_bytes:,} bytes", "body")
    body = bytearray()
    try:
        async with asyncio.timeout(within_s):
            async for chunk in request.stream():
                body += chunk
                if len(body) > max_bytes:
                    raise too_large("more bytes", f"at most {max_bytes:,} bytes", "body")
    except TimeoutError as error:
        found = f"{len(body):,} bytes came in {within_s:g} s"
        raise ServiceError("PF715", "body", found, expected="all of it") from error
    return bytes(body)


def parse(body: bytes, limits: Limits) -> DecideRequest:
    """The request in a body, with every problem of its shape told at once.

    Raises:
        ServiceError: PF701 where it is malformed; PF702 where it holds too many texts or too
            long a one. `Problems` where there are several.

    Example:
        >>> parse(b'{"text": 1}', Limits())
        Traceback (most recent call last):
        ...
        payoff.core.errors.ServiceError: PF701 body.text: Input should be a valid string.\
 See /docs for the schema.
    """
    parsed = read_json(DecideRequest, body, limits)
    limits.check(parsed.all_texts)
    return parsed


def read_json(kind: type[_Body], body: bytes, limits: Limits) -> _Body:
    """A body as what it should be.

    Raises:
        ServiceError: PF701 where it is malformed; PF702 where it holds more values than any request
            may. `Problems` where there are several.
    """
    _refuse_crowds(body, limits.body_values)
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        raise_all(malformed(entry) for entry in error.errors()[:_MOST_PROBLEMS])
        raise


def _refuse_crowds(body: bytes, most: int) -> None:
    """Refuse a crowd of values before each is looked at: each that is wrong takes a kilobyte.

    Raises:
        ServiceError: PF702.
    """
    if body.count(b",") <= most:  # so there are not many more values either
        return
    try:
        left = [_ANYTHING.validate_json(body)]
    except ValueError:
        return  # it is told what is wrong with it
    n = 1
    while left:
        value = left.pop()
        if isinstance(value, list | dict):
            n += len(value)
            if n > most:
                raise too_large(f"more than {most:,} values", f"at most {most:,}", "body")
            left += value.values() if isinstance(value, dict) else value


def malformed(entry: Any) -> PayoffError:
    """One of pydantic's problems as PF701."""
    where = ".".join(["body", *(str(part) for part in entry["loc"])])
    return ServiceError("PF701", where[:200], entry["msg"][:300], mend="See /docs for the schema.")


def too_large(found: str, expected: str, where: str) -> ServiceError:
    """PF702."""
    return ServiceError("PF702", where, found, expected=expected, mend="Split the request.")
