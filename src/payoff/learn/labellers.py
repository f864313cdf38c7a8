"""Labellers: who labels as others do, who does not, and whose labels are left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any

import numpy as np

from payoff.core.findings import Finding, Status
from payoff.learn.class_agreement import ClassAgreement, ClassVerdict
from payoff.learn.labelled import Labelled, Vote
from payoff.learn.wilson import interval

_MOST_SECONDS = 10_000  # times of one labeller that are kept for a median
_NO_CLASS = ClassVerdict(
    Finding("PF795", "The labeller labels every class as others do", Status.NOT_CHECKED), False
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabellerLimits:
    """When a labeller is taken for poisoned or lazy, and how much one may weigh.

    Args:
        sure: Calibrated probability from which the model's word counts against a label.
        least_agreement: With the model where it is sure, and with other labellers.
        least_labels: Cases below which nothing is concluded.
        least_seconds: Median below which nobody can have read the request.
        single_label_gap: How much more often than the model one may press one and the same label.
        confidence: That no honest labeller of all is left out, for each kind of check.
        most_share: Of what is learnt that may come from one person.
        least_class_agreement: With the model where it is sure, of the requests of one class.
        most_unchecked: Of what is learnt that may come from one program before people have checked
            it: labelled at least so many requests that it labelled too, and mostly agreed.
    """

    sure: float = 0.95
    least_agreement: float = 0.8
    least_labels: int = 20
    least_seconds: float = 1.0
    single_label_gap: float = 0.3
    confidence: float = 0.99
    most_share: float = 0.5
    least_class_agreement: float = 0.9
    most_unchecked: float = 0.1


@dataclass(slots=True)
class _Counts:
    """What is counted of one teller while requests go by."""

    n: int = 0
    n_sure: int = 0
    n_sure_agreed: int = 0
    n_fast: int = 0
    n_timed: int = 0
    seconds: list[float] = field(default_factory=list)
    labels: Counter[str] = field(default_factory=Counter)
    model: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Labeller:
    """One teller and the verdict.

    Args:
        name: The person, or the source in brackets where nobody is named.
        n_labels: Requests labelled.
        findings: PF780 to PF783 and PF795.
        seconds_median: A label took; None where not known.
        left_out: Whether the labels are not learnt from.
        why: In a sentence, where they are left out.
        checked: Whether it is a person, or a program that people have checked, or is trusted.
    """

    name: str
    n_labels: int
    findings: tuple[Finding, ...]
    seconds_median: float | None
    left_out: bool
    why: str = ""
    checked: bool = True

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "name": self.name,
            "n_labels": self.n_labels,
            "seconds_median": self.seconds_median,
            "left_out": self.left_out,
            "why": self.why,
            "checked": self.checked,
            "findings": [one.as_dict() for one in self.findings],
        }


class Labellers:
    """Counts who says what, request by request, and judges at the end.

    Memory grows with the labellers and with the requests that several of them labelled, not with
    all requests.

    Args:
        known: Labels that the model knows: it cannot be sure of any other.
        limits: When a labeller is left out.

    Example:
        >>> votes = (Vote("card", "person", "ann", 4.0),)
        >>> people = Labellers({"card"})
        >>> people.count([Labelled("r-1", votes, None, "lost card")])
        >>> [(one.name, one.left_out) for one in people.judged()]
        [('ann', False)]
    """

    def __init__(self, known: Collection[str], limits: LabellerLimits | None = None) -> None:
        self.known = frozenset(known)
        self.limits = limits or LabellerLimits()
        self._counts: dict[str, _Counts] = {}
        self._classes = ClassAgreement(
            least_agreement=self.limits.least_class_agreement,
            least_labels=self.limits.least_labels,
            confidence=self.limits.confidence,
        )
        self._shared: list[dict[str, str]] = []

    def count(self, block: Iterable[Labelled]) -> None:
        """Take account of some requests."""
        for one in block:
            for vote in one.votes:
                self._count(vote, one)
            if len(one.votes) > 1:
                self._shared.append({vote.teller: vote.label for vote in one.votes})

    def _count(self, vote: Vote, one: Labelled) -> None:
        own = self._counts.setdefault(vote.teller, _Counts())
        own.n += 1
        own.labels[vote.label] += 1
        if vote.seconds is not None:
            own.n_timed += 1
            own.n_fast += vote.seconds < self.limits.least_seconds
            if len(own.seconds) < _MOST_SECONDS:
                own.seconds.append(vote.seconds)
        if one.decided is not None:
            own.model[one.decided.label] += 1
            if one.decided.probability >= self.limits.sure and vote.label in self.known:
                own.n_sure += 1
                agreed = vote.label == one.decided.label
                own.n_sure_agreed += agreed
                self._classes.count(vote.teller, one.decided.label, agreed=agreed)

    def judged(self, *, trusted: Collection[str] = ()) -> list[Labeller]:
        """Every teller with the verdict, by name.

        Args:
            trusted: Whose labels are learnt from whatever the checks say.
        """
        z = _z(self.limits.confidence, len(self._counts))
        suspects = {name: self._alone(name, z) for name in sorted(self._counts)}
        out = {name for name, found in suspects.items() if any(one.failed for one in found[:2])}
        classes = self._classes.judged()
        out |= {name for name, one in classes.items() if one.is_proven}
        peers = self._peers(out, z)
        out |= {name for name, one in peers.items() if one.failed}
        judged = []
        for name, (model, single, fast) in suspects.items():
            by_class = classes.get(name, _NO_CLASS)
            findings = (model, peers[name], single, fast, by_class.finding)
            why = self._why(name, findings, z, is_proven=by_class.is_proven)
            trust = name in trusted
            told = f"{why} It is trusted all the same." if why and trust else why
            own = self._counts[name]
            median = float(np.median(own.seconds)) if own.seconds else None
            left = bool(why) and not trust
            checked = trust or _is_person(name)
            checked |= self._is_checked(name, out) and not by_class.finding.failed
            judged.append(Labeller(name, own.n, findings, median, left, told, checked))
        return judged

    def _is_checked(self, name: str, out: set[str]) -> bool:
        """Whether people have labelled enough of the same, and mostly agreed."""
        agreed = n = 0
        for told in self._shared:
            by_people = {label for who, label in told.items() if _is_person(who) and who not in out}
            if name in told and len(by_people) == 1:
                n += 1
                agreed += told[name] in by_people
        return n >= self.limits.least_labels and agreed >= n * self.limits.least_agreement

    def _why(self, name: str, findings: tuple[Finding, ...], z: float, *, is_proven: bool) -> str:
        """Why the labels are to be left out; nothing where they are not."""
        model, peers, single, fast, by_class = findings
        reasons = [one.detail for one in (model, peers, single) if one.failed]
        if is_proven:
            reasons.append(by_class.detail)
        own = self._counts[name]
        proven = interval(own.n_sure_agreed, own.n_sure, z)[0] >= self.limits.least_agreement
        if fast.failed and not proven and peers.status is not Status.PASSED:
            reasons.append(fast.detail)
        return f"{'; '.join(reasons)}." if reasons else ""

    def _alone(self, name: str, z: float) -> tuple[Finding, Finding, Finding]:
        """What can be said without the other labellers."""
        return self._with_model(name, z), self._single(name, z), self._speed(name, z)

    def _with_model(self, name: str, z: float) -> Finding:
        own, title = self._counts[name], f"{name} agrees with the model where it is sure"
        return self._agreement("PF780", title, own.n_sure_agreed, own.n_sure, z)

    def _agreement(self, code: str, title: str, agreed: int, n: int, z: float) -> Finding:
        if n < self.limits.least_labels:
            told = f"{n} requests tell, and it takes {self.limits.least_labels}"
            return Finding(code, title, Status.NOT_CHECKED, told)
        low, high = interval(agreed, n, z)
        failed = high < self.limits.least_agreement
        told = f"{agreed} of {n} agree ({low:.0%} to {high:.0%})"
        if not failed:
            return Finding(code, title, Status.PASSED, told)
        told += f", {self.limits.least_agreement:.0%} were expected"
        mend = "Look at these labels; say --trust NAME where they are right."
        return Finding(code, title, Status.FAILED, told, mend, n_affected=n)

    def _single(self, name: str, z: float) -> Finding:
        """Whether one label is pressed far more often than the model gives it there."""
        own, title = self._counts[name], f"{name} tells requests apart"
        n, n_model = own.n, own.model.total()
        if min(n, n_model) < self.limits.least_labels:
            told = f"{min(n, n_model)} requests tell, and it takes {self.limits.least_labels}"
            return Finding("PF782", title, Status.NOT_CHECKED, told)
        label, times = own.labels.most_common(1)[0]
        share = interval(times, n, z)[0]
        usual = interval(own.model[label], n_model, z)[1]
        told = f"'{label}' in {times} of {n}, where the model says so {own.model[label]} times"
        # A class that the model lacks may truly fill a reviewer's queue: nobody can compare.
        failed = label in self.known and share - usual > self.limits.single_label_gap
        if not failed:
            return Finding("PF782", title, Status.PASSED, told)
        mend = "Ask the labeller; say --trust NAME where it is right."
        return Finding("PF782", title, Status.FAILED, told, mend, n_affected=times)

    def _speed(self, name: str, z: float) -> Finding:
        own, title = self._counts[name], f"{name} takes the time to read"
        if own.n_timed < self.limits.least_labels:
            return Finding("PF783", title, Status.NOT_CHECKED, f"{own.n_timed} labels were timed")
        failed = interval(own.n_fast, own.n_timed, z)[0] > 0.5
        told = (
            f"{own.n_fast} of {own.n_timed} labels took less than "
            f"{self.limits.least_seconds:g} s, half of all less than {np.median(own.seconds):.1f} s"
        )
        mend = "Let somebody label a part of them again." if failed else ""
        status = Status.FAILED if failed else Status.PASSED
        return Finding("PF783", title, status, told, mend, n_affected=own.n_fast if failed else 0)

    def _peers(self, out: set[str], z: float) -> dict[str, Finding]:
        """Agreement with other labellers, the worst one left out first, then counted anew.

        Two who disagree do not tell who is wrong: it takes two others, or one whom the model
        bears out.
        """
        found: dict[str, Finding] = {}
        left = set(out)
        while True:
            tallies = {name: self._tally(name, left) for name in sorted(self._counts)}
            found = {name: self._with_others(name, *tallies[name], z) for name in tallies}
            failing = [name for name, one in found.items() if one.failed and name not in left]
            if not failing:
                return found
            left.add(min(failing, key=lambda name: tallies[name][0] / tallies[name][1]))

    def _tally(self, name: str, out: set[str]) -> tuple[int, int, set[str]]:
        """How often one agrees with the most frequent label of the others, of how often, and who.

        Others that are left out do not count, nor where the others are of two minds.
        """
        agreed = n = 0
        peers: set[str] = set()
        for told in self._shared:
            if name not in told:
                continue
            others = {who: label for who, label in told.items() if who != name and who not in out}
            ranked = Counter(others.values()).most_common(2)
            if not ranked or (len(ranked) > 1 and ranked[0][1] == ranked[1][1]):
                continue
            n += 1
            agreed += told[name] == ranked[0][0]
            peers |= set(others)
        return agreed, n, peers

    def _with_others(self, name: str, agreed: int, n: int, peers: set[str], z: float) -> Finding:
        title = f"{name} agrees with other labellers"
        if not peers:
            told = "nobody else labelled the same requests"
            return Finding("PF781", title, Status.NOT_APPLICABLE, told)
        found = self._agreement("PF781", title, agreed, n, z)
        if not found.failed or len(peers) > 1 or self._borne_out(next(iter(peers)), name, z):
            return found
        told = f"{found.detail}, but only with {next(iter(peers))}: nobody tells who is right"
        return Finding("PF781", title, Status.NOT_CHECKED, told, "Let a third person label some.")

    def _borne_out(self, peer: str, name: str, z: float) -> bool:
        """Whether the model proves one labeller right, and not the other one too."""
        lows = [
            interval(self._counts[who].n_sure_agreed, self._counts[who].n_sure, z)[0]
            for who in (peer, name)
        ]
        return lows[0] >= self.limits.least_agreement > lows[1]


def _z(confidence: float, n: int) -> float:
    """One-sided, so that all of ``n`` labellers are judged rightly with that confidence."""
    return NormalDist().inv_cdf(1 - (1 - confidence) / max(1, n))


def _is_person(name: str) -> bool:
    """Programs and what names nobody stand in brackets."""
    return not name.startswith("(")
