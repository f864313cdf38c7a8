"""Verbs of verbs, where ``list`` is meant when none is named."""

from __future__ import annotations

import click


class Listing(click.Group):
    """A group such as ``payoff prices`` that does ``list`` unless told otherwise."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put ``list`` in front of options that stand alone."""
        asks_help = bool({"-h", "--help"} & set(args[:1]))
        if not args or (args[0].startswith("-") and not asks_help):
            args = ["list", *args]
        return super().parse_args(ctx, args)
