"""The desk: an artifact and its policy, answering requests. No torch from here on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.artifact.artifact import Artifact
from payoff.artifact.runtime.threads import physical_cores
from payoff.artifact.texts import check_request, check_texts
from payoff.core.errors import ArtifactError, DataError, MachineError, PayoffError
from payoff.core.money import Money
from payoff.core.pair import joined_pairs
from payoff.economics.begun import Begun
from payoff.economics.cascades.cascade_policy import ANSWERED, Answered, CascadePolicy
from payoff.economics.decision import Decision
from payoff.economics.outages import Outages
from payoff.economics.policy import Policy
from payoff.economics.value_tables import Segments, segment_names

POLICY = "policy.json"
CASCADE = "cascade"
"""Key of the cascade in ``policy.json``."""
EVIDENCE = "evidence.json"


class Desk:
    """Decides on requests: what each is, what to do with it, and what that is worth.

    Safe to use from several threads. `load` opens one. It keeps no books: where one of its models
    is an endpoint, whoever asks books what it charges, as the service and the verbs do; in Python,
    `payoff.plan.booked_answers.booked_answers` around the calls.

    Args:
        artifact: The models and their calibration.
        policy: What is worth what, for the artifact's labels in their order.
        currency: Of the policy's values.
        cascade: When to ask the next of the artifact's models; None where the last one answers
            all requests.

    Attributes:
        name: What people call it: its artifact's name. A service gives a further version the name
            of the model that it is a version of.
        keeps_answering: Whether a model before an endpoint answers where that cannot be asked. A
            service sets it; who measures leaves it, so that no other model is measured unseen.
        on_asked: Told of every model that was asked, in the thread that asks: its name, about how
            many texts, when that began (`time.perf_counter`), and the code of the error if any.

    Raises:
        ArtifactError: PF504 where the policy is for other labels or the cascade for other models.

    Example:
        >>> desk = load("support.payoff")  # doctest: +SKIP
        >>> desk.decide("someone used my card in Lisbon").action  # doctest: +SKIP
        'card_stolen'
    """

    def __init__(
        self,
        artifact: Artifact,
        policy: Policy,
        currency: str,
        *,
        cascade: CascadePolicy | None = None,
    ) -> None:
        if policy.labels != artifact.labels:
            raise ArtifactError(
                "PF504",
                f"{artifact.path} [{POLICY}]",
                "the policy is for other labels than the model",
                expected=", ".join(artifact.labels[:10]),
            )
        if cascade is not None:
            _check_cascade(cascade, artifact)
        self.artifact = artifact
        self.name = artifact.name
        self.policy = policy
        self.cascade = cascade
        self.keeps_answering = False
        self.on_asked: Callable[[str, int, float, str], object] | None = None
        self._outages = Outages()
        self.currency = Money.of(0, currency).currency

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, sorted: ``(n_labels,)``."""
        return self.artifact.labels

    @property
    def threads(self) -> int:
        """Threads a model may use."""
        return self.artifact.threads or physical_cores()

    @property
    def evidence(self) -> dict[str, Any]:
        """What was measured when it was made; empty where the artifact says nothing of it."""
        if EVIDENCE not in self.artifact.documents:
            return {}
        content = self.artifact.read_json(EVIDENCE)
        return dict(content) if isinstance(content, dict) else {"evidence": content}

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Calibrated probabilities, ``(n_texts, n_labels)``, columns in the order of `labels`.

        In a cascade those of the model that answers each text.

        Raises:
            DataError: PF105 where a text is unusable.
        """
        return self.answered(texts).probabilities

    def answered(self, texts: Sequence[str], segments: Segments | None = None) -> Answered:
        """Which model answers each text, what it says, and what asking cost.

        Args:
            texts: The texts.
            segments: Segment of the customer of each, ``(n_texts,)``; None where none is known.

        Raises:
            DataError: PF105 where a text is unusable.
            MachineError: PF811 to PF817, PF820 and PF821 where an endpoint cannot be asked, and no
                model before it is to answer.
        """
        check_texts(texts)
        return self.ask(self._nothing_of(texts, segments)).answered

    def _nothing_of(self, texts: Sequence[str], segments: Segments | None) -> Begun:
        first = 0 if self.cascade is not None else len(self.artifact.tiers) - 1
        return Begun.of_texts(texts, segments, n_labels=len(self.labels), first=first)

    def _asked(self, begun: Begun, *, endpoints: bool) -> Begun:
        """The same, with what those models say that the texts want to be asked."""
        if not begun.is_open.any():
            return begun
        if self.cascade is None:
            last = len(self.artifact.tiers) - 1
            if not endpoints and self._is_endpoint(last):
                return begun
            said = self._said(last, begun.texts)
            answered = Answered(said, np.full(len(said), last), np.zeros(len(said)))
            return replace(begun, answered=answered, wanted=np.full(len(said), ANSWERED))

        def ask(tier: int, rows: NDArray[np.int64]) -> NDArray[np.float64] | None:
            try:
                said = self._said(tier, [begun.texts[row] for row in rows])
            except MachineError as error:
                if not (self.keeps_answering and tier and self._is_endpoint(tier)):
                    raise
                self._outages.tell(self.artifact.tiers[tier].name, error.code, str(error))
                return None
            self._outages.tell(self.artifact.tiers[tier].name)
            return said

        numbers = range(len(self.artifact.tiers))
        before = None if endpoints else next(filter(self._is_endpoint, numbers), None)
        so_far, own = (begun.answered, begun.wanted), begun.segments
        answered, wanted = self.cascade.go_on(
            self.policy, *so_far, ask=ask, segments=own, before=before
        )
        return replace(begun, answered=answered, wanted=wanted)

    def _said(self, tier: int, texts: Sequence[str]) -> NDArray[np.float64]:
        """What one model says; whoever wants to know is told that it was asked."""
        if self.on_asked is None:
            return self.artifact.probabilities(texts, tier=tier)
        begun, code = time.perf_counter(), ""
        try:
            return self.artifact.probabilities(texts, tier=tier)
        except PayoffError as error:
            code = error.code
            raise
        finally:
            self.on_asked(self.artifact.tiers[tier].name, len(texts), begun, code)

    def _is_endpoint(self, tier: int) -> bool:
        return self.artifact.tiers[tier].kind == "endpoint"

    @property
    def reads_pairs(self) -> bool:
        """Whether its models were trained on pairs of texts."""
        return all(tier.settings.get("separator") for tier in self.artifact.tiers)

    def decide(self, text: str, *, pair: str | None = None, segment: str | None = None) -> Decision:
        """The action of highest expected worth for one text, or for a pair of texts.

        Args:
            text: The text; the first one of a pair.
            pair: The second one, for models that were trained on pairs.
            segment: Segment of the customer. Where its requests have no worth of their own, it is
                decided by that of requests in general, and the decision names no segment.

        Raises:
            DataError: PF105 where the text is empty, holds NUL or is longer than 1 MB; where
                there is a pair, and the models read single texts or a text holds U+001F.
        """
        if pair is not None:
            text = self._joined([text], [pair])[0]
        check_request(text)
        return self.finish(self._begun([text], [segment]))[0][0]

    def decide_many(
        self,
        texts: Sequence[str],
        *,
        pairs: Sequence[str] | None = None,
        segments: Sequence[str | None] | None = None,
    ) -> list[Decision]:
        """`decide` for ``(n_texts,)``, in the same order, much faster than one by one.

        Args:
            texts: The texts; the first ones of pairs.
            pairs: The second ones, as many.
            segments: Segments of the customers, as many; None for those that are not known.

        Raises:
            DataError: PF105 for the first text that is unusable, counted from 1; PF112 where
                there are more texts than second ones or segments, or fewer.
        """
        return self.decide_fully(texts, pairs=pairs, segments=segments)[0]

    def decide_fully(
        self,
        texts: Sequence[str],
        *,
        pairs: Sequence[str] | None = None,
        segments: Sequence[str | None] | None = None,
    ) -> tuple[list[Decision], NDArray[np.float64]]:
        """`decide_many` with the probability of every label, ``(n_texts, n_labels)``.

        A decision names the most probable labels only. The probabilities are those that it was
        made with: calibrated, and shifted where the policy says that the mix of requests has.

        Raises:
            DataError: As `decide_many`.
        """
        return self.finish(self.begin(texts, pairs=pairs, segments=segments))

    def begin(
        self,
        texts: Sequence[str],
        *,
        pairs: Sequence[str] | None = None,
        segments: Sequence[str | None] | None = None,
    ) -> Begun:
        """`decide_fully` as far as that goes without an endpoint; `ask` and `finish` do the rest.

        Raises:
            DataError: As `decide_many`.
        """
        check_texts(texts)
        if pairs is not None:
            texts = self._joined(texts, pairs)
        for number, text in enumerate(texts, 1):
            check_request(text, f"text {number}")
        if segments is not None and len(segments) != len(texts):
            raise DataError(
                "PF112",
                self.name,
                f"{len(segments)} segments for {len(texts)} texts",
                expected="one segment a text, or none at all",
            )
        return self._begun(texts, segments)

    def ask(self, begun: Begun) -> Begun:
        """Ask whatever models the texts want yet, endpoints too; then all are answered.

        Raises:
            MachineError: As `answered`.
        """
        return self._asked(begun, endpoints=True)

    def finish(self, begun: Begun) -> tuple[list[Decision], NDArray[np.float64]]:
        """The decisions and probabilities of `decide_fully` for what was begun.

        Raises:
            MachineError: As `ask`.
        """
        tiers = () if self.cascade is None else self.cascade.tiers
        return self.ask(begun).decisions(self.policy, self.currency, tiers)

    def _joined(self, texts: Sequence[str], pairs: Sequence[str]) -> list[str]:
        """Each text with its second one."""
        check_texts(texts)
        check_texts(pairs)
        return joined_pairs(texts, pairs, self.name, reads_pairs=self.reads_pairs)

    def _begun(self, texts: Sequence[str], segments: Sequence[str | None] | None) -> Begun:
        own = self.policy.segment_values
        names = [one if one in own else "" for one in segments or [""] * len(texts)]
        return self._asked(self._nothing_of(texts, segment_names(names)), endpoints=False)

    def close(self) -> None:
        """Let the models go."""
        self.artifact.close()

    def __enter__(self) -> Desk:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        tiers = ", ".join(tier.name for tier in self.artifact.tiers)
        return f"Desk({self.name!r}: {len(self.labels)} labels, {tiers}, {self.currency})"


def load(path: str | Path, *, threads: int = 0, trusted_keys: Path | None = None) -> Desk:
    """Open an artifact, with its models made ready, so that the first answer is fast too.

    Args:
        path: A ``NAME.payoff`` file, or the same as a folder.
        threads: Threads a model may use; 0 takes the physical cores this process may use.
        trusted_keys: A public key in PEM, or a folder of them, one of which must have signed it;
            None takes the environment's ``PAYOFF_TRUSTED_KEYS``, if that is set.

    Raises:
        ArtifactError: PF501 where there is none, PF502 where it was altered, PF503 where it is of
            a newer format, PF504 where a part of it does not work or it holds no policy; PF508
            where no trusted key has signed it, PF509 where such a key cannot be used.
        MachineError: PF817 where the environment caps the money of an endpoint among its models
            and nobody knows what a token costs there.

    Example:
        >>> load("support.payoff").decide("where is my card?").action  # doctest: +SKIP
        'card_arrival'
    """
    artifact = Artifact.open(path, threads=threads, trusted_keys=trusted_keys)
    try:
        document = artifact.read_json(POLICY)
        currency = document.get("currency") if isinstance(document, dict) else None
        if not isinstance(currency, str):
            raise ArtifactError(
                "PF504", f"{path} [{POLICY}]", "it names no currency", expected='"currency": "USD"'
            )
        section = document.get(CASCADE)
        cascade = None if section is None else CascadePolicy.from_dict(section)
        desk = Desk(artifact, Policy.from_dict(document), currency, cascade=cascade)
        artifact.warm()
        _price_endpoints(artifact)
    except BaseException:
        artifact.close()
        raise
    return desk


def _price_endpoints(artifact: Artifact) -> None:
    """Tell models that somebody else serves what their tokens cost today, for a cap in money."""
    for client in artifact.endpoints():
        from payoff.economics.endpoint_price import price_client

        price_client(client, on=datetime.now(UTC).date())


def policy_document(
    policy: Policy, currency: str, *, cascade: CascadePolicy | None = None
) -> Mapping[str, Any]:
    """What an artifact keeps as ``policy.json``: the policy and the currency of its values.

    Args:
        policy: What is worth what.
        currency: Of its values.
        cascade: When to ask the next of several models; None where the last one answers all.

    Raises:
        EconomicsError: PF610 where that is no currency.

    Example:
        >>> policy_document(Policy(("a", "b"), np.eye(2, 3)), "USD")["currency"]
        'USD'
    """
    document = {**policy.to_dict(), "currency": Money.of(0, currency).currency}
    return document if cascade is None else document | {CASCADE: cascade.to_dict()}


def _check_cascade(cascade: CascadePolicy, artifact: Artifact) -> None:
    """Refuse a cascade of other models or labels than the artifact's."""
    names = tuple(tier.name for tier in artifact.tiers)
    n_labels = {len(gain.offsets) for gain in cascade.gains} or {len(artifact.labels)}
    if cascade.tiers != names or n_labels != {len(artifact.labels)}:
        raise ArtifactError(
            "PF504",
            f"{artifact.path} [{POLICY}]",
            f"its cascade is for the models {', '.join(cascade.tiers)}",
            expected=f"{', '.join(names)}, with {len(artifact.labels)} labels",
        )
