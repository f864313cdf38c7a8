"""``payoff watch``: what a served model earns now against its forecast, and who is to be told."""

from __future__ import annotations

import os
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from payoff.cli.findings import show_findings
from payoff.cli.terminal import Terminal, with_terminal
from payoff.core.errors import PayoffError, ProjectError
from payoff.core.money import format_money

if TYPE_CHECKING:
    from payoff.learn.watching.notify.channel import Channel
    from payoff.learn.watching.watched import Watched


class Watching(click.Group):
    """A group whose first word is an artifact, unless it is ``silence``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the verb that looks in front of an artifact."""
        asks_help = bool({"-h", "--help"} & set(args[:1]))
        if args and args[0] not in self.commands and not asks_help:
            args = ["look", *args]
        return super().parse_args(ctx, args)


@click.group(cls=Watching, no_args_is_help=True)
def command() -> None:
    """Watch what a served model earns against its forecast, and tell people of a sure loss.

    payoff watch ARTIFACT looks; payoff watch silence ALERT --for 2d tells nobody for a while.
    """


@command.command(
    epilog="Secrets come from the environment: PAYOFF_WEBHOOK_SECRET signs what a webhook is sent, "
    "PAYOFF_SMTP_USER and PAYOFF_SMTP_PASSWORD log in to the mail server."
)
@click.argument("artifact", type=click.Path(path_type=Path))
@click.option(
    "--journal",
    metavar="FILE|URL",
    help="Where decisions are written. [default: NAME.journal.db beside the artifact]",
)
@click.option(
    "--every", metavar="TIME", help="Look again and again, such as every 1h. [default: once]"
)
@click.option("--once", is_flag=True, help="Look once, which is what is done without --every.")
@click.option("--webhook", "webhooks", metavar="URL", multiple=True, help="Post alerts there.")
@click.option("--mail", "mails", metavar="ADDRESS", multiple=True, help="Mail alerts there.")
@click.option("--smtp", metavar="HOST:PORT", help="Server that mail is sent by.")
@click.option("--mail-from", metavar="ADDRESS", default="", help="Sender of the mail.")
@click.option("--no-topics", is_flag=True, help="Do not look for new topics.")
@with_terminal
def look(
    terminal: Terminal,
    *,
    artifact: Path,
    journal: str | None,
    every: str | None,
    once: bool,
    webhooks: tuple[str, ...],
    mails: tuple[str, ...],
    smtp: str | None,
    mail_from: str,
    no_topics: bool,
) -> None:
    """Look at the journal of a served ARTIFACT: the loss a day, why, and what is new."""
    from payoff.learn.journal import Journal
    from payoff.learn.watching.duration import duration_s
    from payoff.learn.watching.watch import watch
    from payoff.learn.watching.watched_model import watched_model

    if once and every is not None:
        raise ProjectError("PF290", "--once", "--every is given too", expected="one of the two")
    wait_s = None if every is None else duration_s(every)
    channels = _channels(webhooks, mails, smtp, mail_from)
    model = watched_model(artifact)
    address = _address(journal, artifact.with_suffix(".journal.db"))
    with Journal.open(address) as opened:
        while True:
            try:
                watched = watch(opened, model, channels=channels, topics=not no_topics)
                terminal.show(watched.as_dict(), partial(_show, terminal, watched))
            except PayoffError as error:
                if wait_s is None:
                    raise
                terminal.say(str(error))  # the next look comes all the same
            if wait_s is None:
                return
            time.sleep(wait_s)


@command.command()
@click.argument("alert")
@click.option("--for", "duration", metavar="TIME", default="1d", show_default=True)
@click.option(
    "--journal",
    metavar="FILE|URL",
    help="Where the alert is. [default: the only *.journal.db here]",
)
@with_terminal
def silence(terminal: Terminal, *, alert: str, duration: str, journal: str | None) -> None:
    """Tell nobody about ALERT for a time, such as --for 2d; it stays raised."""
    from payoff.learn.entry import now_utc
    from payoff.learn.journal import Journal
    from payoff.learn.watching.alert_book import AlertBook
    from payoff.learn.watching.duration import duration_s

    until = now_utc(duration_s(duration))
    with Journal.open(_address(journal, _only_journal() if journal is None else Path())) as opened:
        AlertBook(opened).silence(alert, until_utc=until)
    content = {"alert": alert, "silent_until_utc": until}
    terminal.show(content, lambda: terminal.line(f"Nobody is told of '{alert}' until {until}."))


def _channels(
    webhooks: tuple[str, ...], mails: tuple[str, ...], smtp: str | None, mail_from: str
) -> list[Channel]:
    """Whom to tell: the log always."""
    from payoff.learn.watching.notify.log import Log
    from payoff.learn.watching.notify.mail import Mail
    from payoff.learn.watching.notify.webhook import Webhook

    if mails and smtp is None:
        raise ProjectError("PF290", "--mail", "no --smtp is given", expected="--smtp HOST:PORT")
    secret = os.environ.get("PAYOFF_WEBHOOK_SECRET", "")
    user = os.environ.get("PAYOFF_SMTP_USER", "")
    password = os.environ.get("PAYOFF_SMTP_PASSWORD", "")
    posted = [Webhook(url, secret=secret) for url in webhooks]
    mailed = [
        Mail(to, server=smtp or "", sender=mail_from, user=user, password=password) for to in mails
    ]
    return [Log(), *posted, *mailed]


def _address(journal: str | None, default: Path) -> str:
    """Where the journal is.

    Raises:
        ProjectError: PF293 where there is none.
    """
    if journal is not None and "://" in journal:
        return journal
    place = default if journal is None else Path(journal)
    if not place.is_file():
        raise ProjectError(
            "PF293",
            str(place),
            "there is no such journal",
            mend="Serve the artifact first, or name the journal with --journal.",
        )
    return str(place)


def _only_journal() -> Path:
    found = sorted(Path().glob("*.journal.db"))
    return found[0] if len(found) == 1 else Path("NAME.journal.db")


def _show(terminal: Terminal, watched: Watched) -> None:
    loss, drift, unit = watched.loss, watched.drift, watched.currency
    if loss is not None and drift is not None:
        rows = [
            (part.cause, format_money(part.loss * loss.per_day, unit), part.detail)
            for part in drift.parts
        ]
        low, high = (format_money(amount, unit) for amount in loss.interval_a_day)
        rows.append(("all", format_money(loss.a_day, unit), f"{low} to {high}"))
        terminal.table(
            ("cause", "loss a day", "what"),
            rows,
            title=f"{watched.model} against the {watched.against}, "
            f"{loss.n_requests:,} requests, {loss.n_labels:,} labels",
            right=("loss a day",),
        )
        terminal.line(f"compared with {watched.reference}")
        _show_topics(terminal, watched)
        show_findings(terminal, watched.findings)
        terminal.line()
    for state in watched.alerts:
        if state.stands:
            silent = " (silenced)" if state.is_silent(watched.time_utc) else ""
            terminal.line(f"{state.alert.key}{silent}: {state.alert.sentence}")
    terminal.line(watched.advice, style="bold")


def _show_topics(terminal: Terminal, watched: Watched) -> None:
    if not watched.topics:
        return
    terminal.table(
        ("a new intent?", "requests", "at stake", "such as"),
        [
            (one.name, f"{one.n:,}", format_money(one.at_stake, watched.currency), one.examples[0])
            for one in watched.topics
        ],
        right=("requests", "at stake"),
    )
