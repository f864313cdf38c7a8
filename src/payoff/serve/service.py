"""What the addresses do with one model."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from payoff import __version__
from payoff.core.errors import PayoffError, ServiceError
from payoff.economics.actions import HANDOFF
from payoff.serve.bodies import DecideRequest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from payoff.economics.decision import Decision
    from payoff.economics.desk import Desk
    from payoff.learn.journal import Journal

_NOT_IN_SUMMARY = ("reliability", "reliability_uncalibrated")


class Service:
    """Decides with one model and writes down what it decided; safe to use from several threads.

    Args:
        desk: What decides.
        journal: Where decisions are written before their answers leave; None keeps none.

    Example:
        >>> Service(load("support.payoff"), None).check()  # doctest: +SKIP
        False
    """

    def __init__(self, desk: Desk, journal: Journal | None) -> None:
        self._desk = desk
        self._journal = journal

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

    def decide(self, asked: DecideRequest, begin: float) -> dict[str, Any]:
        """The answer to a request, as `payoff.serve.bodies.DecideResponse` has it.

        Args:
            asked: The request.
            begin: When it came, by `time.perf_counter`.

        Raises:
            DataError: PF105 where a text is unusable.
            ServiceError: PF703 to PF706 and PF709 where it cannot be written down.
        """
        if asked.text is not None:
            decisions = [self._desk.decide(asked.text, pair=asked.pair, segment=asked.segment)]
        else:
            decisions = self._desk.decide_many(
                asked.texts or (), pairs=asked.pairs, segments=asked.segments
            )
        latency_ms = (time.perf_counter() - begin) * 1e3
        self._write_down(asked, decisions, latency_ms)
        plain = [decision.as_dict() for decision in decisions]
        answer = {"decision": plain[0]} if asked.text is not None else {"decisions": plain}
        return {"request_id": asked.request_id, "latency_ms": round(latency_ms, 3), **answer}

    def decide_fully(
        self, asked: DecideRequest, begin: float
    ) -> tuple[list[Decision], NDArray[np.float64]]:
        """`decide` for a request of several texts, with the probability of every label.

        Returns:
            The decisions, and the probabilities ``(n_texts, n_labels)``.
        """
        decisions, probabilities = self._desk.decide_fully(
            asked.texts or (), pairs=asked.pairs, segments=asked.segments
        )
        self._write_down(asked, decisions, (time.perf_counter() - begin) * 1e3)
        return decisions, probabilities

    def _write_down(
        self, asked: DecideRequest, decisions: Sequence[Decision], latency_ms: float
    ) -> None:
        if self._journal is None:
            return
        from payoff.learn.entry import Entry, text_hash

        single = asked.text is not None
        decided = zip(asked.all_texts, decisions, strict=True)
        self._journal.append(
            [
                Entry(
                    request_id=asked.request_id if single else f"{asked.request_id}/{number}",
                    artifact_sha256=self._desk.artifact.sha256,
                    text_sha256=text_hash(text, decision.segment),
                    action=decision.action,
                    label=decision.label,
                    probability=decision.probability,
                    worth=float(decision.worth),
                    currency=decision.worth.currency,
                    latency_ms=latency_ms,
                )
                for number, (text, decision) in enumerate(decided)
            ]
        )

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
        return {
            "name": desk.name,
            "labels": list(desk.labels),
            "actions": [*desk.labels, HANDOFF],
            "currency": desk.currency,
            "sha256": artifact.sha256,
            "size_bytes": artifact.size_bytes,
            "tiers": [{"name": tier.name, "kind": tier.kind} for tier in artifact.tiers],
            "created_by": dict(artifact.manifest.created_by),
            "payoff": __version__,
        }

    def measured(self) -> dict[str, Any]:
        """What was measured when it was made."""
        evidence = self._desk.evidence
        return {"evidence": {k: v for k, v in evidence.items() if k not in _NOT_IN_SUMMARY}}
