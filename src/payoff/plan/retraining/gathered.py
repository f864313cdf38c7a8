"""Gathered: the labelled requests of a journal, cut into rows to learn from and judges."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from payoff.core.errors import ServiceError
from payoff.core.findings import Finding, Status
from payoff.data.dataset import Dataset
from payoff.data.duplicates import normalise
from payoff.data.roles import folded_label
from payoff.learn.journal import Journal
from payoff.learn.kinds import Kind, kinds_asked
from payoff.learn.labelled import Labelled, labelled_requests, newest_feedback
from payoff.learn.labellers import Labeller, LabellerLimits, Labellers
from payoff.learn.share_limits import share_limits

_HASHED = 2.0**64


@dataclass(frozen=True, slots=True)
class LabelledRow:
    """One labelled request whose text is known.

    Args:
        request_id: Names it.
        text: What was asked.
        label: What it truly was, written as the project writes it.
        teller: Who said so.
        source: Customer, person or system.
        time_utc: When it was decided.
        customer: The customer's hash; empty where nobody was named.
        segment: Of the customer; empty where it decided nothing.
        handed: Whether it was handed over.
        artifact_sha256: Of what decided it.
        expected: Worth that the action was expected to have.
        action: What was done.
        probability: Of the likeliest label.
    """

    request_id: str
    text: str
    label: str
    teller: str
    source: str
    time_utc: str
    customer: str
    segment: str
    handed: bool
    artifact_sha256: str
    expected: float
    action: str
    probability: float

    @property
    def kind(self) -> Kind:
        """How it was decided, and how surely."""
        return Kind.of(self.handed, self.probability)


@dataclass(frozen=True, kw_only=True)
class GatheringRules:
    """How feedback is cut and bounded.

    Args:
        judge_share: Of the labelled requests that neither version learns from.
        least_judges: Fewer of them would leave the comparison to chance.
        fewest_of_new: Rows of a class that the project lacks, for it to be learnt.
        seed: Of the cut; the same text is always on the same side of it.
        trusted: Labellers whose labels count whatever the checks say.
        limits: When a labeller is left out.
    """

    judge_share: float = 0.3
    least_judges: int = 30
    fewest_of_new: int = 5
    seed: int = 0
    trusted: tuple[str, ...] = ()
    limits: LabellerLimits = field(default_factory=LabellerLimits)


@dataclass(frozen=True)
class Gathered:
    """What feedback gives a retraining.

    Args:
        learnt: Rows to learn from, the oldest first.
        judges: Rows to compare versions by, which neither learns from.
        told: Rows that do not judge, before any were left out for their labeller's or class's sake.
        labellers: Everybody who labelled, with the verdict.
        findings: What was left out, and why.
        asked: How many requests of each kind came since then.
        since: From when on requests are those of now; empty for all.
        until: The row of feedback up to which was read.
        n_labelled: Labelled requests in all.
    """

    learnt: tuple[LabelledRow, ...]
    judges: tuple[LabelledRow, ...]
    told: tuple[LabelledRow, ...]
    labellers: tuple[Labeller, ...]
    findings: tuple[Finding, ...]
    asked: Mapping[Kind, int]
    since: str
    until: int
    n_labelled: int

    @classmethod
    def of(
        cls,
        journal: Journal,
        dataset: Dataset,
        *,
        known: Collection[str],
        seen: Sequence[str] = (),
        rules: GatheringRules | None = None,
        until: int | None = None,
        since: str = "",
        without: Collection[str] = (),
    ) -> Gathered:
        """Read a journal twice: once to judge the labellers, once to take their labels.

        Args:
            journal: What was asked, decided and told.
            dataset: The project's rows: a text that is among them is no judge.
            seen: More texts that are none, such as those of the project's test rows.
            known: Labels that the version in use knows.
            rules: How feedback is cut and bounded.
            until: The row of feedback up to which is read; all where None.
            since: Requests from this time on are those of now, which judges speak for; all where
                empty. Of all is learnt.
            without: SHA-256 of artifacts whose requests are none of the project's, such as those
                of other models that write the same journal.

        Raises:
            ServiceError: PF770 where there is nothing to learn from; PF703 to PF706 where the
                database fails.
        """
        rules = rules or GatheringRules()
        until = newest_feedback(journal) if until is None else until
        judged = _judged(journal, known, rules, until, without)
        out = {one.name for one in judged if one.left_out}
        writing = {folded_label(label): label for label in sorted({*known, *dataset.labels})}
        rows: list[LabelledRow] = []
        n_labelled = n_textless = 0
        for block in labelled_requests(journal, until=until, without=without):
            n_labelled += len(block)
            n_textless += sum(one.text is None for one in block)
            rows += (row for one in block if (row := _row(one, out, writing)) is not None)
        if not rows:
            raise _nothing(n_labelled, n_textless, out)
        rows.sort(key=lambda row: (row.time_utc, row.request_id))
        known_texts = {normalise(text) for text in (*dataset.texts, *seen)}
        judges = [row for row in rows if _is_judge(row, rules, known_texts)]
        apart = {row.request_id for row in judges}
        others = tuple(row for row in rows if row.request_id not in apart)
        unchecked = {one.name for one in judged if not one.checked}
        learnt, *capped = _bounded(others, len(dataset), rules.limits, unchecked)
        judges, *_ = _bounded(judges, 0, replace(rules.limits, most_share=1.0), unchecked)
        learnt, scarce = _without_scarce(learnt, dataset.labels, rules.fewest_of_new)
        told = (_kept(n_labelled, n_textless), *capped, scarce)
        verdicts = tuple(found for one in judged for found in one.findings)
        return cls(
            learnt=tuple(learnt),
            judges=tuple(judges),
            told=others,
            labellers=tuple(judged),
            findings=(*told, *verdicts),
            # Up to the last labelled one, so that the same labels always give the same weights.
            asked=kinds_asked(journal, since=since, until=rows[-1].time_utc, without=without),
            since=since,
            until=until,
            n_labelled=n_labelled,
        )

    @property
    def judges_now(self) -> tuple[LabelledRow, ...]:
        """Those that speak for the requests of now."""
        return tuple(row for row in self.judges if row.time_utc >= self.since)

    @property
    def told_now(self) -> tuple[LabelledRow, ...]:
        """What was told of the requests of now beside the judges."""
        return tuple(row for row in self.told if row.time_utc >= self.since)

    def check_judges(self, rules: GatheringRules) -> None:
        """Refuse to train where chance would decide.

        Raises:
            ServiceError: PF770 where no row is left to learn from; PF771 where there are too few
                judges.
        """
        if not self.learnt:
            raise ServiceError(
                "PF770", "feedback", f"of {self.n_labelled} labelled requests none can be learnt"
            )
        now = self.judges_now
        lacking = rules.least_judges - len(now)
        if lacking > 0:
            more = math.ceil(lacking / rules.judge_share)
            when = f" since {self.since[:10]}" if self.since else ""
            raise ServiceError(
                "PF771",
                "feedback",
                f"{len(now)} of {len(now) + len(self.told_now)} labels{when} are kept apart"
                " to judge by",
                expected=f"at least {rules.least_judges}",
                mend=f"Label about {more} more requests whose text is kept.",
            )

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the request ids and labels, and which of them judge."""
        digest = hashlib.sha256()
        for kind, rows in (("learnt", self.learnt), ("judge", self.judges)):
            for row in sorted(rows, key=lambda row: row.request_id):
                digest.update("\x1f".join((kind, row.request_id, row.label, "\n")).encode())
        return digest.hexdigest()

    def lineage(self) -> dict[str, Any]:
        """What the version is made from, as plain values; no text."""
        times = [row.time_utc for row in self.learnt]
        return {
            "fingerprint": self.fingerprint,
            "feedback_until": self.until,
            "n_labelled": self.n_labelled,
            "n_learnt": len(self.learnt),
            "n_judges": len(self.judges),
            "now_since": self.since,
            "first_utc": min(times, default=""),
            "last_utc": max(times, default=""),
            "by_teller": dict(Counter(row.teller for row in self.learnt).most_common()),
            "by_source": dict(Counter(row.source for row in self.learnt).most_common()),
            "by_label": dict(Counter(row.label for row in self.learnt).most_common()),
            "by_artifact": dict(Counter(row.artifact_sha256 for row in self.learnt).most_common()),
        }

    def rows_of_use(self) -> list[dict[str, str]]:
        """Each row that was used: its request, label, teller, and what for; no text."""
        return [
            {"request_id": row.request_id, "label": row.label, "teller": row.teller, "use": use}
            for use, rows in (("learnt", self.learnt), ("judge", self.judges))
            for row in rows
        ]


