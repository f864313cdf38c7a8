"""Retrain: learn from feedback, compare with the version in use, and write only what is better."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from payoff.core.files import write_json
from payoff.core.findings import Finding, Status
from payoff.core.money import Money
from payoff.core.progress import Progress, Silent
from payoff.data.dataset import Dataset
from payoff.economics.desk import Desk
from payoff.learn.journal import Journal
from payoff.learn.meter import Meter
from payoff.learn.versions import MADE, history, note_made
from payoff.plan.job import Job
from payoff.plan.plan import Plan
from payoff.plan.project import Project
from payoff.plan.retraining.class_changes import ClassChange, class_changes, non_regression
from payoff.plan.retraining.feedback_dataset import with_feedback
from payoff.plan.retraining.gathered import Gathered, GatheringRules
from payoff.plan.retraining.judged import Judged, decide_rows
from payoff.plan.retraining.population import expected_mix
from payoff.plan.retraining.reproduce import reproduce
from payoff.plan.retraining.retrained import Outcome, Retrained
from payoff.plan.retraining.version_in_use import VersionInUse, next_version, recalls
from payoff.plan.search import search_for

_UNPRICED = (
    "payoff.toml [machine] states no price_per_hour: the time of this machine counts nothing"
)


@dataclass(frozen=True, kw_only=True)
class Wish:
    """How a retraining is wanted.

    Args:
        artifact: The version in use; found by the journal, or ``NAME.payoff``, where None.
        minutes: Time budget; the project's where None.
        rules: How feedback is cut and bounded.
        anyway: Write the new version whatever the comparison says.
        only: Recipes to try; all that may pay where empty.
        until: Row of feedback up to which is read, to make an earlier version again; None for all.
    """

    artifact: Path | None = None
    minutes: float | None = None
    rules: GatheringRules = field(default_factory=GatheringRules)
    anyway: bool = False
    only: Sequence[str] = ()
    until: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """What must be the same for a retraining that was killed to go on."""
        rules = self.rules
        return {
            "minutes": self.minutes,
            "only": sorted(self.only),
            "judge_share": rules.judge_share,
            "fewest_of_new": rules.fewest_of_new,
            "seed": rules.seed,
            "trusted": sorted(rules.trusted),
            "most_share": rules.limits.most_share,
            "most_unchecked": rules.limits.most_unchecked,
            **({} if self.until is None else {"until": self.until}),
        }


def retrain(
    project: Project,
    journal: Journal,
    wish: Wish | None = None,
    *,
    meter: Meter | None = None,
    progress: Progress | None = None,
) -> Retrained:
    """Make a new version from the project's rows and the journal's labelled requests.

    A share of the labelled requests is kept apart: both versions decide them, each by its own
    policy, and the project's payoff says what that earns. A new version that does not earn more,
    or that loses a class, is not written. The version in use is never touched. A retraining that
    was killed goes on where it stopped, with the feedback that it began with.

    Args:
        project: Rows, value, traffic, budgets.
        journal: What was asked, decided and told.
        wish: How it is wanted.
        meter: Books what it uses.
        progress: Who listens.

    Raises:
        ServiceError: PF770 where there is nothing to learn from; PF771 where there are too few
            labels to judge by; PF779 where the version in use does not fit; PF703 to PF706 where
            the database fails.
        ArtifactError: PF501 to PF509 where the version in use cannot be opened.
        EconomicsError: PF620 before the budget would be exceeded.
        DataError, AdaptError, MachineError: As `payoff.plan.search.search_for`.
    """
    wish, progress = wish or Wish(), progress or Silent()
    in_use = VersionInUse.of(project, journal, wish.artifact)
    with closing(in_use.desk):
        dataset, test = project.dataset(), project.test_set()
        in_use.check_labels(dataset.labels)
        pending = _Pending(project, in_use.desk.artifact.sha256, wish)
        gathered = Gathered.of(
            journal,
            dataset,
            known=in_use.desk.labels,
            seen=() if test is None else test.texts,
            rules=wish.rules,
            until=pending.until() if wish.until is None else wish.until,
            since=pending.since(in_use.losing_since(journal)),
            without=in_use.others(journal, project),
        )
        gathered.check_judges(wish.rules)
        pending.note(gathered)
        _tell(gathered, progress)
        joined, note = with_feedback(dataset, gathered.learnt)
        _book_labels(project, gathered, meter)
        mix, told = _mix_of_now(project, gathered, joined)
        job = _job(project, joined, test, wish, meter, progress)
        job = replace(job, terms=replace(job.terms, expected_mix=mix))
        plan = search_for(job, only=wish.only)
        with closing(plan.desk):
            found = _compared(project, in_use, plan, gathered, test, wish)
    found = replace(found, findings=(*found.findings, told))
    notes = (note, "" if project.spending.machine_per_hour is not None else _UNPRICED)
    found = replace(found, notes=tuple(one for one in notes if one))
    found = _written(found, plan, project, journal, wish)
    pending.over()
    return found


def _tell(gathered: Gathered, progress: Progress) -> None:
    progress.say(
        f"{gathered.n_labelled} labelled requests: {len(gathered.learnt)} to learn from, "
        f"{len(gathered.judges)} to judge by"
    )
    for one in gathered.labellers:
        if one.left_out:
            progress.say(f"the {one.n_labels} labels of {one.name} are left out: {one.why}")


def _job(
    project: Project,
    rows: Dataset,
    test: Dataset | None,
    wish: Wish,
    meter: Meter | None,
    progress: Progress,
) -> Job:
    return Job(
        dataset=rows,
        terms=project.terms,
        minutes=project.minutes if wish.minutes is None else wish.minutes,
        seed=project.seed,
        test=test,
        name=project.name,
        runs=project.folder / "runs",
        backbones=project.backbones,
        project=project.text,
        unlabelled=project.unlabelled(),
        descriptions=project.descriptions,
        progress=progress,
        meter=meter,
    )


def _mix_of_now(
    project: Project, gathered: Gathered, joined: Dataset
) -> tuple[Mapping[str, float] | None, Finding]:
    """The mix that the new version is chosen and forecast for; judges take no part in it."""
    now = gathered.told_now
    return expected_mix(
        project.terms.expected_mix,
        [row.label for row in now],
        [row.kind for row in now],
        gathered.asked,
        rows=Counter(joined.targets),
    )


def _book_labels(project: Project, gathered: Gathered, meter: Meter | None) -> None:
    """Labels that people gave cost what the project says that a label costs; once each."""
    price = project.terms.label_price
    if meter is None or price is None:
        return
    rows = (*gathered.learnt, *gathered.judges)
    bought = [(row.text, row.label) for row in rows if row.source == "person"]
    meter.book_labels(bought, Money.of(price, project.terms.currency))


def _compared(
    project: Project,
    in_use: VersionInUse,
    plan: Plan,
    gathered: Gathered,
    test: Dataset | None,
    wish: Wish,
) -> Retrained:
    """The new version against the old one."""
    terms, old, new = project.terms, in_use.desk, plan.desk
    how: dict[str, Any] = {"asked": gathered.asked, "seed": wish.rules.seed}
    judged = Judged.of(old, new, gathered.judges_now, payoff=terms.payoff, **how)
    changes = _changes(project, in_use, plan, gathered, judged, test)
    seconds = float(plan.summary["reproduce"]["seconds"])
    cost, requests = cost_of(project, seconds), terms.traffic.per_month
    months = float(terms.months_until_retraining)
    verdict = judged.verdict(requests, months=months, cost=cost, currency=terms.currency)
    kept = non_regression(changes)
    outcome = Outcome.BETTER if verdict.status is Status.PASSED else Outcome.NOT_BETTER
    return Retrained(
        outcome=Outcome.CLASSES_LOST if kept.failed else outcome,
        old=in_use.path,
        old_sha256=old.artifact.sha256,
        new_sha256=new.artifact.sha256,
        artifact=None,
        version=None,
        folder=plan.folder,
        judged=judged,
        changes=tuple(changes),
        gathered=gathered,
        findings=(verdict, kept, judged.finding, *gathered.findings),
        cost=cost,
        seconds=seconds,
        requests=requests,
        months=months,
        currency=terms.currency,
    )


def cost_of(project: Project, seconds: float) -> float:
    """What so many seconds of this machine and of waiting cost."""
    hourly = (project.spending.machine_per_hour or 0.0) + project.terms.hour_of_waiting
    return seconds / 3600.0 * hourly


def _changes(
    project: Project,
    in_use: VersionInUse,
    plan: Plan,
    gathered: Gathered,
    judged: Judged,
    test: Dataset | None,
) -> list[ClassChange]:
    """Class by class on the judges, and on the project's own test rows, if it has any apart."""
    before = [row for row in gathered.judges if row.time_utc < gathered.since]
    truth = [row.label for row in (*gathered.judges_now, *before)]
    old, new = (
        [*told, *(one.label for one in decide_rows(desk, before))]
        for told, desk in ((judged.old_labels, in_use.desk), (judged.new_labels, plan.desk))
    )
    if test is not None:
        truth += test.targets
        old += _labels_of(in_use.desk, test)
        new += _labels_of(plan.desk, test)
    run = in_use.run(project.folder / "runs", project.name)
    return class_changes(
        truth,
        old,
        new,
        old_labels=in_use.desk.labels,
        new_labels=plan.desk.labels,
        old_run=recalls(run),
        new_run=recalls(plan.folder),
    )


