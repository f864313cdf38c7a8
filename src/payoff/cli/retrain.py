"""``payoff retrain``: a new version from what the market told, where it earns more."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from payoff.cli.books import existing_journal, journal_of
from payoff.cli.ranges import Finite
from payoff.cli.source import Source
from payoff.cli.terminal import Terminal, with_terminal
from payoff.core.money import format_money

if TYPE_CHECKING:
    from payoff.learn.experiments.course import Course
    from payoff.learn.journal import Journal
    from payoff.plan.project import Project
    from payoff.plan.retraining.due import Due
    from payoff.plan.retraining.retrain import Wish
    from payoff.plan.retraining.retrained import Retrained
    from payoff.plan.retraining.whether_it_pays import Estimate

_COLUMNS = ("class", "judges", "old", "new", "")
_OF_LABELLERS = ("PF780", "PF781", "PF782", "PF783", "PF795")
_SHARE = Finite(min=0.05, max=0.95)


@click.command()
@click.argument("path", metavar="PROJECT", type=click.Path(path_type=Path), default=".")
@click.option("--journal", metavar="FILE|URL", help="The service's journal.")
@click.option("--artifact", type=click.Path(path_type=Path), help="The version in use.")
@click.option("--minutes", type=Finite(min=0, min_open=True), help="Time budget.")
@click.option("--recipe", "recipes", multiple=True, help="Try only this recipe; may be repeated.")
@click.option(
    "--judges", type=_SHARE, default=0.3, show_default=True, help="Share of the labels kept apart."
)
@click.option("--trust", multiple=True, metavar="NAME", help="Learn from this labeller anyhow.")
@click.option(
    "--most-share",
    type=Finite(min=0, max=1, min_open=True),
    default=0.5,
    show_default=True,
    help="Share of what is learnt that one person may have labelled.",
)
@click.option(
    "--most-unchecked",
    type=Finite(min=0, max=1, min_open=True),
    default=0.1,
    show_default=True,
    help="Share that one program may have labelled before people have checked it.",
)
@click.option("--anyway", is_flag=True, help="Write the new version whatever comes out.")
@click.option(
    "--until",
    type=click.IntRange(min=0),
    metavar="ROW",
    help="Read feedback up to this row only, to make an earlier version again.",
)
@click.option("--when-it-pays", is_flag=True, help="Only where it pays now; for a schedule.")
@click.option("--every", metavar="TIME", help="Only so long after the last time, such as 30d.")
@click.option("--start", is_flag=True, help="Put a better version out as an experiment at once.")
@click.option("--dry-run", is_flag=True, help="Only tell whether it pays now; train nothing.")
@with_terminal
def command(
    terminal: Terminal,
    *,
    path: Path,
    journal: str | None,
    artifact: Path | None,
    minutes: float | None,
    recipes: tuple[str, ...],
    judges: float,
    trust: tuple[str, ...],
    most_share: float,
    most_unchecked: float,
    anyway: bool,
    until: int | None,
    when_it_pays: bool,
    every: str | None,
    start: bool,
    dry_run: bool,
) -> None:
    """Learn from feedback, and write a new version beside the old one where it earns more.

    PROJECT is a folder with a payoff.toml. The labelled requests of the journal whose text was kept
    join its rows; a share of them is kept apart, and decides in money whether the new version is
    better. Labels of people who label wrongly or without reading are left out and told. The version
    in use is never touched. A retraining that was stopped goes on when the same command is given
    again. With --when-it-pays or --every it ends well and says why where nothing is due.
    """
    from payoff.data.folder_lock import folder_lock
    from payoff.learn.entry import now_utc
    from payoff.learn.journal import Journal
    from payoff.learn.labellers import LabellerLimits
    from payoff.learn.watching.duration import duration_s
    from payoff.plan.retraining.due import whether_due
    from payoff.plan.retraining.gathered import GatheringRules
    from payoff.plan.retraining.retrain import Wish
    from payoff.plan.retraining.whether_it_pays import whether_it_pays

    project = Source(path).project()
    limits = LabellerLimits(most_share=most_share, most_unchecked=most_unchecked)
    rules = replace(GatheringRules(limits=limits, trusted=trust), judge_share=judges)
    wish = Wish(
        artifact=artifact,
        minutes=minutes,
        rules=rules,
        anyway=anyway,
        only=recipes,
        until=until,
    )
    place = journal or str(journal_of(project.folder, project.name))
    every_s = None if every is None else duration_s(every)
    one_at_a_time = folder_lock(project.folder / "runs" / f"retraining-{project.name}", terminal)
    with Journal.open(existing_journal(place)) as book:
        if dry_run:
            told = whether_it_pays(project, book, wish)
            terminal.show(told.as_dict(), lambda: _show_estimate(terminal, told))
            return
        with one_at_a_time:
            asked: dict[str, Any] = {"every_s": every_s, "when_it_pays": when_it_pays}
            scheduled = when_it_pays or every is not None
            due = whether_due(project, book, wish, now=now_utc(), **asked) if scheduled else None
            if due is not None and not due.due:
                _not_due(terminal, project, book, due, wish if start else None)
                return
            found = _retrained(terminal, project, book, wish)
            course = _begun(project, book, wish) if start else None
    then = found.compare_command(place) if course is None else ""
    content = found.as_dict() | {"next": then, "report": str(found.folder / "report.html")}
    if due is not None:
        content |= {"due": True, "why": due.why}
    content["experiment"] = None if course is None else course.as_dict()
    terminal.show(content, lambda: _show(terminal, found, then, course))


def _retrained(terminal: Terminal, project: Project, book: Journal, wish: Wish) -> Retrained:
    from payoff.learn.meter import Meter
    from payoff.plan.retraining.retrain import retrain

    meter = Meter(book, project.name, project.spending)
    try:
        return retrain(project, book, wish, meter=meter, progress=terminal)
    finally:
        meter.release()


def _not_due(
    terminal: Terminal, project: Project, book: Journal, due: Due, starting: Wish | None
) -> None:
    """Say so; a better version that was made before and put to no test is begun on all the same."""
    course = None if starting is None else _begun(project, book, starting)
    begun = None if course is None else course.as_dict()

    def people() -> None:
        terminal.line(due.why)
        _show_course(terminal, course)

    terminal.show(due.as_dict() | {"experiment": begun}, people)


def _begun(project: Project, book: Journal, wish: Wish) -> Course | None:
    """The experiment of the newest version, where it is better and was put to no test yet."""
    from payoff.learn.experiments.begin import begin
    from payoff.learn.experiments.book import running_on
    from payoff.plan.retraining.due import unproved
    from payoff.plan.retraining.version_in_use import VersionInUse

    made = unproved(project, book)
    if made is None or running_on(book, project.name) is not None:
        return None
    in_use = VersionInUse.of(project, book, wish.artifact)
    in_use.desk.close()
    newer = project.folder / str(made.facts["artifact"])
    course, _ = begin(
        book,
        in_use.path,
        newer,
        name=newer.name.removesuffix(".payoff").replace(".", "-"),
        requests_per_month=project.terms.traffic.per_month,
    )
    return course


def _show_course(terminal: Terminal, course: Course | None) -> None:
    if course is not None:
        name, share = course.experiment.name, course.share
        terminal.line(f"'{name}' has begun with {share:.0%} of the customers.")


def _show(terminal: Terminal, found: Retrained, then: str, course: Course | None) -> None:
    rows = [
        (
            one.label,
            str(one.n),
            "–" if one.old_recall is None else f"{one.old_recall:.0%}",
            "–" if one.new_recall is None else f"{one.new_recall:.0%}",
            one.state,
        )
        for one in found.changes
    ]
    terminal.table(_COLUMNS, rows, right=_COLUMNS[1:4])
    judged, unit = found.judged, found.currency
    for name, each, right, handed in (
        ("old", judged.old_each, judged.old_accuracy, judged.old_handed),
        ("new", judged.new_each, judged.new_accuracy, judged.new_handed),
    ):
        told = f"{format_money(each, unit)} a request, right {right:.1%}, hands over {handed:.1%}"
        terminal.line(f"{name}  {told}")
    told = f"{judged.n:,} labelled requests of {judged.n_customers:,} customers"
    terminal.line(f"both decided {told}, which neither learnt from")
    mean, low, high = (format_money(one, unit) for one in judged.forecast_each)
    terminal.line(f"forecast  {mean} a request with the new version (5 to 95 %: {low} to {high})")
    _show_labellers(terminal, found)
    for finding in found.findings:
        if finding.failed and finding.code not in _OF_LABELLERS:
            terminal.line(f"{finding.code} {finding.title}: {finding.detail}. {finding.mend}")
    for note in found.notes:
        terminal.line(note)
    terminal.line(found.sentence, style="bold")
    if found.artifact is not None:
        terminal.line(f"artifact  {found.artifact}")
    terminal.line(f"report    {found.folder / 'report.html'}")
    if then:
        terminal.line(f"next      {then}")
    _show_course(terminal, course)


def _show_labellers(terminal: Terminal, found: Retrained) -> None:
    learnt: dict[str, Any] = found.gathered.lineage()["by_teller"]
    for one in found.gathered.labellers:
        told = f"left out: {one.why}" if one.left_out else f"{learnt.get(one.name, 0):,} learnt"
        told += "" if one.checked or one.left_out else ", not checked by people yet"
        terminal.line(f"{one.name}  {one.n_labels:,} labels, {told}")


def _show_estimate(terminal: Terminal, told: Estimate) -> None:
    terminal.line(f"{told.n_labels:,} labels, {told.n_new:,} of them new.")
    for label, n in told.new_classes.items():
        terminal.line(f"'{label}' is unknown to the version in use: {n} labels.")
    short, perfect = (
        format_money(one, told.currency) for one in (told.short_each, told.perfect_each)
    )
    terminal.line(
        f"A request earned {short} less than was expected of it, and {perfect} less than a right"
        " answer would have."
    )
    terminal.line(told.sentence, style="bold")
