"""Every way a command line can fail, told in payoff's form and with an exit code."""

from __future__ import annotations

import errno
import os
import platform
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

import click

from payoff import __version__
from payoff.core.errors import MachineError, PayoffError, Problems, ProjectError
from payoff.core.files import disk_errors, to_json, write_text

WRONG_INPUT = 2
MACHINE = 3
DEFECT = 70

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
_NO_PLACE = {errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EISDIR}
_REFUSED = {errno.EACCES, errno.EPERM} | _NO_ROOM | _NO_PLACE


class Stopped(KeyboardInterrupt):
    """A termination signal arrived.

    Args:
        number: The signal's number.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def tell(error: BaseException, arguments: Sequence[str]) -> int:
    """Tell a failure: on stderr for people, on stdout as JSON where ``--json`` was given.

    Args:
        error: What ended the command.
        arguments: The command line, for ``--json`` and ``--debug``.

    Returns:
        The exit code.
    """
    told, code = _translated(error, arguments)
    as_json = "--json" in arguments
    if not (as_json and _printed(to_json({"error": told.as_dict(), "exit_code": code}))):
        _printed(f"{told}\n", err=True)
    if "--debug" in arguments:
        _printed("".join(traceback.format_exception(error)) + "\n", err=True)
    return code


def _printed(text: str, *, err: bool = False) -> bool:
    """Whether it could be written; a full disk or a closed pipe takes nothing more."""
    try:
        click.echo(text, nl=False, err=err)
    except OSError:
        return False
    return True


def _translated(error: BaseException, arguments: Sequence[str]) -> tuple[PayoffError, int]:
    """The error in payoff's form, and the exit code that it deserves."""
    if isinstance(error, PayoffError):
        codes = [e.code for e in (error.problems if isinstance(error, Problems) else (error,))]
        machine = all(code.startswith("PF8") for code in codes)
        return error, MACHINE if machine else WRONG_INPUT
    if isinstance(error, click.Abort) and error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, (KeyboardInterrupt, EOFError, click.Abort)):
        number = error.number if isinstance(error, Stopped) else int(signal.SIGINT)
        return _stopped(arguments), 128 + number
    if isinstance(error, click.ClickException):
        return _misused(error), WRONG_INPUT
    if isinstance(error, OSError) and error.errno in _REFUSED:
        return _refused(error)
    return _defect(error, arguments), DEFECT


def _stopped(arguments: Sequence[str]) -> MachineError:
    return MachineError(
        "PF806",
        " ".join(["payoff", *arguments[:1]]),
        "stopped; what was finished is kept",
        mend="Run the same command again to go on.",
    )


def _refused(error: OSError) -> tuple[PayoffError, int]:
    """What the system refused, where nobody nearer to it said so."""
    if error.filename is None:  # what was opened before, which is what is printed to
        found = f"it takes nothing more ({error.strerror}): what it has is cut short"
        mend = "Free some space, or print to another place."
        return MachineError("PF801", "the output", found, mend=mend), MACHINE
    where = str(error.filename)
    if error.errno in _NO_ROOM:
        try:
            with disk_errors(where):
                raise error
        except MachineError as full:
            return full, MACHINE
    wrong = ProjectError(
        "PF290",
        where,
        f"it cannot be used ({error.strerror})",
        mend="Check the path, and who may read and write there.",
    )
    return wrong, WRONG_INPUT


def _misused(error: click.ClickException) -> ProjectError:
    context = getattr(error, "ctx", None)
    where = context.command_path if context else "payoff"
    return ProjectError(
        "PF290",
        where,
        error.format_message().rstrip("."),
        mend=f"Run: {where} --help",
    )


def _defect(error: BaseException, arguments: Sequence[str]) -> MachineError:
    log = _write_log(error, arguments)
    return MachineError(
        "PF899",
        " ".join(["payoff", *arguments[:1]]),
        f"a defect in payoff ({type(error).__name__})",
        mend=f"Please report it with {log}, after reading what is in there.",
    )


def _write_log(error: BaseException, arguments: Sequence[str]) -> Path:
    """Write what a report needs beside the user's temporary files; nothing leaves the machine."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    path = Path(tempfile.gettempdir()) / f"payoff-defect-{stamp}-{os.getpid()}.log"
    lines = [
        f"payoff {__version__}, Python {platform.python_version()}, {platform.platform()}",
        f"arguments: {list(arguments)!r}",
        f"executable: {sys.executable}",
        "",
        "".join(traceback.format_exception(error)),
    ]
    write_text(path, "\n".join(lines))
    path.chmod(0o600)  # the arguments may hold a customer's text
    return path
