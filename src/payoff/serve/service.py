"""What the addresses do with one model."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from payoff import __version__
from payoff.core.errors import PayoffError, ServiceError
from payoff.economics.actions import HANDOFF
from payoff.serve.bodies import DecideRequest
from payoff.serve.endpoints import asked_endpoints

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from payoff.economics.begun import Begun
    from payoff.economics.decision import Decision
    from payoff.economics.desk import Desk
    from payoff.learn.entry import Entry
    from payoff.learn.journal import Journal

Texts = Literal["none", "redacted", "whole"]
_NOT_IN_SUMMARY = ("reliability", "reliability_uncalibrated")


@dataclass(frozen=True, slots=True)
class Place:
    """A request's place in an experiment.

    Args:
        experiment: Its name; empty for none.
        arm: Whose decision it is.
        shadow: Whether the decision is only written down.
    """

    experiment: str = ""
    arm: str = ""
    shadow: bool = False


NO_PLACE = Place()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request gets.

    Args:
        asked: The request.
        decisions: One a text.
        probabilities: Of every label, ``(n_texts, n_labels)``.
        latency_ms: From its arrival to its decision.
        service: The version that decided.
        place: In an experiment.
    """

    asked: DecideRequest
    decisions: Sequence[Decision]
    probabilities: NDArray[np.float64]
    latency_ms: float
    service: Service
    place: Place = NO_PLACE

    @property
    def request_ids(self) -> list[str]:
        """What each decision is called in the journal."""
        own = self.asked.request_id
        single = self.asked.text is not None
        ids = [own] if single else [f"{own}/{number}" for number in range(len(self.decisions))]
        if not self.place.shadow:
            return ids
        from payoff.learn.experiments.assignment import shadow_id

        return [shadow_id(one) for one in ids]

    def as_dict(self) -> dict[str, Any]:
        """As `payoff.serve.bodies.DecideResponse` has it."""
        plain = [decision.as_dict() for decision in self.decisions]
        single = self.asked.text is not None
        return {
            "request_id": self.asked.request_id,
            "latency_ms": round(self.latency_ms, 3),
            **({"decision": plain[0]} if single else {"decisions": plain}),
        }


