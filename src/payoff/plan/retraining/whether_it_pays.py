"""Whether it pays: what a retraining may bring, told from labels without training."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from payoff.core.findings import Finding
from payoff.core.money import format_money
from payoff.economics.policy import Policy
from payoff.economics.value_tables import segment_names
from payoff.learn.journal import Journal
from payoff.learn.kinds import Kind
from payoff.learn.versions import history
from payoff.plan.project import Project
from payoff.plan.retraining.gathered import Gathered, LabelledRow
from payoff.plan.retraining.population import row_weights
from payoff.plan.retraining.retrain import Wish, cost_of
from payoff.plan.retraining.version_in_use import VersionInUse


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What is known before anything is trained.

    Args:
        n_labels: Labelled requests that could be learnt.
        n_new: Those of them that the last retraining did not know.
        by_label: How many of each class.
        new_classes: Classes that the version in use does not know, and how many labels each has.
        short_each: By how much a labelled request earned less than was expected when it was
            decided: what a model that is right about itself again could win back.
        perfect_each: By how much it earned less than with a right answer: more cannot be won.
        curve_gain_month: What so many more labels bring by the learning curve of the last run; None
            where it tells nothing.
        gain_month: What is expected: the larger of the two.
        cost: Of a retraining of so many minutes.
        months: Until the next one.
        currency: Of all money.
        lacking: Labels that are missing for a comparison; 0 where there are enough.
        findings: Of labellers and texts.
    """

    n_labels: int
    n_new: int
    by_label: Mapping[str, int]
    new_classes: Mapping[str, int]
    short_each: float
    perfect_each: float
    curve_gain_month: float | None
    gain_month: float
    cost: float
    months: float
    currency: str
    lacking: int
    findings: tuple[Finding, ...]

    @property
    def pays(self) -> bool:
        """Whether the expected gain until the next retraining is above the cost."""
        return not self.lacking and self.n_new > 0 and self.gain_month * self.months > self.cost

    @property
    def sentence(self) -> str:
        """What to do, and why."""
        gain, cost = (format_money(one, self.currency) for one in (self.gain_month, self.cost))
        if not self.n_new:
            return "Do not retrain: no label has come since the last time."
        if self.lacking:
            return (
                f"Do not retrain yet: about {self.lacking} more labels are needed to tell a better "
                "version from chance."
            )
        basis = "the learning curve of the last run"
        if self.curve_gain_month is None or self.gain_month > self.curve_gain_month:
            basis = "what labelled requests earned less than was expected of them"
        told = f"by {basis}, about {gain} a month for {self.months:g} months, against {cost}"
        return f"{'Retrain' if self.pays else 'Do not retrain'}: {told}."

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "pays": self.pays,
            "sentence": self.sentence,
            "n_labels": self.n_labels,
            "n_new": self.n_new,
            "by_label": dict(self.by_label),
            "new_classes": dict(self.new_classes),
            "short_each": self.short_each,
            "perfect_each": self.perfect_each,
            "curve_gain_month": self.curve_gain_month,
            "gain_month": self.gain_month,
            "cost": self.cost,
            "months_until_retraining": self.months,
            "currency": self.currency,
            "lacking": self.lacking,
            "findings": [one.as_dict() for one in self.findings],
        }


