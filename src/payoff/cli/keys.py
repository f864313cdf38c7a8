"""``payoff keys``: who may ask a service for what."""

from __future__ import annotations

import click

from payoff.cli.listing import Listing
from payoff.cli.ranges import Finite
from payoff.cli.terminal import Terminal, with_terminal

_SCOPES = ("decide", "feedback", "review", "metrics", "admin")
_journal = click.option(
    "--journal",
    metavar="FILE|URL",
    required=True,
    help="The service's journal, which keeps the hashes of its keys.",
)


@click.group(cls=Listing)
def command() -> None:
    """Make, list and withdraw the keys of a service.

    As soon as its journal has one, a service answers only those who send a good key, as the header
    "Authorization: Bearer KEY".
    """


@command.command("add")
@click.argument("name")
@_journal
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(_SCOPES),
    default=("decide", "feedback"),
    show_default=True,
    help="What it allows; repeatable.",
)
@click.option(
    "--days",
    type=Finite(min=0, min_open=True),
    help="How long it is good.  [default: until it is withdrawn]",
)
@with_terminal
def add(
    terminal: Terminal, *, name: str, journal: str, scopes: tuple[str, ...], days: float | None
) -> None:
    """Make a key for NAME and show it, this once.

    To rotate a key, make a new one, let the callers take it, then withdraw the old one.
    """
    from payoff.learn.api_keys import make_key
    from payoff.learn.journal import Journal

    with Journal.open(journal) as book:
        kept, key = make_key(book, name, scopes, days=days)

    def people() -> None:
        terminal.line(f"Key {kept.key_id} of {name} allows {', '.join(kept.scopes)}.")
        terminal.line("It is shown this once; the journal keeps only its hash:")
        click.echo(key)

    terminal.show({**kept.as_dict(), "key": key}, people)


@command.command("list")
@_journal
@with_terminal
def list_keys(terminal: Terminal, *, journal: str) -> None:
    """List all keys that were made, without the keys themselves."""
    from payoff.learn.api_keys import all_keys
    from payoff.learn.entry import now_utc
    from payoff.learn.journal import Journal

    with Journal.open(journal) as book:
        found = list(all_keys(book).values())
    now = now_utc()

    def people() -> None:
        if not found:
            terminal.line("There are no keys: a service on this journal answers whoever asks.")
            return
        rows = [
            (
                one.key_id,
                one.name,
                ", ".join(one.scopes),
                one.made_utc[:10],
                one.until_utc[:10] or "no end",
                "yes" if one.is_good(now) else "no",
            )
            for one in found
        ]
        terminal.table(("key", "whose", "allows", "made", "until", "good"), rows)

    terminal.show({"keys": [{**one.as_dict(), "good": one.is_good(now)} for one in found]}, people)


@command.command("withdraw")
@click.argument("key_id", metavar="KEY")
@_journal
@with_terminal
def withdraw(terminal: Terminal, *, key_id: str, journal: str) -> None:
    """Let KEY, by the id that `payoff keys list` shows, be good no longer."""
    from payoff.learn.api_keys import withdraw_key
    from payoff.learn.journal import Journal

    with Journal.open(journal) as book:
        withdraw_key(book, key_id)

    def people() -> None:
        terminal.line(f"{key_id} is withdrawn. Services that run refuse it within seconds.")

    terminal.show({"key_id": key_id, "withdrawn": True}, people)
