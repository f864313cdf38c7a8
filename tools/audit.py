"""Ask whether anything is known against the pinned versions.

``python tools/audit.py`` asks the OSV database (https://osv.dev, its batch protocol) about every
pin of constraints.txt. It ends with 0 where nothing is known, with 1 where something is, and with 2
where it could not be checked. ``--may-be-offline`` makes that last one 0 where there is no network,
and says «not checked» all the same: what was not asked is never called fine.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
SOURCE = "https://api.osv.dev/v1/querybatch"
AT_A_TIME = 500
MOST_PAGES = 50
TIMEOUT_S = 60.0
_PIN = re.compile(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.!+_-]+)")

Pin = tuple[str, str]


class NotCheckedError(Exception):
    """The source did not answer as it should."""


class NoNetworkError(NotCheckedError):
    """Nothing answers at all."""


def pins(text: str) -> list[Pin]:
    """Names and versions of a constraints file.

    Raises:
        NotCheckedError: Where a line is no pin.
    """
    found = []
    for line in text.splitlines():
        plain = line.partition("#")[0].strip()
        if not plain:
            continue
        pin = _PIN.fullmatch(plain)
        if pin is None:
            raise NotCheckedError(f"'{plain}' is no pin")
        found.append((pin[1], pin[2].partition("+")[0]))  # a build of its own has no advisories
    return found


def advisories(asked: Sequence[Pin], source: str) -> dict[Pin, list[str]]:
    """The ids of what is known against each pin; those without any are left out.

    Raises:
        NotCheckedError: Where the source does not answer about each of them.
    """
    found: dict[Pin, list[str]] = {}
    for first in range(0, len(asked), AT_A_TIME):
        waiting = [(pin, "") for pin in asked[first : first + AT_A_TIME]]
        for _ in range(MOST_PAGES):
            if not waiting:
                break
            further = []
            for (pin, _), (ids, token) in zip(waiting, _answers(waiting, source), strict=True):
                if ids:
                    found.setdefault(pin, []).extend(ids)
                if token:
                    further.append((pin, token))
            waiting = further
        else:
            raise NotCheckedError(f"more than {MOST_PAGES} pages of answers")
    return found


def _answers(waiting: Sequence[tuple[Pin, str]], source: str) -> Iterator[tuple[list[str], str]]:
    """Ids for each question, and the token of the next page where there is one."""
    queries = [
        {
            "package": {"name": name, "ecosystem": "PyPI"},
            "version": version,
            **({"page_token": token} if token else {}),
        }
        for (name, version), token in waiting
    ]
    body = json.dumps({"queries": queries}).encode()
    content = _sent(source, body)
    try:
        results: list[Any] = json.loads(content)["results"]
        if len(results) != len(waiting):
            raise NotCheckedError(f"{len(results)} answers to {len(waiting)} questions")
        read = [
            ([str(one["id"]) for one in result.get("vulns") or ()],
             str(result.get("next_page_token") or ""))
            for result in results
        ]  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotCheckedError(f"its answer cannot be read ({error!r})") from error
    yield from read


def _sent(source: str, body: bytes) -> bytes:
    if not source.startswith(("https://", "http://127.0.0.1:")):
        raise NotCheckedError(f"{source} is no address of https")
    request = urllib.request.Request(source, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            content: bytes = answer.read()
            return content
    except urllib.error.HTTPError as error:
        raise NotCheckedError(f"it answered {error.code}") from error
    except OSError as error:
        raise NoNetworkError(f"no network ({error})") from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask, tell, and say by the status how it ended."""
    parser = argparse.ArgumentParser(description="Ask what is known against pinned versions.")
    parser.add_argument("file", type=Path, nargs="?", default=REPOSITORY / "constraints.txt")
    parser.add_argument("--source", default=SOURCE, help="who is asked (the batch protocol of OSV)")
    parser.add_argument("--may-be-offline", action="store_true", help="no network is no failure")
    parser.add_argument("--ignore", action="append", default=[], metavar="ID")
    told = parser.parse_args(arguments)
    try:
        asked = pins(told.file.read_text("utf-8"))
        found = advisories(asked, told.source)
    except NotCheckedError as error:
        print(f"Dependencies are not checked: {told.source}: {error}.")
        return 0 if told.may_be_offline and isinstance(error, NoNetworkError) else 2
    bad = 0
    for (name, version), ids in sorted(found.items()):
        for one in sorted(set(ids)):
            ignored = one in told.ignore
            bad += not ignored
            print(f"{name}=={version}: {one}" + (" (ignored)" if ignored else ""))
    print(f"{bad} advisories on {len(asked)} pinned versions, asked of {told.source}.")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