def whether_it_pays(project: Project, journal: Journal, wish: Wish | None = None) -> Estimate:
    """Estimate what a retraining would bring now; trains nothing and writes nothing.

    Args:
        project: Value, traffic, prices.
        journal: What was asked, decided and told.
        wish: How the retraining would be wanted.

    Raises:
        ServiceError: PF770 where there is nothing to learn from; PF779 where the version in use
            does not fit; PF703 to PF706 where the database fails.
        ArtifactError: PF501 to PF509 where the version in use cannot be opened.
    """
    wish = wish or Wish()
    in_use = VersionInUse.of(project, journal, wish.artifact)
    with closing(in_use.desk):
        dataset, test = project.dataset(), project.test_set()
        in_use.check_labels(dataset.labels)
        labels = in_use.desk.labels
        gathered = Gathered.of(
            journal,
            dataset,
            known=labels,
            seen=() if test is None else test.texts,
            rules=wish.rules,
            since=in_use.losing_since(journal),
            without=in_use.others(journal, project),
        )
    rows = (*gathered.learnt, *gathered.judges)
    now = (*gathered.told_now, *gathered.judges_now)
    terms = project.terms
    short, perfect = _losses(project, now, labels, gathered.asked)
    requests = terms.traffic.per_month
    n_new = min(len(rows), _n_new(project, journal, gathered))
    curve = _curve_gain(project, min(n_new, len(gathered.learnt)))
    minutes = project.minutes if wish.minutes is None else wish.minutes
    by_label = Counter(row.label for row in rows)
    lacking = max(0, wish.rules.least_judges - len(gathered.judges_now))
    return Estimate(
        n_labels=len(rows),
        n_new=n_new,
        by_label=dict(sorted(by_label.items())),
        new_classes={k: n for k, n in sorted(by_label.items()) if k not in labels},
        short_each=short,
        perfect_each=perfect,
        curve_gain_month=curve,
        gain_month=max(0.0, min(short, perfect) * requests, curve or 0.0),
        cost=cost_of(project, minutes * 60.0),
        months=float(terms.months_until_retraining),
        currency=terms.currency,
        lacking=round(lacking / wish.rules.judge_share),
        findings=gathered.findings,
    )


def _losses(
    project: Project,
    rows: Sequence[LabelledRow],
    known: Collection[str],
    asked: Mapping[Kind, int],
) -> tuple[float, float]:
    """What a request earned less than expected of it, and less than a right answer would."""
    if not rows:
        return 0.0, 0.0
    labels = tuple(sorted({*known, *(row.label for row in rows), *_acted(rows)}))
    policy = Policy.from_payoff(project.terms.payoff, labels)
    place = {label: number for number, label in enumerate((*labels, "handoff"))}
    truth = np.array([place[row.label] for row in rows])
    segments = segment_names([row.segment for row in rows])
    actions = np.array([place[row.action] for row in rows])
    earned = policy.realised(truth, actions, segments)
    right = policy.realised(truth, truth, segments)
    weights, _ = row_weights([row.kind for row in rows], asked)
    expected = np.array([row.expected for row in rows])
    return (
        float(np.average(expected - earned, weights=weights)),
        float(np.average(right - earned, weights=weights)),
    )


def _acted(rows: Sequence[LabelledRow]) -> set[str]:
    return {row.action for row in rows if not row.handed}


def _n_new(project: Project, journal: Journal, gathered: Gathered) -> int:
    """Labelled requests that no retraining knew, whether it wrote a version or not."""
    lineages = [one.facts.get("lineage", {}) for one in history(journal, project.name)]
    told = (project.folder / "runs").glob(f"{project.name}-*/retraining.json")
    lineages += [json.loads(file.read_text("utf-8"))["lineage"] for file in told]
    before = max((int(one.get("n_labelled", 0)) for one in lineages), default=0)
    return max(0, gathered.n_labelled - before)


def _curve_gain(project: Project, n_more: int) -> float | None:
    """Gain a month of so many more labels, between the points that the last run tells."""
    summary = _last_summary(project.folder / "runs", project.name)
    points = (summary.get("labels") or {}).get("more") or []
    if not points:
        return None
    labels = [0.0, *(float(one["labels"]) for one in points)]
    gains = [0.0, *(float(one["gain"]["mean"]) for one in points)]
    horizon = float(summary.get("horizon_months") or project.terms.horizon_months)
    return float(np.interp(n_more, labels, gains)) / horizon


def _last_summary(runs: Path, name: str) -> dict[str, Any]:
    """What the last finished run of a project tells; nothing where none is finished."""
    found = sorted(runs.glob(f"{name}-*/summary.json"), key=lambda file: file.stat().st_mtime)
    return dict(json.loads(found[-1].read_text("utf-8"))) if found else {}