def _judged(
    journal: Journal,
    known: Collection[str],
    rules: GatheringRules,
    until: int,
    without: Collection[str],
) -> list[Labeller]:
    people = Labellers(known, rules.limits)
    for block in labelled_requests(journal, until=until, without=without):
        people.count(block)
    return people.judged(trusted=rules.trusted)


def _row(one: Labelled, out: Collection[str], writing: Mapping[str, str]) -> LabelledRow | None:
    vote = one.newest(without=out)
    if vote is None or one.decided is None or one.text is None or not one.text.strip():
        return None
    done = one.decided
    return LabelledRow(
        one.request_id,
        one.text,
        writing.get(folded_label(vote.label), vote.label.strip()),
        vote.teller,
        vote.source,
        done.time_utc,
        done.customer,
        done.segment,
        done.action == "handoff",
        done.artifact_sha256,
        done.worth,
        done.action,
        done.probability,
    )


def _is_judge(row: LabelledRow, rules: GatheringRules, seen: Collection[str]) -> bool:
    """By a hash of the text, so that one text is never on both sides, nor later on the other."""
    text = normalise(row.text)
    if text in seen:
        return False
    digest = hashlib.sha256(f"{rules.seed}\0{text}".encode()).digest()
    return int.from_bytes(digest[:8]) / _HASHED < rules.judge_share