def _labels_of(desk: Desk, rows: Dataset) -> list[str]:
    places = desk.policy.shifted(desk.probabilities(rows.texts)).argmax(axis=1)
    return [desk.labels[place] for place in places]


def _written(
    found: Retrained, plan: Plan, project: Project, journal: Journal, wish: Wish
) -> Retrained:
    """Write the report, and the new version beside the old one where it is better."""
    if found.outcome is Outcome.BETTER or wish.anyway:
        found = _placed(found, plan, project, journal)
    write_json(found.folder / "feedback_rows.json", found.gathered.rows_of_use())
    write_json(found.folder / "retraining.json", found.as_dict())
    if found.artifact is not None:
        facts = {**found.facts(project.folder), "reproduce": reproduce(found, project, wish)}
        note_made(journal, project.name, found.new_sha256, facts)
    return found


def _placed(found: Retrained, plan: Plan, project: Project, journal: Journal) -> Retrained:
    """The same with its artifact in place: what the very same run wrote before is taken for it."""
    made = [one for one in history(journal, project.name) if one.event == MADE]
    for one in made:
        path = project.folder / str(one.facts.get("artifact"))
        run = project.folder / str(one.facts.get("run"))
        if run.resolve() == found.folder.resolve() and path.is_file():
            sha256, version = one.artifact_sha256, int(one.facts["version"])
            return replace(found, artifact=path, version=version, new_sha256=sha256)
    newest = max((int(one.facts.get("version") or 1) for one in made), default=1)
    version, path = next_version(project.folder, project.name, newest + 1)
    return replace(found, artifact=plan.save(path), version=version)


