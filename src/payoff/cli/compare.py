"""``payoff compare``: whether a new version really earns more, by an experiment in money."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from payoff.cli.findings import show_findings
from payoff.cli.ranges import Finite
from payoff.cli.terminal import Terminal, with_terminal
from payoff.core.errors import ProjectError
from payoff.core.money import format_money

if TYPE_CHECKING:
    from payoff.learn.experiments.confidence_sequence import Interval
    from payoff.learn.experiments.contest import Contest, Past
    from payoff.learn.experiments.course import Course
    from payoff.learn.experiments.look import ArmSeen, Look
    from payoff.learn.experiments.sizing import Size

_DAYS_PER_MONTH = 365.25 / 12
_FIRST_WEEKS = 4.0
_MOST_HELD_BACK = 0.5


@click.group()
def command() -> None:
    """Compare a new version with the one that decides now, by an experiment in money."""


def _sized(function: Callable[..., Any]) -> Callable[..., Any]:
    """Options of whoever asks how long an experiment takes."""
    for option in (
        click.option("--gain", type=float, help="Gain a request that is to be seen."),
        click.option("--weeks", type=float, help="Or: how long it may take. [default: 4]"),
        click.option("--per-month", type=float, help="Requests a month. [default: as so far]"),
        click.option("--spread", type=float, help="Noise of a request. [default: as so far]"),
        click.option("--step-days", default=1.0, show_default=True, help="Days of each share."),
        click.option(
            "--maturity-days",
            default=0.0,
            show_default=True,
            help="Younger requests are not counted; where wrong answers are told sooner.",
        ),
        click.option("--confidence", default=0.95, show_default=True, help="Of the intervals."),
    ):
        function = option(function)
    return function


_journal = click.option(
    "--journal",
    metavar="FILE|URL",
    help="Journal of the service. [default: NAME.journal.db beside CONTROL]",
)
_existing = click.option("--journal", metavar="FILE|URL", required=True, help="Of the service.")
_name = click.option("--name", default="", help="Of the experiment. [default: the one that runs]")


@command.command()
@click.argument("control", type=click.Path(path_type=Path))
@click.argument("treatment", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="Of the experiment; used once.")
@_journal
@click.option(
    "--mode",
    type=click.Choice(["live", "shadow", "bandit"]),
    default="live",
    show_default=True,
    help="Step by step, first beside the control, or by what earns more.",
)
@_sized
@click.option("--minimum-gain", default=0.0, help="Gain a request that is worth the trouble.")
@click.option("--slow-ms", type=float, help="Guardrail: a request that takes longer is slow.")
@click.option("--most-slow", default=0.01, show_default=True, help="Share that may be slower.")
@click.option("--most-error-cost", type=float, help="Guardrail: what errors may cost more.")
@click.option(
    "--hold-back",
    metavar="SHARE",
    type=Finite(min=0, max=_MOST_HELD_BACK),
    help="Share of the customers who stay with CONTROL for a time after a promotion, 0 for none, "
    "in place of the project's [experiment] hold_back. [default: 0.05]",
)
@click.option(
    "--hold-back-days",
    metavar="DAYS",
    type=Finite(min=1),
    help="For how long, in place of [experiment] hold_back_days. [default: 28]",
)
@with_terminal
def start(
    terminal: Terminal,
    *,
    control: Path,
    treatment: Path,
    name: str,
    journal: str | None,
    mode: str,
    minimum_gain: float,
    slow_ms: float | None,
    most_slow: float,
    most_error_cost: float | None,
    hold_back: float | None,
    hold_back_days: float | None,
    **sizing: float | None,
) -> None:
    """Start an experiment: TREATMENT is to earn more than CONTROL, which decides now.

    The service that writes the journal shares customers out from now on; it opens TREATMENT by
    itself where it does not serve it yet. How long it takes and
    what it can cost at most is told beforehand. After a promotion a few customers stay with CONTROL
    for a time; where TREATMENT then surely earns less, `payoff compare tick` rolls it back.
    """
    from payoff.learn.experiments.begin import begin_contest
    from payoff.learn.experiments.contest import contest_of, past_of
    from payoff.learn.experiments.experiment import Mode
    from payoff.learn.experiments.guardrails import Guardrails
    from payoff.learn.journal import Journal

    contest = contest_of(control, treatment)
    with Journal.open(journal or control.with_suffix(".journal.db")) as opened:
        size = _size(contest, past_of(opened, contest), sizing)
        course = begin_contest(
            opened,
            contest,
            name,
            size,
            mode=Mode(mode),
            step_days=sizing["step_days"] or 0.0,
            minimum_gain=minimum_gain,
            confidence=sizing["confidence"] or 0.0,
            maturity_days=sizing["maturity_days"] or 0.0,
            guardrails=Guardrails(
                slow_ms=slow_ms, most_slow=most_slow, most_error_cost=most_error_cost
            ),
            hold_back=contest.hold_back(share=hold_back, days=hold_back_days),
        )

    def people() -> None:
        terminal.line(f"'{name}' has begun with {course.share:.0%} of the customers.")
        _show_size(terminal, size, contest.currency)
        held = course.experiment.hold_back
        if held is not None:
            terminal.line(
                f"After a promotion {held.share:.0%} of the customers stay with the old version "
                f"for {held.days:g} days."
            )

    terminal.show(course.as_dict() | {"size": size.as_dict()}, people)


@command.command()
@click.argument("control", type=click.Path(path_type=Path))
@_journal
@_sized
@with_terminal
def size(terminal: Terminal, *, control: Path, journal: str | None, **sizing: float | None) -> None:
    """Tell beforehand how long an experiment takes, and what it can cost at most."""
    from payoff.learn.experiments.contest import contest_of, past_of
    from payoff.learn.journal import Journal

    contest = contest_of(control)
    address = journal or str(control.with_suffix(".journal.db"))
    past = None
    if journal or Path(address).is_file():
        with Journal.open(_there(address)) as opened:
            past = past_of(opened, contest)
    found = _size(contest, past, sizing)
    content = {"size": found.as_dict(), "past": None if past is None else past.as_dict()}
    terminal.show(content, lambda: _show_size(terminal, found, contest.currency))


@command.command()
@_existing
@_name
@click.option("--per-month", type=float, help="Requests a month. [default: as so far]")
@click.option("--act", is_flag=True, help="Ramp, stop or roll back, as is recommended.")
@with_terminal
def status(
    terminal: Terminal, *, journal: str, name: str, per_month: float | None, act: bool
) -> None:
    """Show what an experiment has seen so far, and say what to do.

    It may be asked as often as anybody likes: its intervals are valid at every look.
    """
    from payoff.learn.experiments import book
    from payoff.learn.journal import Journal

    with Journal.open(_there(journal)) as opened:
        course = book.course_of(opened, name)
        look = book.look_now(opened, course, requests_per_month=per_month)
        if act and course.running:
            course = book.act_on(opened, course, look)
    terminal.show(
        course.as_dict() | {"look": look.as_dict()}, lambda: _show(terminal, course, look)
    )


@command.command()
@_existing
@click.option("--no-promote", is_flag=True, help="Ramp and stop, and leave promoting to people.")
@with_terminal
def tick(terminal: Terminal, *, journal: str, no_promote: bool) -> None:
    """Do what is due of all experiments that run: ramp, stop, promote, roll back. For a schedule.

    Called as often as anybody likes, also by several machines at once, it does everything once.
    Where nothing runs, or nothing is due, it says so and ends well. A promoted version that surely
    earns less than the one before is rolled back, once, and an alert tells it with the money.
    """
    from payoff.learn.experiments.tick import tick as ticked
    from payoff.learn.journal import Journal

    with Journal.open(_there(journal)) as opened:
        found = ticked(opened, promoting=not no_promote)

    def people() -> None:
        for one in found:
            _show(terminal, one.after, one.look)
            _show_promise(terminal, one.hold_back)
        if not found:
            terminal.line("No experiment is running.")

    terminal.show({"experiments": [one.as_dict() for one in found]}, people)


@command.command()
@_existing
@_name
@click.option("--promote", is_flag=True, help="The treatment decides on all requests from now on.")
@click.option("--why", default="by hand", show_default=True, help="Kept in the journal.")
@with_terminal
def stop(terminal: Terminal, *, journal: str, name: str, promote: bool, why: str) -> None:
    """End an experiment: the control decides again, or with --promote the treatment does.

    A hold-back that is ended leaves the promoted version in place, for all customers.
    """
    from payoff.learn.experiments import book
    from payoff.learn.journal import Journal

    with Journal.open(_there(journal)) as opened:
        course = book.course_of(opened, name)
        look = book.look_now(opened, course)
        end = book.promote if promote else book.stop
        course = end(opened, course.experiment.name, why=why, look=look)
        after = book.running_on(opened, course.experiment.model)
    winner = "treatment" if course.share else "control"

    def people() -> None:
        _show(terminal, course, look)
        terminal.line(f"'{course.experiment.name}' is over: the {winner} decides on all requests.")
        _show_promise(terminal, after)

    content = course.as_dict() | {"look": look.as_dict()}
    content["hold_back"] = None if after is None else after.as_dict()
    terminal.show(content, people)


def _there(address: str) -> str:
    """The address of a journal that is there already.

    Raises:
        ProjectError: PF293 where there is none.
    """
    if "://" not in address and not Path(address).is_file():
        raise ProjectError(
            "PF293", address, "there is no such journal", mend="Name the one the service writes."
        )
    return address


def _size(contest: Contest, past: Past | None, asked: dict[str, float | None]) -> Size:
    """How long and how dear, from what was asked for and what the journal knows.

    Raises:
        ProjectError: PF290 where neither says how many requests come, or how noisy they are.
    """
    from payoff.learn.experiments.sizing import gain_seen_in, size_of

    per_month, spread = asked["per_month"], asked["spread"]
    per_day = past.per_day if past and per_month is None else (per_month or 0.0) / _DAYS_PER_MONTH
    if past is None and per_month is None:
        raise ProjectError(
            "PF290", "--per-month", "it is missing, and the journal has too few requests to tell"
        )
    if spread is None:
        # Without history: as noisy as amounts between these two can be (Popoviciu 1935).
        spread = past.spread if past else (contest.high - contest.low) / 2.0
    label_days = asked["maturity_days"] or 0.0
    stated: dict[str, Any] = {
        "spread": spread,
        "requests_per_day": per_day,
        "step_days": asked["step_days"] or 0.0,
        "confidence": asked["confidence"] or 0.0,
        "label_days": label_days,
    }
    usual = past.profit if past else (contest.high + contest.low) / 2.0
    stated["most_harm"] = usual - contest.low
    gain = asked["gain"]
    if gain is None:
        gain = gain_seen_in(round(7 * (asked["weeks"] or _FIRST_WEEKS)), **stated)
    elif asked["weeks"] is not None:
        raise ProjectError("PF290", "--weeks", "--gain is given too", expected="one of the two")
    per_customer = past.per_customer if past else 1.0
    return size_of(gain=gain, requests_per_customer=per_customer, **stated)


def _show_size(terminal: Terminal, size: Size, currency: str) -> None:
    gain, lost, worst = (
        format_money(one, currency) for one in (size.gain, size.most_lost_at_harm, size.most_lost)
    )
    terminal.line(
        f"A gain of {gain} a request is seen within {size.days} days ({size.weeks:.1f} weeks, "
        f"{size.requests:,.0f} requests) in 80 of 100 cases."
    )
    terminal.line(
        f"A loss of that size costs at most {lost} before it is stopped or the time is over; "
        f"the worst that can happen costs {worst} (in 95 of 100 cases less)."
    )


def _share(course: Course) -> str:
    if course.in_shadow:
        return "in the shadow"
    if course.experiment.is_hold_back:
        return f"{1 - course.share:.0%} held back"
    return f"{course.share:.0%} treated"


def _show_promise(terminal: Terminal, course: Course | None) -> None:
    """What a hold-back that has begun can cost at most."""
    if course is None:
        return
    held, most = course.experiment, course.size.get("most_lost")
    terminal.line(
        f"'{held.name}' has begun: {1 - course.share:.0%} of the customers stay with the old "
        f"version for {held.horizon_days:g} days."
    )
    if most is not None:
        cost = format_money(most, held.currency)
        terminal.line(
            f"The worst that the new version can cost until it is rolled back, or these days are "
            f"over, is {cost} (in 95 of 100 cases less)."
        )


def _show(terminal: Terminal, course: Course, look: Look) -> None:
    def money(amount: float) -> str:
        return format_money(amount, look.currency)

    def row(name: str, arm: ArmSeen) -> tuple[str, ...]:
        profit = money(arm.profit) if arm.requests else "-"
        return name, f"{arm.requests:,}", f"{arm.customers:,}", f"{arm.known:.0%}", profit

    def told(interval: Interval) -> str:
        ends = f"{money(interval.low)} to {money(interval.high)}"
        return f"{money(interval.estimate)} ({ends})"

    state = course.over or _share(course)
    terminal.table(
        ("arm", "requests", "customers", "outcomes known", "profit a request"),
        [row("control", look.control), row("treatment", look.treatment)],
        title=f"{look.name}: day {look.days:.1f}, {state}",
        right=("requests", "customers", "outcomes known", "profit a request"),
    )
    terminal.line(f"gain a request  {told(look.gain)}")
    terminal.line(f"gain a month    {told(look.gain_per_month)}")
    terminal.line(f"regret so far   {told(look.regret)}")
    failed = [finding for finding in look.findings if finding.failed]
    if failed:
        show_findings(terminal, failed)
    if course.over:
        why = course.facts.get("why") or ""
        terminal.line(f"It was {course.over} on {course.over_utc[:10]}. {why}")
    else:
        terminal.line(look.recommendation.sentence)