def _bounded(
    rows: Sequence[LabelledRow], n_project: int, limits: LabellerLimits, unchecked: Collection[str]
) -> tuple[list[LabelledRow], Finding, Finding]:
    """The newest rows of each teller, so that nobody weighs too much; PF784 and PF796."""
    counts = Counter(row.teller for row in rows)
    most = share_limits(
        {"(project)": n_project, **counts},
        limits.most_share,
        unchecked=unchecked,
        most_unchecked=limits.most_unchecked,
    )
    left = dict(most)
    kept: list[LabelledRow] = []
    for row in reversed(rows):
        if left[row.teller] > 0:
            left[row.teller] -= 1
            kept.append(row)
    cut = {name: (n, most[name]) for name, n in counts.items() if n > most[name]}
    people = {name: both for name, both in cut.items() if name not in unchecked}
    programs = {name: both for name, both in cut.items() if name in unchecked}
    return (
        kept[::-1],
        _cut(
            "PF784",
            "No one labeller weighs too much",
            people,
            "Let others label too, or raise --most-share.",
        ),
        _cut(
            "PF796",
            "No program weighs much before people have checked it",
            programs,
            "Let people answer what the review queue draws by chance, or say --trust NAME.",
        ),
    )


def _cut(code: str, title: str, cut: Mapping[str, tuple[int, int]], mend: str) -> Finding:
    if not cut:
        return Finding(code, title, Status.PASSED)
    told = ", ".join(
        f"{most} of {n} labels of {name} are learnt" for name, (n, most) in cut.items()
    )
    n_cut = sum(n - most for n, most in cut.values())
    return Finding(code, title, Status.FAILED, told, mend, n_affected=n_cut)


def _without_scarce(
    rows: Sequence[LabelledRow], known: Iterable[str], fewest: int
) -> tuple[list[LabelledRow], Finding]:
    """Leave out classes that are new and have few rows."""
    title, old = "Every new class has labels enough to be learnt", set(known)
    new = Counter(row.label for row in rows if row.label not in old)
    scarce = {label: n for label, n in new.items() if n < fewest}
    if not new:
        return list(rows), Finding("PF775", title, Status.NOT_APPLICABLE, "there is none")
    told = ", ".join(f"'{label}' has {n}" for label, n in sorted(new.items()))
    if not scarce:
        return list(rows), Finding("PF775", title, Status.PASSED, told)
    kept = [row for row in rows if row.label not in scarce]
    names = ", ".join(f"'{label}' has {n} of {fewest}" for label, n in sorted(scarce.items()))
    mend = "Label more of them; until then they are left out."
    n_out = len(rows) - len(kept)
    return kept, Finding("PF775", title, Status.FAILED, names, mend, n_affected=n_out)


def _kept(n_labelled: int, n_textless: int) -> Finding:
    title = "The text of every labelled request was kept"
    if not n_textless:
        return Finding("PF777", title, Status.PASSED)
    told = f"{n_textless} of {n_labelled} labelled requests have no text, and teach nothing"
    mend = "Serve with --keep-texts, and keep them until they are labelled."
    return Finding("PF777", title, Status.FAILED, told, mend, n_affected=n_textless)


def _nothing(n_labelled: int, n_textless: int, out: Collection[str]) -> ServiceError:
    if not n_labelled:
        found = "no request was labelled"
    else:
        found = f"of {n_labelled} labelled requests {n_textless} have no text"
        if out:
            found += f", and the labels of {', '.join(sorted(out))} are left out"
    return ServiceError("PF770", "feedback", found, expected="labelled requests with their text")