def is_pending(project: Project) -> bool:
    """Whether a retraining was begun and has not ended."""
    return _pending_file(project).is_file()


def _pending_file(project: Project) -> Path:
    return project.folder / "runs" / f"retraining-{project.name}.json"


class _Pending:
    """What a retraining began with, so that one that was killed goes on with the same rows."""

    def __init__(self, project: Project, sha256: str, wish: Wish) -> None:
        self._file = _pending_file(project)
        self._asked: Mapping[str, Any] = {"old": sha256, "wish": wish.as_dict()}

    def until(self) -> int | None:
        """The row of feedback that the killed one read up to; None where there is none."""
        until = self._told().get("until")
        return until if isinstance(until, int) else None

    def since(self, otherwise: str) -> str:
        """From when on the killed one took requests for those of now; what is given else."""
        return str(self._told().get("since", otherwise))

    def note(self, gathered: Gathered) -> None:
        """Keep up to where feedback was read, and from when on requests are those of now."""
        read = {"until": gathered.until, "since": gathered.since}
        write_json(self._file, {**self._asked, **read})

    def _told(self) -> dict[str, Any]:
        try:
            told = json.loads(self._file.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        same = isinstance(told, dict) and all(told.get(k) == v for k, v in self._asked.items())
        return told if same else {}

    def over(self) -> None:
        """Nothing is to go on."""
        self._file.unlink(missing_ok=True)