class Service:
    """Decides with one model and writes down what it decided; safe to use from several threads.

    Args:
        desk: What decides.
        journal: Where decisions are written before their answers leave; None keeps none.
        texts: What the journal keeps of the texts, for people to review and to learn from: nothing
            (``"none"``), all but personal data that can be verified (``"redacted"``), or all of it
            (``"whole"``).

    Example:
        >>> Service(load("support.payoff"), None).check()  # doctest: +SKIP
        False
    """

    def __init__(self, desk: Desk, journal: Journal | None, *, texts: Texts = "none") -> None:
        self.texts = texts
        self._desk = desk
        self._journal = journal

    @property
    def desk(self) -> Desk:
        """What decides."""
        return self._desk

    @property
    def journal(self) -> Journal | None:
        """Where it is written down."""
        return self._journal

    @property
    def name(self) -> str:
        """What people call the model."""
        return self._desk.name

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, sorted: ``(n_labels,)``."""
        return self._desk.labels

    @property
    def sha256(self) -> str:
        """Names the artifact, as in the journal."""
        return self._desk.artifact.sha256

    @property
    def reads_pairs(self) -> bool:
        """Whether its models were trained on pairs of texts."""
        return self._desk.reads_pairs

    def begin_all(self, requests: Sequence[tuple[DecideRequest, float]]) -> list[Answer | Begun]:
        """Decide on all texts of several requests together, as far as that goes without endpoints.

        Args:
            requests: Each with when it came, by `time.perf_counter`.

        Returns:
            The answer to each request; what is begun of it where it wants an endpoint.

        Raises:
            DataError: PF105 where a text is unusable.
        """
        texts = [text for asked, _ in requests for text in asked.first_texts]
        pairs = [pair for asked, _ in requests for pair in asked.second_texts or ()]
        segments = [segment for asked, _ in requests for segment in asked.all_segments]
        known = any(segment is not None for segment in segments)
        if pairs and len(pairs) != len(texts):  # some ask about pairs, some do not
            return [found for one in requests for found in self.begin_all([one])]
        begun = self._desk.begin(texts, pairs=pairs or None, segments=segments if known else None)
        if not (is_open := begun.is_open).any():
            return list(self._answers(requests, begun))
        ends = np.cumsum([len(asked.first_texts) for asked, _ in requests]).tolist()
        places = [range(start, end) for start, end in zip([0, *ends], ends, strict=False)]
        found: dict[int, Answer | Begun] = {
            number: begun.rows(own) for number, own in enumerate(places) if is_open[own].any()
        }
        now = [number for number in range(len(requests)) if number not in found]
        done = begun.rows([place for number in now for place in places[number]])
        found |= zip(now, self._answers([requests[number] for number in now], done), strict=True)
        return [found[number] for number in range(len(requests))]

    def finish(self, asked: DecideRequest, begin: float, begun: Begun) -> Answer:
        """The answer to a request that `begin_all` has begun; who was not asked yet is asked.

        Args:
            asked: The request.
            begin: When it came, by `time.perf_counter`.
            begun: What was said of it.

        Raises:
            MachineError: As `payoff.economics.desk.Desk.ask`.
        """
        return self._answers([(asked, begin)], begun)[0]

    def answer_all(self, requests: Sequence[tuple[DecideRequest, float]]) -> list[Answer]:
        """Decide on all texts of several requests, and wait for all; nothing is written down yet.

        Args:
            requests: Each with when it came, by `time.perf_counter`.

        Raises:
            DataError: PF105 where a text is unusable.
            MachineError: As `finish`.
        """
        begun = zip(requests, self.begin_all(requests), strict=True)
        return [
            found if isinstance(found, Answer) else self.finish(*request, found)
            for request, found in begun
        ]

    def _answers(
        self, requests: Sequence[tuple[DecideRequest, float]], begun: Begun
    ) -> list[Answer]:
        decisions, probabilities = self._desk.finish(begun)
        answers, start = [], 0
        for asked, begin in requests:
            end = start + len(asked.first_texts)
            latency_ms = (time.perf_counter() - begin) * 1e3
            own = decisions[start:end], probabilities[start:end]
            answers.append(Answer(asked, *own, latency_ms, self))
            start = end
        return answers

    def write_down(self, answers: Sequence[Answer]) -> None:
        """Write decisions to the journal, all or none; they are on the disk when this returns.

        Raises:
            ServiceError: PF703 to PF706 and PF709 where they cannot be written.
        """
        if self._journal is None:
            return
        entries = [entry for answer in answers for entry in self._entries(answer)]
        texts: dict[str, str] = {}
        if self.texts != "none":
            for answer in (one for one in answers if not one.place.shadow):
                texts |= zip(answer.request_ids, answer.asked.all_texts, strict=True)
        if self.texts == "redacted":
            from payoff.data.personal import redact

            texts = {request_id: redact(text) for request_id, text in texts.items()}
        self._journal.append(entries, texts=texts)

    def _entries(self, answer: Answer) -> list[Entry]:
        from payoff.learn.entry import Entry, customer_hash, packed_probabilities, text_hash

        assert self._journal is not None
        customer = customer_hash(answer.asked.customer or "", self._journal.salt)
        return [
            Entry(
                request_id=request_id,
                artifact_sha256=self._desk.artifact.sha256,
                text_sha256=text_hash(text, decision.segment),
                action=decision.action,
                label=decision.label,
                probability=decision.probability,
                worth=float(decision.worth),
                currency=decision.worth.currency,
                latency_ms=answer.latency_ms,
                customer=customer,
                segment=decision.segment,
                tier=decision.tier,
                cost=0.0 if decision.cost is None else float(decision.cost),
                experiment=answer.place.experiment,
                arm=answer.place.arm,
                probabilities=packed_probabilities(row),
            )
            for request_id, text, decision, row in zip(
                answer.request_ids,
                answer.asked.all_texts,
                answer.decisions,
                answer.probabilities,
                strict=True,
            )
        ]

    def decide(self, asked: DecideRequest, begin: float) -> dict[str, Any]:
        """Decide on one request and write it down, as `payoff.serve.bodies.DecideResponse` has it.

        Args:
            asked: The request.
            begin: When it came, by `time.perf_counter`.

        Raises:
            DataError: PF105 where a text is unusable.
            ServiceError: PF703 to PF706 and PF709 where it cannot be written down.
        """
        (answer,) = self.answer_all([(asked, begin)])
        self.write_down([answer])
        return answer.as_dict()

    def check(self) -> bool:
        """Whether decisions are written down, once it is known that all works.

        Raises:
            ServiceError: PF710 where it does not.
        """
        try:
            self._desk.artifact.runtime()
            if self._journal is not None:
                self._journal.check()
        except PayoffError as error:
            raise ServiceError("PF710", "service", str(error), mend="See the journal.") from error
        return self._journal is not None

    def facts(self) -> dict[str, Any]:
        """What the model is."""
        desk, artifact = self._desk, self._desk.artifact
        states = {
            tier: {"breaker": client.breaker.state}
            for tier, client in asked_endpoints(desk)
            if client.breaker is not None
        }
        return {
            "name": desk.name,
            "labels": list(desk.labels),
            "actions": [*desk.labels, HANDOFF],
            "currency": desk.currency,
            "sha256": artifact.sha256,
            "size_bytes": artifact.size_bytes,
            "tiers": [
                {"name": tier.name, "kind": tier.kind, **states.get(tier.name, {})}
                for tier in artifact.tiers
            ],
            "created_by": dict(artifact.manifest.created_by),
            "payoff": __version__,
        }

    def measured(self) -> dict[str, Any]:
        """What was measured when it was made."""
        evidence = self._desk.evidence
        return {"evidence": {k: v for k, v in evidence.items() if k not in _NOT_IN_SUMMARY}}
