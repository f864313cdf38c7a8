"""``payoff VERB …``: find the verb's file, run it, and tell every failure with its code.

Exit codes: 0 done · 1 a check asked for with ``--strict`` failed · 2 the input or the command line
is wrong · 3 the machine lacks something (PF8xx) · 70 a defect in payoff · 130 or 143 stopped.
"""

from __future__ import annotations

import importlib
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from payoff import __version__
from payoff.cli.failures import Stopped, tell
from payoff.core.errors import ProjectError, did_you_mean

SECTIONS: dict[str, tuple[str, ...]] = {
    "From data to a service": (
        "init",
        "inspect",
        "segment",
        "run",
        "tune",
        "plan",
        "predict",
        "evaluate",
        "compress",
        "export",
        "serve",
    ),
    "Learn from the market": (
        "feedback",
        "compare",
        "watch",
        "retrain",
        "versions",
        "journal",
        "keys",
    ),
    "Look up and check": ("backbones", "prices", "costs", "doctor"),
}
"""The verbs as ``--help`` shows them; verb V is ``command`` in ``payoff.cli.V``."""


class Verbs(click.Group):
    """Verbs that are imported when one of them is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All verbs, in the order of the sections."""
        return [verb for verbs in SECTIONS.values() for verb in verbs]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a verb's file; ``None`` where there is no such verb."""
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = importlib.import_module(f"payoff.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb, or say which one is near."""
        known = self.list_commands(ctx)
        if args and args[0] not in known and not args[0].startswith("-"):
            raise ProjectError(
                "PF290",
                "payoff",
                f"there is no verb '{args[0]}'",
                mend=did_you_mean(args[0], known) or "Run: payoff --help",
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs with their first sentence, a section at a time."""
        width = max(len(verb) for verb in self.list_commands(ctx))
        for title, verbs in SECTIONS.items():
            rows = []
            for verb in verbs:
                command = self.get_command(ctx, verb)
                if command is not None:
                    rows.append((verb.ljust(width), command.get_short_help_str(limit=90)))
            with formatter.section(title):
                formatter.write_dl(rows)


@click.group(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Every verb takes --json for machines and --help for people.",
)
@click.version_option(__version__, "-V", "--version", message="payoff %(version)s")
def group() -> None:
    """From labelled texts and a pretrained model to the running service that earns the most."""


def run_command_line(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and tell what went wrong, if anything.

    Args:
        arguments: What follows ``payoff``; those of this process where it is ``None``.

    Returns:
        The exit code.

    Example:
        >>> run_command_line(["--version"])
        payoff 0.1.0
        0
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with _termination():
            code: Any = group.main(args=given, prog_name="payoff", standalone_mode=False)
    except SystemExit as ended:  # click's own way out of a broken pipe
        return ended.code if isinstance(ended.code, int) else 1
    except (Exception, KeyboardInterrupt) as error:
        return tell(error, given)
    return code if isinstance(code, int) else 0


def main() -> None:
    """Entry point of the ``payoff`` command."""
    for stream in (sys.stdout, sys.stderr):
        # A sign that the terminal's encoding lacks must not end the run.
        getattr(stream, "reconfigure", lambda **_: None)(errors="replace")
    sys.exit(run_command_line())


@contextmanager
def _termination() -> Iterator[None]:
    """Let a termination signal end the work as Ctrl-C does: tidied up and told."""

    def stop(number: int, _frame: Any) -> None:
        raise Stopped(number)

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not in the main thread: whoever runs us handles signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


if __name__ == "__main__":
    main()
